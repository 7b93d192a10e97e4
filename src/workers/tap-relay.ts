/**
 * Taps where the traffic is carried by workers: the primary tells all of them who watches what, and what they have seen
 * comes back. Each keeps to the rate by itself, and what all of them show together keeps to it here.
 */
import type { Clock } from '../base/clock.ts';
import { TokenBucket } from '../resilience/token-bucket.ts';
import type { OpenTap, TakeRecord, TapQuery } from '../telemetry/tap.ts';
import type { Tapped, ToWorker } from './messages.ts';

interface Tap {
  readonly query: TapQuery;
  readonly take: TakeRecord;
  readonly bucket: TokenBucket;
  dropped: number;
}

export class TapRelay {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #tell: (message: ToWorker) => void;
  readonly #open = new Map<number, Tap>();
  #nextId = 1;

  /** @param tell says it to every worker */
  constructor(clock: Pick<Clock, 'now'>, tell: (message: ToWorker) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** What a worker is to know; null: nobody watches. */
  get message(): ToWorker | null {
    return this.#open.size === 0 ? null : this.#message();
  }

  /** From now on `take` is given the requests that are asked for; it must not throw. */
  open(query: TapQuery, take: TakeRecord): OpenTap {
    const id = this.#nextId++;
    const bucket = new TokenBucket({ perSecond: query.rate, burst: query.rate }, this.#clock.now());
    const tap: Tap = { query, take, bucket, dropped: 0 };
    this.#open.set(id, tap);
    this.#tell(this.#message());
    return {
      takeDropped: () => {
        const { dropped } = tap;
        tap.dropped = 0;
        return dropped;
      },
      close: () => {
        if (this.#open.delete(id)) this.#tell(this.#message());
      },
    };
  }

  /** What one of the workers has seen. */
  received(all: readonly Tapped[]): void {
    const nowMs = this.#clock.now();
    for (const { id, records, dropped } of all) {
      const tap = this.#open.get(id);
      if (tap === undefined) continue;
      tap.dropped += dropped;
      for (const record of records) {
        if (tap.bucket.take(nowMs)) tap.take(record);
        else tap.dropped++;
      }
    }
  }

  #message(): ToWorker {
    return { kind: 'taps', taps: Array.from(this.#open, ([id, { query }]) => ({ id, query })) };
  }
}
