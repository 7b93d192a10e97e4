/** What is known of one endpoint for telling whether it is an outlier. Told the time; 1.2 KB, whatever it counts. */
import { Window } from '../base/window.ts';

const REQUESTS = 0;
const FAILURES = 1;
/** Answers that were timed, and the sum of the logarithms of their times, see `LOG_UNIT`. */
const TIMED = 2;
const LOG_TIMES = 3;
const COLUMNS = 4;

/**
 * Times are kept as whole hundredths of ln(1 + ms): their mean is a typical time that one answer of half a minute
 * does not move much, and 1 % is exact enough. A window holds the sum of 3 million answers of a minute each.
 */
const LOG_UNIT = 100;

export class OutlierRecord {
  readonly id: string;
  isEjected = false;
  /** When its time is up. */
  untilMs = 0;
  /** Why it is aside, or was the last time; '' before. */
  reason = '';
  failuresInARow = 0;
  /** Not to be judged before. */
  sparedUntilMs = 0;
  /** Not to be used for another reason: unhealthy or draining. */
  isAway = false;
  #window: Window;
  /** How often it was put aside lately. */
  #times = 0;
  #returnedMs = 0;

  constructor(id: string, windowMs: number) {
    this.id = id;
    this.#window = new Window(windowMs, COLUMNS);
  }

  resize(windowMs: number): void {
    if (windowMs !== this.#window.windowMs) this.#window = this.#window.resized(windowMs);
  }

  /** `tookMs` below 0: how long it took says nothing. */
  succeeded(tookMs: number, nowMs: number): void {
    this.failuresInARow = 0;
    this.#window.add(nowMs, REQUESTS);
    if (tookMs >= 0) this.took(tookMs, nowMs);
  }

  /** An answer took this long, or would have taken longer: whether it was good is not known. */
  took(tookMs: number, nowMs: number): void {
    this.#window.add(nowMs, TIMED);
    this.#window.addMany(nowMs, LOG_TIMES, Math.round(LOG_UNIT * Math.log1p(tookMs)));
  }

  failed(nowMs: number): void {
    this.failuresInARow++;
    this.#window.add(nowMs, REQUESTS);
    this.#window.add(nowMs, FAILURES);
  }

  /** After it, the counts are exact for `nowMs`. */
  advance(nowMs: number): void {
    this.#window.advance(nowMs);
  }

  /** Answers in the window, failures among them. */
  get requests(): number {
    return this.#window.total(REQUESTS);
  }

  get failures(): number {
    return this.#window.total(FAILURES);
  }

  get timed(): number {
    return this.#window.total(TIMED);
  }

  /** The geometric mean of the times of answers in the window, ms; 0 without one. */
  get typicalMs(): number {
    const { timed } = this;
    return timed === 0 ? 0 : Math.expm1(this.#window.total(LOG_TIMES) / LOG_UNIT / timed);
  }

  /** How often it was put aside before: one time is forgotten for every `ejectForMs` that it has been back. */
  timesBefore(ejectForMs: number, nowMs: number): number {
    return Math.max(0, this.#times - Math.floor((nowMs - this.#returnedMs) / ejectForMs));
  }

  eject(untilMs: number, times: number, reason: string): void {
    this.isEjected = true;
    this.untilMs = untilMs;
    this.reason = reason;
    this.#times = times;
  }

  /** Back, and what it did before is forgotten. */
  return(nowMs: number): void {
    this.isEjected = false;
    this.failuresInARow = 0;
    this.#window.clear();
    this.#returnedMs = nowMs;
  }
}
