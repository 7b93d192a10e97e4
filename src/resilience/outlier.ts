/**
 * Which endpoints of an upstream are put aside, for how long, and why: those that fail several times in a row, that
 * fail too often, or that are slow beside their siblings. Told the time; knows no sockets and chooses nobody.
 *
 * An outlier differs from its siblings: when they fail as much, the fault is not the endpoint's, and putting it aside
 * would only take capacity away from an outage. There is a limit to how many are aside at a time.
 */
import type { Random } from '../base/clock.ts';
import { openDurationMs } from './back-off.ts';
import type { OutlierRecord } from './outlier-record.ts';

export interface OutlierSettings {
  /** Failures in a row; Infinity: any number. */
  readonly consecutiveFailures: number;
  /** Share of the answers of the window that are failures, 0 to 1; Infinity: any. */
  readonly errorRatio: number;
  /** Times as long as the typical sibling, by typical times; Infinity: any. */
  readonly slowerThan: number;
  /** Answers in the window below which neither share nor times are looked at. */
  readonly minimumRequests: number;
  readonly windowMs: number;
  /** The first time, and at most; each time takes twice as long as the one before, and up to half more at random. */
  readonly ejectForMs: number;
  readonly ejectForMaxMs: number;
  /** Of the endpoints that are there, 0 to 1; one of two or more always may. */
  readonly ejectedMaxRatio: number;
}

/** Word for metrics: why an endpoint was put aside. */
export type EjectionCause = 'consecutive-failures' | 'error-rate' | 'slow';

/** An endpoint was put aside, or is back. */
export type OutlierEvent =
  | {
      readonly kind: 'ejected';
      readonly endpoint: string;
      readonly cause: EjectionCause;
      readonly forMs: number;
      /** One sentence with the number and the limit. */
      readonly reason: string;
    }
  | { readonly kind: 'returned'; readonly endpoint: string; readonly reason: string };

/** How often times are compared. */
const COMPARE_MS = 1000;

/** Who has been judged is not judged again for so long: in an outage, thousands of failures a second ask for it. */
const SPARED_MS = 100;

/** Somebody who fails less than this many times as much as the others is not alone with it. */
const OUTLYING_FACTOR = 2;

export class Outliers {
  readonly #settings: OutlierSettings;
  readonly #random: Random;
  readonly #onEvent: (event: OutlierEvent) => void;
  #records: readonly OutlierRecord[] = [];
  #nextCompareMs = 0;
  #ejected = 0;

  constructor(settings: OutlierSettings, random: Random, onEvent: (event: OutlierEvent) => void) {
    this.#settings = settings;
    this.#random = random;
    this.#onEvent = onEvent;
  }

  /** The endpoints from now on; those that were known keep what is known of them. */
  adopt(records: readonly OutlierRecord[]): void {
    this.#records = records;
    this.#ejected = records.filter(({ isEjected }) => isEjected).length;
    for (const record of records) record.resize(this.#settings.windowMs);
  }

  /** An endpoint answered, `tookMs` after the request was with it; below 0: that says nothing. */
  succeeded(record: OutlierRecord, tookMs: number, nowMs: number): void {
    record.succeeded(tookMs, nowMs);
  }

  /** An endpoint failed to answer, or answered that it failed. */
  failed(record: OutlierRecord, nowMs: number): void {
    record.failed(nowMs);
    if (record.isEjected || nowMs < record.sparedUntilMs) return;
    const found = this.#judge(record, nowMs);
    if (found === null) return;
    record.sparedUntilMs = nowMs + SPARED_MS;
    if (!this.#isShared(record, found.ratio, nowMs)) this.#eject(record, found.cause, nowMs, found.reason);
  }

  /** Time passes: whose time is up is back, and times are compared. */
  tick(nowMs: number): void {
    if (this.#ejected > 0)
      for (const record of this.#records)
        if (record.isEjected && nowMs >= record.untilMs) this.#return(record, nowMs);
    if (this.#settings.slowerThan === Number.POSITIVE_INFINITY || nowMs < this.#nextCompareMs) return;
    this.#nextCompareMs = nowMs + COMPARE_MS;
    this.#compare(nowMs);
  }

  /** Which limit it is over; null: none. `ratio` is the share of failures that it is accused of. */
  #judge(record: OutlierRecord, nowMs: number) {
    const { consecutiveFailures, errorRatio, minimumRequests } = this.#settings;
    const { failuresInARow } = record;
    if (failuresInARow >= consecutiveFailures) {
      const reason = `${failuresInARow} failures in a row, the limit is ${consecutiveFailures}`;
      return { cause: 'consecutive-failures', ratio: 1, reason } as const;
    }
    record.advance(nowMs);
    const { requests, failures } = record;
    if (requests < minimumRequests || failures < errorRatio * requests) return null;
    const ratio = failures / requests;
    const reason = `${percent(ratio)} of ${requests} answers failed, the limit is ${percent(errorRatio)}`;
    return { cause: 'error-rate', ratio, reason } as const;
  }

  /** The others fail as well: `ratio` of this one's answers are failures. */
  #isShared(record: OutlierRecord, ratio: number, nowMs: number): boolean {
    let others = 0;
    let inARow = 0;
    let requests = 0;
    let failures = 0;
    for (const other of this.#records) {
      if (other === record || other.isEjected || other.isAway) continue;
      other.advance(nowMs);
      if (other.requests === 0) continue;
      others++;
      requests += other.requests;
      failures += other.failures;
      // In an outage that has just begun, the window is still full of what was well.
      if (other.failuresInARow * OUTLYING_FACTOR >= record.failuresInARow) inARow++;
    }
    if (others === 0) return false;
    return failures * OUTLYING_FACTOR >= ratio * requests || inARow * 2 > others;
  }

  /** Puts those aside that take several times as long as the typical other one, the slowest first. */
  #compare(nowMs: number): void {
    const { minimumRequests, slowerThan } = this.#settings;
    for (const record of this.#records) record.advance(nowMs);
    const measured = this.#records
      .filter((one) => !one.isEjected && !one.isAway && one.timed >= minimumRequests)
      .sort((a, b) => b.typicalMs - a.typicalMs);
    if (measured.length < 2) return;
    for (const [index, record] of measured.entries()) {
      // Sorted, so without the record itself the middle is that of the rest.
      const others = measured.toSpliced(index, 1);
      const typicalMs = others[Math.floor(others.length / 2)]!.typicalMs;
      // A millisecond more or less is nothing to put an endpoint aside for.
      if (record.typicalMs + 1 < slowerThan * (typicalMs + 1)) return;
      const reason = `it typically takes ${round(record.typicalMs)} ms, the others ${round(typicalMs)} ms, the limit is ${slowerThan} times`;
      this.#eject(record, 'slow', nowMs, reason);
    }
  }

  #eject(record: OutlierRecord, cause: EjectionCause, nowMs: number, reason: string): void {
    const present = this.#records.filter(({ isAway }) => !isAway);
    const left = present.filter(({ isEjected }) => !isEjected).length - 1;
    const max = Math.max(1, Math.floor(present.length * this.#settings.ejectedMaxRatio));
    if (record.isAway || left < 1 || present.length - left > max) return;
    const { ejectForMs, ejectForMaxMs } = this.#settings;
    const times = record.timesBefore(ejectForMs, nowMs);
    const forMs = Math.round(openDurationMs(times, ejectForMs, ejectForMaxMs, this.#random));
    record.eject(nowMs + forMs, times + 1, reason);
    this.#ejected++;
    this.#onEvent({ kind: 'ejected', endpoint: record.id, cause, forMs, reason });
  }

  #return(record: OutlierRecord, nowMs: number): void {
    record.return(nowMs);
    this.#ejected--;
    this.#onEvent({ kind: 'returned', endpoint: record.id, reason: 'its time is up' });
  }
}

function percent(ratio: number): string {
  return `${Math.round(ratio * 1000) / 10}%`;
}

function round(ms: number): number {
  return ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms);
}
