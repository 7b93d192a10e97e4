/** Rollouts of services whose error rates are known, many times over: how often chance decides, and how soon a fault does. */
import { describe, expect, test } from 'vitest';
import { advance } from '../../src/analysis/rollout/rollout.ts';
import { isOver, type RolloutState } from '../../src/analysis/rollout/rollout-state.ts';
import { begun, counted, planOf, stepTo, tick } from '../support/rollout.ts';
import { seededRandom } from '../support/seeded-random.ts';

const RUNS = 80;
/** Requests a second, to both. */
const REQUESTS = 1_000;
const SECONDS_MAX = 200;
/** 5 % of the runs, and three standard errors of that. */
const BY_CHANCE_MAX = Math.ceil(RUNS * 0.05 + 3 * Math.sqrt(RUNS * 0.05 * 0.95));
const PLAN = planOf([stepTo(10), stepTo(50)]);

interface Ended {
  readonly phase: RolloutState['phase'];
  readonly seconds: number;
}

function rollOut(
  random: ReturnType<typeof seededRandom>,
  rates: { control: number; candidate: number },
): Ended {
  let state = begun(PLAN);
  let seconds = 0;
  while (!isOver(state) && seconds < SECONDS_MAX) {
    seconds++;
    const candidates = (REQUESTS * state.sharePpm) / 1_000_000;
    const errors = (requests: number, rate: number): number => {
      let count = 0;
      for (let i = 0; i < requests; i++) if (random.next() < rate) count++;
      return count;
    };
    const rest = REQUESTS - candidates;
    const counts = counted(
      [rest, errors(rest, rates.control)],
      [candidates, errors(candidates, rates.candidate)],
    );
    ({ state } = advance(PLAN, state, tick(state, { counts, wallMs: seconds * 1_000 })));
  }
  return { phase: state.phase, seconds };
}

function many(seed: number, rates: { control: number; candidate: number }) {
  const random = seededRandom(seed);
  const runs = Array.from({ length: RUNS }, () => rollOut(random, rates));
  const seconds = runs.map((run) => run.seconds).sort((a, b) => a - b);
  return {
    promoted: runs.filter(({ phase }) => phase === 'promoted').length,
    rolledBack: runs.filter(({ phase }) => phase === 'rolled-back').length,
    median: seconds[RUNS / 2]!,
  };
}

describe('a rollout by chance', { timeout: 120_000 }, () => {
  test('goes to everybody when the candidate is as good, and is hardly ever taken back', () => {
    const { promoted, rolledBack } = many(11, { control: 0.02, candidate: 0.02 });
    expect(rolledBack).toBeLessThanOrEqual(BY_CHANCE_MAX);
    expect(promoted).toBeGreaterThan(0.9 * RUNS);
  });

  test('hardly ever gets through or back with a candidate that is worse by exactly the margin', () => {
    const { promoted, rolledBack } = many(12, { control: 0.02, candidate: 0.03 });
    expect(promoted).toBeLessThanOrEqual(BY_CHANCE_MAX);
    expect(rolledBack).toBeLessThanOrEqual(BY_CHANCE_MAX);
  });

  test('is taken back within seconds when the candidate fails a tenth at 100 requests a second', () => {
    const { rolledBack, median } = many(13, { control: 0.01, candidate: 0.1 });
    expect(rolledBack).toBe(RUNS);
    expect(median).toBeLessThanOrEqual(6);
  });
});
