/** What is recorded of exposures, as declared, to what records them. Pure. */
import { createHash } from 'node:crypto';
import type { Config } from './schema.ts';
import type { SinkConfig } from './schema-exposures.ts';

/** A key that unit ids are hashed with. */
export interface UnitKeySettings {
  /** On record beside each hash; null: it has no name. */
  readonly id: string | null;
  readonly key: string;
  /** In force from then on, milliseconds since the epoch. */
  readonly fromMs: number;
}

export interface SpoolSettings {
  readonly dir: string;
  readonly maxBytes: number;
  readonly segmentBytes: number;
  readonly fsync: 'off' | 'second' | 'batch';
}

/** How something is posted. */
export interface PostSettings {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly isGzip: boolean;
}

export interface TracingSettings {
  readonly post: PostSettings;
  /** Share of the traces that begin here, in parts per million. */
  readonly samplePpm: number;
}

export type SinkSettings = { readonly name: string; readonly batchEvents: number } & (
  | { readonly kind: 'file'; readonly file: string }
  | ({ readonly kind: 'http' | 'otlp' } & PostSettings)
  | ({ readonly kind: 'kafka' } & KafkaSettings)
);

export interface KafkaSettings {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly isTls: boolean;
  /** Null: nobody asks who we are. */
  readonly sasl: { readonly mechanism: string; readonly username: string; readonly password: string } | null;
  readonly timeoutMs: number;
}

export interface ExposureSettings {
  readonly enabled: boolean;
  /** NDJSON file to append to; null: stdout. Neither with a spool. */
  readonly file: string | null;
  readonly format: 'ndjson' | 'cloudevents';
  /** Key of the HMAC that unit ids are hashed with where there is one only, as in the decision log: the first. */
  readonly key: string;
  /** At least one. */
  readonly unitKeys: readonly UnitKeySettings[];
  /** Units as they are. */
  readonly isPlain: boolean;
  /** A unit's exposure to the same variant is recorded once in this many remembered (unit, experiment, variant). */
  readonly dedupeEntriesMax: number;
  /** And again after this long. */
  readonly dedupeMs: number;
  /** Null: none, and no sinks. */
  readonly spool: SpoolSettings | null;
  readonly sinks: readonly SinkSettings[];
  /** Share of an hour that may be lost, in parts per million. */
  readonly lossLimitPpm: number;
}

/** A file takes as many at once as any. */
const FILE_BATCH_EVENTS = 1000;

export function compileExposures({ service, exposures }: Config): ExposureSettings {
  const { enabled, file, format, units, dedupeEntries, dedupeWindow, spool, sinks, lossLimit } = exposures;
  const named = exposures.unitKeys.map(({ id, key = '', from = 0 }) => ({ id, key, fromMs: from }));
  const key = exposures.key ?? named[0]?.key ?? defaultKey(service);
  return {
    enabled,
    file: file ?? null,
    format: spool === undefined ? (format ?? 'ndjson') : 'cloudevents',
    key,
    unitKeys: named.length > 0 ? named : [{ id: null, key, fromMs: 0 }],
    isPlain: units === 'plain',
    dedupeEntriesMax: dedupeEntries,
    dedupeMs: dedupeWindow,
    spool: spool ?? null,
    sinks: sinks.map(compileSink),
    lossLimitPpm: lossLimit,
  };
}

/** Not a secret: it keeps hashes of one service comparable over restarts, and those of two services apart. */
function defaultKey(service: string): string {
  return createHash('sha256').update(`fairlead exposures ${service}`).digest('hex');
}

function compileSink(sink: SinkConfig): SinkSettings {
  const { name } = sink;
  if (sink.kind === 'file') return { name, kind: 'file', file: sink.file, batchEvents: FILE_BATCH_EVENTS };
  const { batchEvents, timeout: timeoutMs } = sink;
  if (sink.kind === 'kafka') {
    const { brokers, topic, tls, username, password = '', mechanism } = sink;
    const sasl = username === undefined ? null : { mechanism, username, password };
    return { name, kind: 'kafka', batchEvents, brokers, topic, isTls: tls, sasl, timeoutMs };
  }
  return { name, kind: sink.kind, batchEvents, ...compilePost(sink) };
}

/** Null: no request becomes a span. */
export function compileTracing({ tracing }: Config): TracingSettings | null {
  return tracing === undefined ? null : { post: compilePost(tracing), samplePpm: tracing.sample };
}

/** What a declared token makes of the fields that are sent. */
export function compilePost({
  url,
  token,
  tokenHeader,
  timeout,
  gzip,
}: {
  readonly url: string;
  readonly token?: string | undefined;
  readonly tokenHeader?: string | undefined;
  readonly timeout: number;
  readonly gzip: boolean;
}): PostSettings {
  const field = tokenHeader ?? 'authorization';
  const value = tokenHeader === undefined ? `Bearer ${token}` : token;
  const headers = token === undefined ? {} : { [field]: value ?? '' };
  return { url, headers, timeoutMs: timeout, isGzip: gzip };
}
