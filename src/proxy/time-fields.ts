/**
 * The fields that say how long a request may take: `grpc-timeout`, and one that the configuration names. A caller can
 * shorten its time with them and never lengthen it. What is malformed says nothing, and is passed on as it came.
 */
import type { DeadlineSettings } from '../config/compile-retry.ts';
import { Field } from '../http1/field.ts';
import type { Head } from '../http1/head.ts';
import { readGrpcTimeout, readTimeout, writeGrpcTimeout, writeTimeout } from '../resilience/time-left.ts';

/** What a request says of its time, and how it is to be told the upstream. */
export interface Asked {
  /** Infinity: as long as the route lets it. */
  readonly ms: number;
  /** Fields whose place ours take; lower case. */
  readonly names: readonly string[];
  readonly isGrpc: boolean;
  /** The configured field, and what it looked like; null: it is not written. */
  readonly field: { readonly name: string; readonly like: string } | null;
}

export class TimeFields {
  readonly #header: string | null;
  readonly #isGrpcHeeded: boolean;

  /** Null: no field says anything. */
  static of({ header, isGrpcHeeded }: DeadlineSettings): TimeFields | null {
    return header === null && !isGrpcHeeded ? null : new TimeFields(header, isGrpcHeeded);
  }

  private constructor(header: string | null, isGrpcHeeded: boolean) {
    this.#header = header;
    this.#isGrpcHeeded = isGrpcHeeded;
  }

  /** Null: nothing is said, and nothing to be told. */
  read(head: Head): Asked | null {
    const hasGrpc = this.#isGrpcHeeded && head.first(Field.grpcTimeout) >= 0;
    if (this.#header === null && !hasGrpc) return null;
    const grpcMs = hasGrpc ? readGrpcTimeout(head.header('grpc-timeout')!) : null;
    const own = this.#header === null ? null : this.#readOwn(head, this.#header);
    if (grpcMs === null && own === null) return null;
    return {
      ms: Math.min(grpcMs ?? Number.POSITIVE_INFINITY, own?.ms ?? Number.POSITIVE_INFINITY),
      names: [...(grpcMs === null ? [] : ['grpc-timeout']), ...(own === null ? [] : [own.field.name])],
      isGrpc: grpcMs !== null,
      field: own?.field ?? null,
    };
  }

  /** Without the field the upstream is told all the same; null: the field is malformed. */
  #readOwn(head: Head, name: string) {
    const text = head.header(name);
    const ms = text === null ? 0 : readTimeout(text);
    if (ms === null) return null;
    return { ms: ms === 0 ? Number.POSITIVE_INFINITY : ms, field: { name, like: text ?? '' } };
  }
}

/** The lines for what is left, each with its CRLF. */
export function timeLines({ isGrpc, field }: Asked, leftMs: number): string {
  const grpc = isGrpc ? `grpc-timeout: ${writeGrpcTimeout(leftMs)}\r\n` : '';
  return field === null ? grpc : `${grpc}${field.name}: ${writeTimeout(leftMs, field.like)}\r\n`;
}
