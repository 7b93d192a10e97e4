import { beforeEach, describe, expect, it } from 'vitest';
import { Deadlines, TICK_MS, type Timed } from '../../../src/proxy/deadlines.ts';

let nowMs = 0;
let deadlines: Deadlines;
let called: number[];

function timed(deadlineMs: number): Timed {
  const one: Timed = { deadlineMs, timedIndex: -1, onDeadline: (at) => void called.push(at) };
  deadlines.add(one);
  return one;
}

function sweepAfter(ms: number): void {
  nowMs += ms;
  deadlines.sweep();
}

beforeEach(() => {
  nowMs = 1000;
  called = [];
  deadlines = new Deadlines({ now: () => nowMs, wallMs: () => 0 });
});

describe('Deadlines', () => {
  it('calls whoever is past its deadline, once', () => {
    timed(1000 + 2 * TICK_MS);
    sweepAfter(TICK_MS);
    expect(called).toEqual([]);
    sweepAfter(TICK_MS);
    sweepAfter(TICK_MS);
    expect(called).toEqual([1000 + 2 * TICK_MS]);
  });

  it('lets go of whoever is removed, and calls the others all the same', () => {
    const [, second] = [timed(1001), timed(1001), timed(1001)];
    deadlines.remove(second!);
    deadlines.remove(second!);
    sweepAfter(TICK_MS);
    expect(called).toHaveLength(2);
  });
});
