/**
 * What the request path counts into: plain fields and a row of numbers per label set, resolved once and kept by
 * the caller. Reading them out is `exposition.ts`'s work, at scrape time. Never allocates after the first request.
 */
import { DURATION_BUCKETS, Histogram } from './histogram.ts';
import { NO_NUMBERS, NOWHERE, takeRow } from './shared-numbers.ts';

/** What became of a request, as `resilience/outcome.ts` judged it. */
export type Outcome = 'ok' | 'failure' | 'slow' | 'ignored';

/** In the order of the cells of a `RequestSeries`. */
export const OUTCOMES: readonly Outcome[] = ['ok', 'failure', 'slow', 'ignored'];

/** `none`: no response was sent, since the client went away first. */
export const CODE_CLASSES: readonly string[] = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'];

/** A counter of one label set: `counter.value++`. */
export class Counter {
  value = 0;
}

/** Counts that belong to the process and not to a label set; hot paths add to them directly. */
export class ProcessCounters {
  readonly exposuresWritten = new Counter();
  readonly exposuresDeduplicated = new Counter();
  readonly exposuresDropped = new Counter();
  readonly accessLogLines = new Counter();
  readonly accessLogDropped = new Counter();
  readonly logDropped = new Counter();
  readonly decisionsWritten = new Counter();
  readonly decisionsDropped = new Counter();
  readonly connectionsRefused = new Counter();
  readonly spansSent = new Counter();
  readonly spansDropped = new Counter();
}

/** The counts of one (direction, route, experiment, variant). */
export class RequestSeries {
  /** Requests begun and not settled; the exchange adds and subtracts. */
  inFlight = 0;
  /** From `#at` on requests by code class and outcome: cell `class * 4 + outcome`. */
  #numbers = NO_NUMBERS;
  #at = NOWHERE;
  readonly duration = new Histogram(DURATION_BUCKETS);
  /** Shared by all series of one (direction, route). */
  readonly overhead: Histogram;

  constructor(overhead: Histogram) {
    this.overhead = overhead;
  }

  /**
   * Counts one settled request. HOT: no allocation, no lookup.
   * @param status what was sent to the client; 0 when nothing was
   * @param overheadMs the sidecar's own share; negative leaves it out. A request in several experiments is
   *   recorded in one series each, and gives its overhead to the first only.
   */
  record(status: number, outcome: Outcome, durationMs: number, overheadMs: number): void {
    if (this.#at === NOWHERE) this.#settle();
    this.#numbers[this.#at + codeClassOf(status) * 4 + outcomeIndex(outcome)]! += 1;
    this.duration.record(durationMs);
    if (overheadMs >= 0) this.overhead.record(overheadMs);
  }

  /** Settled requests, by their places in `CODE_CLASSES` and `OUTCOMES`. */
  requests(codeClass: number, outcome: number): number {
    return this.#at === NOWHERE ? 0 : this.#numbers[this.#at + codeClass * OUTCOMES.length + outcome]!;
  }

  #settle(): void {
    const { numbers, at } = takeRow(CODE_CLASSES.length * OUTCOMES.length);
    this.#numbers = numbers;
    this.#at = at;
  }
}

/** Index into CODE_CLASSES; comparisons, since a division costs more than all of them. */
function codeClassOf(status: number): number {
  if (status < 300) return status >= 200 ? 2 : status >= 100 ? 1 : 0;
  if (status < 500) return status >= 400 ? 4 : 3;
  return status < 600 ? 5 : 0;
}

function outcomeIndex(outcome: Outcome): number {
  switch (outcome) {
    case 'ok':
      return 0;
    case 'failure':
      return 1;
    case 'slow':
      return 2;
    default:
      return 3;
  }
}
