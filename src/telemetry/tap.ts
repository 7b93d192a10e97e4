/**
 * A tap: somebody watches single requests as they end. What is asked for, and what is shown of each: names out of the
 * configuration, numbers and words out of fixed lists; never an id, a path or the value of a field. Types, and what can be
 * said of them without a request.
 */
import type { AccessExperiment } from './access-log.ts';
import type { Outcome } from './series.ts';

/** Null: whatever it is. A request must be all of it. */
export interface TapQuery {
  readonly experiment: string | null;
  /** Assigned or served, by a request that is in its experiment. */
  readonly variant: string | null;
  readonly route: string | null;
  readonly outcome: Outcome | null;
  readonly status: StatusRange | null;
  /** At most so many records a second, and a burst of as many. */
  readonly rate: number;
}

/** Both ends included; 0 is that nothing was sent. */
export interface StatusRange {
  readonly from: number;
  readonly to: number;
}

/** One request. Durations in milliseconds. */
export interface TapRecord {
  /** ISO 8601, at the end. */
  readonly at: string;
  readonly method: string;
  /** '' when none matched. */
  readonly route: string;
  /** 0: nothing was sent. */
  readonly status: number;
  readonly durationMs: number;
  /** From the request sent to the first byte of the response; null: there was no upstream. */
  readonly upstreamMs: number | null;
  readonly outcome: Outcome;
  /** `upstream/endpoint`, or ''. */
  readonly upstream: string;
  /** Of a local answer or a broken exchange, or null. */
  readonly code: string | null;
  readonly retries: number;
  readonly experiments: readonly AccessExperiment[];
}

export type TakeRecord = (record: TapRecord) => void;

/** A tap that is open. */
export interface OpenTap {
  /** How many requests were asked for and not shown, since this was asked last. */
  takeDropped(): number;
  /** Nothing comes any more. */
  close(): void;
}

/** Opens a tap; `take` must not throw. */
export type Tapping = (query: TapQuery, take: TakeRecord) => OpenTap;

/** `503` or `5xx`; null: it is neither. */
export function parseStatus(text: string): StatusRange | null {
  if (/^[1-5]xx$/i.test(text)) return { from: Number(text[0]) * 100, to: Number(text[0]) * 100 + 99 };
  if (!/^(?:0|[1-5][0-9]{2})$/.test(text)) return null;
  return { from: Number(text), to: Number(text) };
}
