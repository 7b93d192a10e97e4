/** Token buckets: one, one for each unit, and what time may do to them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RateLimit } from '../../../src/resilience/rate-limit.ts';
import { TokenBucket } from '../../../src/resilience/token-bucket.ts';
import { UnitBuckets } from '../../../src/resilience/unit-buckets.ts';

const TEN = { perSecond: 10, burst: 3 };

describe('a token bucket', () => {
  it('gives its burst at once, and then as many as come in', () => {
    const bucket = new TokenBucket(TEN, 0);
    expect([0, 0, 0, 0].map((at) => bucket.take(at))).toEqual([true, true, true, false]);
    expect([99, 100, 100, 199, 200].map((at) => bucket.take(at))).toEqual([false, true, false, false, true]);
  });

  it('says how long until there is a token', () => {
    const bucket = new TokenBucket(TEN, 0);
    expect(bucket.waitMs(0)).toBe(0);
    for (let i = 0; i < 3; i++) bucket.take(0);
    expect(bucket.waitMs(0)).toBe(100);
    expect(bucket.waitMs(40)).toBeCloseTo(60, 6);
    bucket.take(40);
    expect(bucket.waitMs(100)).toBe(0);
  });

  it('is exactly full after a year of idling', () => {
    const bucket = new TokenBucket(TEN, 0);
    const year = 365 * 86_400_000;
    expect([0, 1, 2, 3].map(() => bucket.take(year))).toEqual([true, true, true, false]);
  });

  it('neither gives nor takes anything when the clock goes back', () => {
    const bucket = new TokenBucket(TEN, 10_000);
    for (let i = 0; i < 3; i++) bucket.take(10_000);
    expect(bucket.take(0)).toBe(false);
    expect(bucket.take(99)).toBe(false);
    // The time from there on counts.
    expect(bucket.take(100)).toBe(true);
  });

  it('never gives more than its burst and what comes in, and never refuses while it must have one', () => {
    fc.assert(
      fc.property(
        fc.record({
          perSecond: fc.double({ min: 0.01, max: 5000, noNaN: true }),
          burst: fc.integer({ min: 1, max: 50 }),
        }),
        fc.array(fc.double({ min: 0, max: 400, noNaN: true }), { minLength: 1, maxLength: 300 }),
        (settings, gaps) => {
          const bucket = new TokenBucket(settings, 0);
          const given: number[] = [];
          let nowMs = 0;
          for (const gap of gaps) {
            nowMs += gap;
            const isSure = bucket.waitMs(nowMs) === 0;
            const isGiven = bucket.take(nowMs);
            expect(isGiven).toBe(isSure);
            if (isGiven) given.push(nowMs);
          }
          for (let from = 0; from < given.length; from++) {
            for (let to = from; to < given.length; to++) {
              const most = settings.burst + ((given[to]! - given[from]!) * settings.perSecond) / 1000;
              expect(to - from + 1).toBeLessThanOrEqual(most + 1e-6);
            }
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('keeps its tokens when its settings change, as far as there is room', () => {
    const bucket = new TokenBucket({ perSecond: 1, burst: 10 }, 0);
    bucket.reconfigure({ perSecond: 1, burst: 2 }, 0);
    expect([0, 0, 0].map((at) => bucket.take(at))).toEqual([true, true, false]);
    bucket.reconfigure({ perSecond: 1, burst: 10 }, 0);
    expect(bucket.take(0)).toBe(false);
  });
});

describe('a token bucket for each unit', () => {
  it('keeps the units apart', () => {
    const buckets = new UnitBuckets(TEN, 1000, 1);
    for (let i = 0; i < 3; i++) expect(buckets.take('a', 0)).toBe(0);
    expect(buckets.take('a', 0)).toBe(100);
    expect(buckets.take('b', 0)).toBe(0);
  });

  it('gives each unit just what a bucket of its own would', () => {
    const step = fc.record({ unit: fc.integer({ min: 0, max: 9 }), gap: fc.integer({ min: 0, max: 60 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), fc.integer(), (steps, seed) => {
        const buckets = new UnitBuckets(TEN, 1000, seed);
        const own = new Map<number, TokenBucket>();
        let nowMs = 0;
        for (const { unit, gap } of steps) {
          nowMs += gap;
          const bucket = own.get(unit) ?? new TokenBucket(TEN, 0);
          own.set(unit, bucket);
          expect(buckets.take(`user-${unit}`, nowMs) === 0).toBe(bucket.take(nowMs));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('never has more places than it may, whoever comes', () => {
    const buckets = new UnitBuckets({ perSecond: 0.001, burst: 2 }, 1024, 7);
    for (let i = 0; i < 50_000; i++) expect(buckets.take(`user-${i}`, i)).toBe(0);
    expect(buckets.capacity).toBe(1024);
  });

  it('remembers who is busy while others come and go, since a full bucket needs no place', () => {
    const buckets = new UnitBuckets({ perSecond: 100, burst: 1 }, 1024, 7);
    let nowMs = 0;
    for (let i = 0; i < 20_000; i++) {
      // Ten units at one time at the most have a bucket that is not full.
      nowMs += 1;
      buckets.take(`passer-by-${i}`, nowMs);
    }
    expect(buckets.capacity).toBe(128);
  });

  it('forgets the fullest bucket when it must forget one', () => {
    // One set of eight places.
    const buckets = new UnitBuckets({ perSecond: 0.001, burst: 10 }, 8, 3);
    for (let i = 0; i < 10; i++) buckets.take('greedy', 0);
    expect(buckets.take('greedy', 0)).toBeGreaterThan(0);
    for (let i = 0; i < 1000; i++) buckets.take(`other-${i}`, 0);
    expect(buckets.take('greedy', 0)).toBeGreaterThan(0);
  });

  it('has no way for an outsider to make units collide: another seed puts them elsewhere', () => {
    const empty = (seed: number) => {
      const buckets = new UnitBuckets({ perSecond: 0.001, burst: 1 }, 16, seed);
      const units = Array.from({ length: 64 }, (_, i) => `user-${i}`);
      for (const unit of units) buckets.take(unit, 0);
      return units.filter((unit) => buckets.take(unit, 0) > 0).join();
    };
    expect(empty(1)).toBe(empty(1));
    expect(empty(1)).not.toBe(empty(2));
  });
});

describe('a rate limit', () => {
  it('has one bucket for those without a unit', () => {
    const limit = new RateLimit('route all', { ...TEN, entriesMax: 100 }, 1, 0);
    for (let i = 0; i < 3; i++) expect(limit.take(null, 0)).toBe(0);
    expect(limit.take(null, 0)).toBe(100);
    expect(limit.take('u-1', 0)).toBe(0);
    expect(limit.limited).toBe(1);
  });

  it('keeps what it knows when a reload changes its numbers, and not its kind', () => {
    const limit = new RateLimit('route all', { ...TEN, entriesMax: 0 }, 1, 0);
    for (let i = 0; i < 3; i++) limit.take(null, 0);
    expect(limit.reconfigure({ perSecond: 100, burst: 3, entriesMax: 0 }, 0)).toBe(true);
    expect(limit.take(null, 0)).toBe(10);
    expect(limit.reconfigure({ ...TEN, entriesMax: 100 }, 0)).toBe(false);
    expect(limit.view()).toEqual({
      name: 'route all',
      perSecond: 100,
      burst: 3,
      isByUnit: false,
      limited: 1,
    });
  });
});
