/**
 * An adaptive limit on a manual clock, in front of a service with a knee: up to its capacity calls take their time, and
 * beyond it they queue. Traffic comes at Poisson instants, from a fixed seed.
 */
import { describe, expect, it } from 'vitest';
import { Limiter } from '../../src/resilience/limiter.ts';
import { seededRandom } from '../support/seeded-random.ts';

const SETTINGS = { kind: 'adaptive', initial: 20, min: 20, max: 200, queue: 4, tolerance: 1.5 } as const;

interface Shown {
  readonly served: number;
  readonly rejected: number;
  /** Mean of what the calls took. */
  readonly meanMs: number;
  readonly limit: number;
  readonly limitMin: number;
  readonly limitMax: number;
}

/** A service of so many places, each of which has a call for `serviceMs`, with a queue without end. */
class World {
  nowMs = 0;
  readonly limiter = new Limiter('upstream app', SETTINGS);
  serviceMs = 10;
  places = 40;
  readonly #random = seededRandom(5);
  /** When each place is free again. */
  #free: number[] = [];
  /** Ends of the calls under way, with when they began. */
  #ends: { atMs: number; tookMs: number }[] = [];

  /** Offered load, for a time; `isFailing`: the service answers errors in a tenth of a millisecond. */
  run(forMs: number, perSecond: number, isFailing = false): Shown {
    const endMs = this.nowMs + forMs;
    let [served, rejected, totalMs] = [0, 0, 0];
    let [limitMin, limitMax] = [Number.POSITIVE_INFINITY, 0];
    while (this.nowMs < endMs) {
      this.nowMs += (-Math.log(1 - this.#random.next()) * 1000) / perSecond;
      this.#finish(isFailing);
      if (this.limiter.acquire()) {
        const tookMs = isFailing ? 0.1 : this.#call();
        totalMs += tookMs;
        served++;
      } else rejected++;
      limitMin = Math.min(limitMin, this.limiter.limit);
      limitMax = Math.max(limitMax, this.limiter.limit);
    }
    const { limit } = this.limiter;
    return { served, rejected, meanMs: totalMs / served, limit, limitMin, limitMax };
  }

  #call(): number {
    const free = this.#free;
    free.length = Math.min(free.length, this.places);
    // The place that is free first, or one that nobody has had.
    const startMs = free.length < this.places ? this.nowMs : Math.max(this.nowMs, free.shift()!);
    // From half to one and a half of the mean.
    const atMs = startMs + this.serviceMs * (0.5 + this.#random.next());
    insert(free, atMs, (end) => end);
    insert(this.#ends, { atMs, tookMs: atMs - this.nowMs }, (end) => end.atMs);
    return atMs - this.nowMs;
  }

  #finish(isFailing: boolean): void {
    while (this.#ends.length > 0 && this.#ends[0]!.atMs <= this.nowMs) {
      const { atMs, tookMs } = this.#ends.shift()!;
      this.limiter.release(tookMs, true, atMs);
    }
    while (isFailing && this.limiter.inFlight > this.#ends.length)
      this.limiter.release(0.1, false, this.nowMs);
  }
}

/** Into an ascending list. */
function insert<T>(list: T[], item: T, key: (item: T) => number): void {
  let at = list.length;
  while (at > 0 && key(list[at - 1]!) > key(item)) at--;
  list.splice(at, 0, item);
}

describe('an adaptive concurrency limit', () => {
  it('turns nobody away at half of what the service can do', () => {
    const world = new World();
    // It has to grow a little first.
    world.run(5000, 2000);
    const shown = world.run(60_000, 2000);
    expect(shown.rejected / (shown.served + shown.rejected)).toBeLessThan(0.001);
    expect(shown.meanMs).toBeLessThan(12);
  });

  it('finds the knee: at twice of what the service can do, it is kept busy and its answers stay quick', () => {
    const world = new World();
    world.run(30_000, 3000);
    const shown = world.run(30_000, 8000);
    const capacity = (30_000 / world.serviceMs) * world.places;
    expect(shown.served / capacity).toBeGreaterThan(0.95);
    // Without a limit the queue would be a minute long at the end.
    expect(shown.meanMs).toBeLessThan(3 * world.serviceMs);
    expect(shown.limitMax).toBeLessThan(120);
  });

  it('sheds within two seconds when the service becomes five times as slow, and recovers with it', () => {
    const world = new World();
    const before = world.run(60_000, 3000);
    world.serviceMs = 50;
    world.run(2000, 3000);
    const slow = world.run(5000, 3000);
    expect(slow.limit).toBeLessThan(before.limit);
    expect(slow.rejected).toBeGreaterThan(0);
    // Forty places of 50 ms: 800 calls a second, and hardly a queue in front of them.
    expect(slow.meanMs).toBeLessThan(2 * world.serviceMs);
    world.serviceMs = 10;
    world.run(10_000, 3000);
    const after = world.run(10_000, 3000);
    expect(after.rejected / after.served).toBeLessThan(0.01);
    expect(after.meanMs).toBeLessThan(15);
  });

  it('stays steady under a steady load', () => {
    const world = new World();
    world.run(60_000, 6000);
    const { limitMin, limitMax } = world.run(60_000, 6000);
    expect(limitMax - limitMin).toBeLessThan(40);
  });

  it('is not led upwards by a storm of quick errors', () => {
    const world = new World();
    const before = world.run(30_000, 3000);
    const storm = world.run(30_000, 3000, true);
    expect(storm.limit).toBe(before.limit);
    const after = world.run(10_000, 3000);
    expect(after.rejected / after.served).toBeLessThan(0.01);
  });

  it('does not grow without need: quick answers to few calls say nothing of many', () => {
    const world = new World();
    const { limitMax } = world.run(120_000, 200);
    expect(limitMax).toBeLessThan(30);
  });
});
