/** How much is shed, from how late the event loop is and how much memory is in use. */
import { describe, expect, it } from 'vitest';
import { LoadSignal } from '../../../src/resilience/load-signal.ts';

const TICK_MS = 50;
const SETTINGS = { delayMs: 100, memoryBytes: null, memoryRatio: 0.9, heapRatio: 0.9 };

class Run {
  nowMs = 0;
  readonly signal = new LoadSignal(SETTINGS);

  /** Ticks for a time, `lateMs` late each. */
  go(forMs: number, lateMs: number, memory = 0): this {
    for (let passed = 0; passed < forMs; passed += TICK_MS) {
      this.nowMs += TICK_MS;
      this.signal.tick(lateMs, memory, this.nowMs);
    }
    return this;
  }
}

describe('the pressure', () => {
  it('is none while the event loop is on time', () => {
    const { signal } = new Run().go(60_000, 60);
    expect([signal.level, signal.share(false), signal.reason]).toEqual([0, 0, '']);
  });

  it('is not moved by a single stall of three times the limit', () => {
    const { signal } = new Run().go(1000, 1).go(50, 300).go(1000, 1);
    expect(signal.pressure).toBe(0);
  });

  it('goes through the levels one by one, at first gives up what is least, and last what is protected', () => {
    const run = new Run();
    const seen = new Set<number>();
    const shares: number[] = [];
    while (run.signal.pressure < 5) {
      run.go(TICK_MS, 120);
      seen.add(run.signal.level);
      if (run.signal.level === 4) shares.push(run.signal.share(false));
      if (run.signal.level <= 4) expect(run.signal.share(true)).toBe(0);
      if (run.signal.level <= 3) expect(run.signal.share(false)).toBe(0);
    }
    expect([...seen].filter((level) => level > 0)).toEqual([1, 2, 3, 4, 5]);
    // More and more of the ordinary ones.
    expect(shares.length).toBeGreaterThan(3);
    expect(shares).toEqual([...shares].sort((left, right) => left - right));
    expect([run.signal.share(false), run.signal.share(true)]).toEqual([1, 1]);
  });

  it('rises faster the later the event loop is', () => {
    const ms = (lateMs: number) => {
      const run = new Run();
      while (run.signal.level < 4) run.go(TICK_MS, lateMs);
      return run.nowMs;
    };
    expect(ms(110)).toBeGreaterThan(1000);
    expect(ms(1000)).toBeLessThan(700);
  });

  it('stays where it is between the limit and four fifths of it, and falls below', () => {
    const run = new Run().go(2000, 150);
    const high = run.signal.pressure;
    run.go(1000, 90);
    const held = run.signal.pressure;
    run.go(5000, 90);
    expect([high > 1, run.signal.pressure]).toEqual([true, held]);
    run.go(500, 20);
    expect(run.signal.pressure).toBeLessThan(held);
    run.go(20_000, 20);
    expect([run.signal.pressure, run.signal.level]).toEqual([0, 0]);
  });

  it('stays while the event loop catches up: what is shed is enough', () => {
    const run = new Run().go(2000, 1000);
    const { pressure } = run.signal;
    for (let lateMs = 1000; run.signal.delayMs > 120; lateMs *= 0.9) run.go(TICK_MS, lateMs);
    expect(run.signal.pressure).toBe(pressure);
  });

  it('says which signal it is, with the number and the limit', () => {
    expect(new Run().go(1000, 132).signal.reason).toMatch(/^the event loop is 1[23]\dms late > 100ms$/);
    expect(new Run().go(1000, 0, 1.04).signal.reason).toBe('memory is at 104% of its limit');
  });

  it('never lets memory alone turn everything away, since without traffic nothing is collected', () => {
    const { signal } = new Run().go(600_000, 0, 3);
    expect([signal.level, signal.share(true)]).toEqual([4, 0]);
    expect(signal.share(false)).toBeCloseTo(0.9, 6);
  });

  it('does not fall while memory is at its limit, and does once it is 5 % below', () => {
    const run = new Run().go(5000, 0, 1.1);
    const high = run.signal.pressure;
    expect(run.go(5000, 0, 0.97).signal.pressure).toBe(high);
    expect(run.go(10_000, 0, 0.9).signal.pressure).toBe(0);
  });

  it('takes a process that was stopped for a minute for one that was late once', () => {
    const run = new Run().go(1000, 0);
    run.nowMs += 60_000;
    run.signal.tick(60_000, 0, run.nowMs);
    expect(run.signal.pressure).toBeLessThanOrEqual(2);
  });

  it('loses nothing and gains nothing when the clock goes back', () => {
    const run = new Run().go(2000, 150);
    const { pressure } = run.signal;
    run.nowMs -= 1000;
    run.signal.tick(150, 0, run.nowMs);
    expect(run.signal.pressure).toBe(pressure);
  });

  it('falls when a reload takes the limit away', () => {
    const run = new Run().go(2000, 150);
    run.signal.reconfigure({ delayMs: null, memoryBytes: null, memoryRatio: null, heapRatio: null });
    expect(run.go(20_000, 150).signal.level).toBe(0);
  });
});
