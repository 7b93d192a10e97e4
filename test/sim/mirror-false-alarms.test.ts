/**
 * A candidate that is the same as control, looked at after every request: how often its answers are said to differ. Both are
 * compared with one answer of control, so their noise goes together, and what is noise is learned on the way.
 */
import { describe, expect, test } from 'vitest';
import { judgeDiffs } from '../../src/analysis/diff/diff-report.ts';
import { addTo, answerOf, recordOf } from '../support/diffs.ts';
import { seededRandom } from '../support/seeded-random.ts';

const RUNS = 60;
const REQUESTS = 700;
const LOOK_EVERY = 20;
/** 5 % of the runs, and three standard errors of that. */
const BY_CHANCE_MAX = Math.ceil(RUNS * 0.05 + 3 * Math.sqrt(RUNS * 0.05 * 0.95));

/** How many of the runs were a regression at any look. `noise`: how often an answer is another. */
function alarms(seed: number, noise: number, broken = 0): number {
  const random = seededRandom(seed);
  const answer = (rate: number) => answerOf({ v: random.next() < rate ? random.next() : 0, w: 1 });
  let count = 0;
  for (let run = 0; run < RUNS; run++) {
    const record = recordOf();
    for (let n = 1; n <= REQUESTS; n++) {
      addTo(record, { control: answer(noise), again: answer(noise), candidate: answer(noise + broken) });
      if (n % LOOK_EVERY !== 0 || judgeDiffs(record.counts).kind !== 'regression') continue;
      count++;
      break;
    }
  }
  return count;
}

describe('a candidate that is the same', { timeout: 60_000 }, () => {
  test.each([
    [1, 0.002],
    [2, 0.009],
    [3, 0.2],
    [4, 0.9],
  ])(
    'is said to differ in one of twenty runs at most (seed %i, %f of the answers are noise)',
    (seed, noise) => {
      expect(alarms(seed, noise)).toBeLessThanOrEqual(BY_CHANCE_MAX);
    },
  );

  test('and one that differs in 5 % of its answers is found in nearly all of them', () => {
    expect(alarms(5, 0.004, 0.05)).toBeGreaterThan(0.8 * RUNS);
  });
});
