/**
 * Two attempts at one request: when the first is late, a second goes to another endpoint, and the first byte of an
 * answer decides between them; the loser is cut. Stands between the attempt and its user, who knows of one attempt
 * only. For requests that change nothing and have no body. A second attempt that fails, or is not to be had, is as if
 * there had been none; when the first one fails, the second is the attempt.
 */
import type { ErrorCode } from '../base/error.ts';
import type { HedgeCounters } from '../telemetry/recovery-metrics.ts';
import type { UpstreamUser } from './upstream.ts';

/** When a route sends a second attempt. */
export interface HedgeRule {
  /** The first is late when it has not begun to be answered after this. */
  readonly afterMs: number;
  readonly counters: HedgeCounters;
}

/** What a hedge asks of the attempt that it belongs to. */
export interface Hedged {
  /** Begin a second attempt elsewhere for `user`. False: there is none to be had. */
  startSecond(user: UpstreamUser): boolean;
  /** The second is connected: send it the request. */
  sendSecond(): void;
  /** The second, which `isSent`, is the attempt from now on; the first is cut, or has failed with `code`. */
  takeSecond(isSent: boolean, code: ErrorCode | null): void;
  cutSecond(): void;
}

/** `first`: there is no second, or none any more. `both`: nothing is decided. `second`: it is the attempt. */
type State = 'first' | 'both' | 'second';

export class Hedge implements UpstreamUser {
  readonly #hedged: Hedged;
  readonly #user: UpstreamUser;
  readonly #counters: HedgeCounters;
  readonly #timer: NodeJS.Timeout;
  #state: State = 'first';
  #isSecondSent = false;
  #isOver = false;

  /** `user`: whose attempt it is. */
  constructor(hedged: Hedged, user: UpstreamUser, { afterMs, counters }: HedgeRule) {
    this.#hedged = hedged;
    this.#user = user;
    this.#counters = counters;
    this.#timer = setTimeout(begin, afterMs, this);
  }

  /** The first is late. */
  begin(): void {
    this.#state = 'both';
    if (this.#hedged.startSecond(new Second(this, this.#user))) this.#counters.sent.value++;
    else this.#state = 'first';
  }

  /** The attempt is over. */
  end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    if (this.#state === 'both') this.#hedged.cutSecond();
    this.#state = 'first';
  }

  // The first attempt.

  upstreamConnected(): void {
    this.#user.upstreamConnected();
  }

  upstreamDrained(): void {
    this.#user.upstreamDrained();
  }

  upstreamData(bytes: Buffer, length: number): void {
    if (!this.#isOver) this.end();
    this.#user.upstreamData(bytes, length);
  }

  upstreamEnded(): void {
    if (this.#state === 'both') return this.#takeSecond('upstream_reset');
    this.end();
    this.#user.upstreamEnded();
  }

  upstreamFailed(code: ErrorCode, cause: unknown): void {
    if (this.#state === 'both') return this.#takeSecond(code);
    this.end();
    this.#user.upstreamFailed(code, cause);
  }

  // The second.

  /** It is connected, or was when it began. */
  secondConnected(): void {
    this.#isSecondSent = true;
    this.#hedged.sendSecond();
    // Who waited for the first to connect waits for an answer now.
    if (this.#state === 'second') this.#user.upstreamConnected();
  }

  /** It has begun to answer. Nothing is said of it before. */
  secondAnswers(): void {
    if (this.#state !== 'both') return;
    this.#counters.won.value++;
    this.#takeSecond(null);
  }

  /** It has come to nothing. False: that is the end of the attempt. */
  isSecondGone(): boolean {
    if (this.#state === 'second') return false;
    this.#state = 'first';
    this.#hedged.cutSecond();
    return true;
  }

  #takeSecond(code: ErrorCode | null): void {
    this.#state = 'second';
    this.#hedged.takeSecond(this.#isSecondSent, code);
    if (this.#isSecondSent) this.#user.upstreamConnected();
  }
}

class Second implements UpstreamUser {
  readonly #hedge: Hedge;
  readonly #user: UpstreamUser;

  constructor(hedge: Hedge, user: UpstreamUser) {
    this.#hedge = hedge;
    this.#user = user;
  }

  upstreamConnected(): void {
    this.#hedge.secondConnected();
  }

  upstreamDrained(): void {
    this.#user.upstreamDrained();
  }

  upstreamData(bytes: Buffer, length: number): void {
    this.#hedge.secondAnswers();
    this.#user.upstreamData(bytes, length);
  }

  upstreamEnded(): void {
    if (!this.#hedge.isSecondGone()) this.#user.upstreamEnded();
  }

  upstreamFailed(code: ErrorCode, cause: unknown): void {
    if (!this.#hedge.isSecondGone()) this.#user.upstreamFailed(code, cause);
  }
}

function begin(hedge: Hedge): void {
  hedge.begin();
}
