/** Concurrency limits: never negative, never above the limit, each call released once. Simulations are in test/sim. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ConcurrencySettings, Limiter } from '../../../src/resilience/limiter.ts';

const ADAPTIVE: ConcurrencySettings = {
  kind: 'adaptive',
  initial: 20,
  min: 20,
  max: 200,
  queue: 4,
  tolerance: 1.5,
};

describe('a concurrency limit', () => {
  it('lets in as many as it says, and the next when one has left', () => {
    const limiter = new Limiter('upstream app', { kind: 'fixed', max: 2 });
    expect([limiter.acquire(), limiter.acquire(), limiter.acquire()]).toEqual([true, true, false]);
    expect([limiter.inFlight, limiter.rejected, limiter.hasRoom]).toEqual([2, 1, false]);
    limiter.release(5, true, 0);
    expect([limiter.hasRoom, limiter.acquire()]).toEqual([true, true]);
  });

  it('is told of each call once: a release without a call is a mistake and says so', () => {
    const limiter = new Limiter('upstream app', { kind: 'fixed', max: 2 });
    limiter.acquire();
    limiter.release(-1, false, 0);
    expect(() => limiter.release(-1, false, 0)).toThrow('The limiter upstream app has no call in flight');
  });

  it('has from 0 to its limit in flight, whatever happens in whatever order', () => {
    const step = fc.record({
      isLeaving: fc.boolean(),
      tookMs: fc.double({ min: -1, max: 5000, noNaN: true }),
      isGood: fc.boolean(),
      gapMs: fc.double({ min: 0, max: 500, noNaN: true }),
    });
    const settings = fc.constantFrom<ConcurrencySettings>({ kind: 'fixed', max: 3 }, ADAPTIVE);
    fc.assert(
      fc.property(settings, fc.array(step, { maxLength: 500 }), (of, steps) => {
        const limiter = new Limiter('x', of);
        let nowMs = 0;
        let held = 0;
        for (const { isLeaving, tookMs, isGood, gapMs } of steps) {
          nowMs += gapMs;
          if (isLeaving && held > 0) {
            limiter.release(tookMs, isGood, nowMs);
            held--;
          } else {
            const hadRoom = limiter.hasRoom;
            const isIn = limiter.acquire();
            expect(isIn).toBe(hadRoom);
            if (isIn) held++;
          }
          expect(limiter.inFlight).toBe(held);
          const [least, most] = of.kind === 'fixed' ? [of.max, of.max] : [of.min, of.max];
          expect(limiter.limit).toBeGreaterThanOrEqual(least);
          expect(limiter.limit).toBeLessThanOrEqual(most);
          expect(Number.isInteger(limiter.limit)).toBe(true);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('keeps its calls when a reload lowers it below them, and lets nobody in until they are fewer', () => {
    const limiter = new Limiter('x', { kind: 'fixed', max: 3 });
    for (let i = 0; i < 3; i++) limiter.acquire();
    limiter.reconfigure({ kind: 'fixed', max: 1 });
    limiter.release(1, true, 0);
    limiter.release(1, true, 0);
    expect([limiter.inFlight, limiter.acquire()]).toEqual([1, false]);
    limiter.release(1, true, 0);
    expect(limiter.acquire()).toBe(true);
  });

  it('keeps what it learnt when a reload changes its numbers', () => {
    const limiter = new Limiter('x', ADAPTIVE);
    busy(limiter, 0, 3000);
    const learnt = limiter.limit;
    expect(learnt).toBeGreaterThan(25);
    limiter.reconfigure({ ...ADAPTIVE, queue: 5 });
    expect(limiter.limit).toBe(learnt);
    limiter.reconfigure({ ...ADAPTIVE, max: 22 });
    expect(limiter.limit).toBe(22);
  });

  it('takes no quick failure for a quick answer', () => {
    const limiter = new Limiter('x', ADAPTIVE);
    busy(limiter, 0, 3000);
    const { usualMs } = limiter.view();
    while (limiter.acquire());
    for (let i = 0; i < 20; i++) limiter.release(0.1, false, 3000 + i * 10);
    expect(limiter.view().usualMs).toBe(usualMs);
  });

  it('learns nothing from calls that say nothing', () => {
    const limiter = new Limiter('x', ADAPTIVE);
    for (let i = 0; i < 100; i++) {
      limiter.acquire();
      limiter.release(-1, true, i * 50);
    }
    expect([limiter.limit, limiter.view().usualMs]).toEqual([20, null]);
  });
});

/** As many calls as there may be, each of 10 ms, from one time to another. */
function busy(limiter: Limiter, fromMs: number, toMs: number): void {
  for (let nowMs = fromMs; nowMs < toMs; nowMs += 10) {
    while (limiter.hasRoom) limiter.acquire();
    while (limiter.inFlight > 0) limiter.release(10, true, nowMs);
  }
}
