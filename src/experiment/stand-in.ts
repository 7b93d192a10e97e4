/**
 * A key that stands for the unit of an experiment, whatever the unit is read from: OpenFeature's targeting key. It
 * takes the place of the first source, so that targeting by the same source (a segment of user ids, say) sees it too.
 */
import { isIP } from 'node:net';
import type { Random } from '../base/clock.ts';
import type { Claim, RequestAttributes, UnitSource } from './model.ts';
import { readUnit } from './unit.ts';

export interface StandIn {
  readonly request: RequestAttributes;
  readonly random: Random;
}

/** Nothing is drawn by lot here: the request that counts has been assigned, or will be, somewhere else. */
export const NO_ENTROPY: Random = Object.freeze({ next: () => 0, hex: () => '' });

/**
 * The request with the key in it, unless it has a unit of its own, which is what it is routed by. The same when no
 * source can hold the key: an address takes only an address.
 */
export function standIn(sources: readonly UnitSource[], request: RequestAttributes, key: string): StandIn {
  const asItIs = { request, random: NO_ENTROPY };
  if (readUnit(sources, request, null) !== null) return asItIs;
  const source = sources.find(({ kind }) => kind !== 'clientAddress' || isIP(key) !== 0);
  if (source === undefined) return asItIs;
  if (source.kind === 'request') return { request, random: { next: () => 0, hex: () => key } };
  return { request: new WithUnit(request, source, key), random: NO_ENTROPY };
}

class WithUnit implements RequestAttributes {
  readonly #request: RequestAttributes;
  readonly #source: UnitSource;
  readonly #key: string;

  constructor(request: RequestAttributes, source: UnitSource, key: string) {
    this.#request = request;
    this.#source = source;
    this.#key = key;
  }

  get method(): string {
    return this.#request.method;
  }

  get path(): string {
    return this.#request.path;
  }

  get clientIdentity(): string | null {
    return this.#source.kind === 'clientIdentity' ? this.#key : this.#request.clientIdentity;
  }

  get clientAddress(): string | null {
    return this.#source.kind === 'clientAddress' ? this.#key : this.#request.clientAddress;
  }

  header(name: string): string | null {
    return this.#isNamed('header', name) ? this.#key : this.#request.header(name);
  }

  cookie(name: string): string | null {
    return this.#isNamed('cookie', name) ? this.#key : this.#request.cookie(name);
  }

  query(name: string): string | null {
    return this.#isNamed('query', name) ? this.#key : this.#request.query(name);
  }

  pathParameter(name: string): string | null {
    return this.#isNamed('path', name) ? this.#key : this.#request.pathParameter(name);
  }

  claim(pointer: string): Claim | null {
    const source = this.#source;
    return source.kind === 'claim' && source.pointer === pointer
      ? { value: this.#key, isVerified: true }
      : this.#request.claim(pointer);
  }

  #isNamed(kind: 'header' | 'cookie' | 'query' | 'path', name: string): boolean {
    const source = this.#source;
    return source.kind === kind && source.name === name;
  }
}
