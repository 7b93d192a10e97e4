/**
 * The access log: one JSON line an exchange, in the shape of pino's lines (`level`, `time`, `msg`), so that
 * pino-pretty and every collector reads it. Written by hand, since the fields are fixed and this runs once per
 * request. Holds names, numbers and ids; never a raw path, a field value or a unit.
 */
import { quote } from './json-text.ts';
import type { Counter, Outcome } from './series.ts';
import type { Sink } from './sink.ts';

/** What became of one experiment in an exchange. */
export interface AccessExperiment {
  readonly name: string;
  readonly assigned: string;
  readonly served: string;
  readonly reason: string;
}

/** One exchange. Durations in milliseconds; null and 0 where there is nothing to say. */
export interface AccessRecord {
  /** Milliseconds since the epoch, at the end. */
  readonly timeMs: number;
  readonly requestId: string;
  /** The trace id out of `traceparent`, or ''. */
  readonly traceId: string;
  readonly direction: string;
  readonly method: string;
  /** Name of the route, '' when none matched. */
  readonly route: string;
  /** 0: nothing was sent. */
  readonly status: number;
  readonly durationMs: number;
  /** From the request's last byte sent to the response's first byte; negative: there was no upstream. */
  readonly upstreamMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly experiments: readonly AccessExperiment[];
  /** `upstream/endpoint`, or ''. */
  readonly upstream: string;
  readonly outcome: Outcome;
  readonly retries: number;
  /** What the last attempt failed with that another one followed: an error code or a status; '' when none did. */
  readonly recoveredFrom: string;
  /** Error code of a local answer or a broken exchange, or null. */
  readonly code: string | null;
  /** What was done to it on purpose: `delay`, `abort`, `reset`, or several with a `+`; '' for nothing. */
  readonly fault: string;
  /** What ended a tunnel; null when it was none. */
  readonly closedBy: string | null;
}

export class AccessLog {
  readonly #sink: Sink;
  readonly #lines: Counter;
  readonly #service: string;

  /** @param lines counts the lines that the sink took */
  constructor(sink: Sink, service: string, lines: Counter) {
    this.#sink = sink;
    this.#service = JSON.stringify(service);
    this.#lines = lines;
  }

  /** Writes one line, or drops and counts it. Never throws. */
  record(record: AccessRecord): void {
    if (this.#sink.write(formatAccess(record, this.#service))) this.#lines.value++;
  }

  /** Resolves when the lines so far are written, or cannot be. */
  flush(): Promise<void> {
    return this.#sink.flush();
  }
}

/** One line with its "\n". `service` is JSON already. */
export function formatAccess(record: AccessRecord, service: string): string {
  const { status, outcome, code, retries } = record;
  const level = status >= 500 || outcome === 'failure' ? 50 : 30;
  const head = `{"level":${level},"time":${record.timeMs},"msg":"request","service":${service}`;
  const ids = `,"request_id":${quote(record.requestId)},"trace_id":${quote(record.traceId)}`;
  const what = `,"direction":"${record.direction}","method":${quote(record.method)},"route":${quote(record.route)}`;
  const times = `,"status":${status},"duration_ms":${round(record.durationMs)}`;
  const upstreamMs = record.upstreamMs < 0 ? '' : `,"upstream_ms":${round(record.upstreamMs)}`;
  const bytes = `,"bytes_in":${record.bytesIn},"bytes_out":${record.bytesOut}`;
  const upstream = record.upstream === '' ? '' : `,"upstream":${quote(record.upstream)}`;
  const recovered = record.recoveredFrom === '' ? '' : `,"recovered_from":"${record.recoveredFrom}"`;
  const error = code === null ? '' : `,"code":"${code}"`;
  const fault = record.fault === '' ? '' : `,"fault":"${record.fault}"`;
  const closedBy = record.closedBy === null ? '' : `,"closed_by":"${record.closedBy}"`;
  const end = `,"outcome":"${outcome}","retry":${retries}${recovered}${error}${fault}${closedBy}}\n`;
  return (
    head + ids + what + times + upstreamMs + bytes + formatExperiments(record.experiments) + upstream + end
  );
}

/** Flat fields for the first experiment, which is nearly always the only one; a list of all when there are more. */
function formatExperiments(experiments: readonly AccessExperiment[]): string {
  const first = experiments[0];
  if (first === undefined) return '';
  const flat = `,${formatExperiment(first)}`;
  if (experiments.length === 1) return flat;
  return `${flat},"experiments":[${experiments.map((one) => `{${formatExperiment(one)}}`).join(',')}]`;
}

function formatExperiment({ name, assigned, served, reason }: AccessExperiment): string {
  return `"experiment":${quote(name)},"assigned":${quote(assigned)},"served":${quote(served)},"reason":"${reason}"`;
}

/** Microseconds are as fine as the clock is true. */
function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
