/** How far long work has come. */
import { describe, expect, it } from 'vitest';
import { Progress } from '../../../src/cli/progress.ts';

function bench(isTerminal: boolean, total: number | null) {
  const said: string[] = [];
  const clock = { nowMs: 0, now: () => clock.nowMs };
  const progress = new Progress({ err: (text) => said.push(text), isTerminal }, 'units', total, clock);
  return { said, clock, progress };
}

describe('progress', () => {
  it('is drawn over at most ten times a second, after the first second, and is gone in the end', () => {
    const { said, clock, progress } = bench(true, 10_000);
    for (; clock.nowMs < 1_500; clock.nowMs += 10) progress.reached(clock.nowMs * 4);
    expect(said).toHaveLength(5);
    expect(said[0]).toBe('\r\u001b[Kunits: 4,000 of 10,000 (40%)');
    progress.end();
    expect(said.at(-1)).toBe('\r\u001b[K');
  });

  it('counts without an end where nobody knows it', () => {
    const { said, clock, progress } = bench(true, null);
    clock.nowMs = 1_000;
    progress.reached(12_345);
    expect(said).toEqual(['\r\u001b[Kunits: 12,345']);
  });

  it('says nothing of short work, nor where there is no terminal', () => {
    const short = bench(true, 10);
    short.progress.reached(5);
    short.progress.end();
    expect(short.said).toEqual([]);
    const piped = bench(false, 10);
    piped.clock.nowMs = 5_000;
    piped.progress.reached(5);
    piped.progress.end();
    expect(piped.said).toEqual([]);
  });
});
