/**
 * What a process has collected since it last told: a row for each request and experiment, as numbers side by side, so that
 * nothing is made for a request and the rows can be sent as they are. Pure.
 */
import type { Measure } from './measure.ts';

/** An experiment under certain rules, on a route. What rows are about. */
export interface Subject {
  readonly experiment: string;
  readonly route: string;
  /** Of what numbers must share to be added up. */
  readonly digest: string;
  readonly epoch: number;
  /** By variant, in parts per million. */
  readonly shares: readonly number[];
  readonly measures: readonly Measure[];
}

export interface Delta {
  /** Those that the rows are about. */
  readonly subjects: readonly Subject[];
  /** Names of the listeners. */
  readonly listeners: readonly string[];
  readonly rows: number;
  /** `FACTS` for each row, in the order of `Fact`. */
  readonly facts: Uint16Array;
  /** `NUMBERS` for each row, then one for each measure of its subject that is no event; NaN: it was not there. */
  readonly numbers: Float64Array;
  /** Rows that were lost before these. */
  readonly dropped: number;
}

export const Fact = {
  subject: 0,
  assigned: 1,
  served: 2,
  outcome: 3,
  reason: 4,
  agent: 5,
  listener: 6,
} as const;
export const FACTS = 7;

/**
 * `unit`: its hash, 0 without one. `latency`: milliseconds since the request came in; `served`: since it was given to who
 * served it. `bytes`: of the response body.
 */
export const Figure = { unit: 0, latency: 1, served: 2, bytes: 3 } as const;
export const NUMBERS = 4;

/** What became of a request, by its number. */
export const OUTCOMES = ['ok', 'failure', 'slow', 'ignored'] as const;
export type CollectedOutcome = (typeof OUTCOMES)[number];

/** Why a variant was assigned. A person who tests, by an override, is not collected. */
export const REASONS = ['split', 'sticky', 'propagated'] as const;
/** The number of `split`. */
export const DEALT = 0;

/** Who asks, by what it says of itself. */
export const AGENTS = ['browser', 'library', 'bot', 'other', 'none'] as const;
export type Agent = (typeof AGENTS)[number];

/** One request in one experiment. */
export interface CollectedRow {
  readonly assigned: number;
  readonly served: number;
  /** Numbers of `OUTCOMES`, `REASONS` and `AGENTS`. */
  readonly outcome: number;
  readonly reason: number;
  readonly agent: number;
  readonly listener: string;
  readonly route: string;
  /** The process that carried it. */
  readonly worker: string;
  /** 0: it has none. */
  readonly unit: number;
  readonly latencyMs: number;
  readonly servedMs: number;
  readonly bytes: number;
  /** By measure; NaN: none. */
  readonly values: Float64Array;
}
