import { afterEach, expect, test } from 'vitest';
import { type ExposureLoss, LossWatch, type StageTotals } from '../../../../src/telemetry/pipeline/loss.ts';

let watch: LossWatch;
afterEach(() => watch.close());

function newWatch() {
  let nowMs = 0;
  let totals: StageTotals[] = [];
  const changes: boolean[] = [];
  watch = new LossWatch({
    clock: { now: () => nowMs, wallMs: () => nowMs },
    limitPpm: 10_000,
    read: () => totals,
    onChange: ({ isWithinLimit }) => changes.push(isWithinLimit),
  });
  const look = (atMs: number, ...stages: [kept: number, lost: number][]): ExposureLoss => {
    nowMs = atMs;
    totals = stages.map(([kept, lost], index) => ({ stage: String(index), kept, lost }));
    return watch.look();
  };
  return { look, changes };
}

test('nothing is lost where nothing was recorded', () => {
  const { look } = newWatch();
  expect(look(0, [0, 0])).toEqual({ ratio: 0, limit: 0.01, isWithinLimit: true });
});

test('what counts is the sink that got least, and what was lost before all of them', () => {
  const { look } = newWatch();
  expect(look(1, [90, 10], [90, 0], [45, 45]).ratio).toBeCloseTo(1 - 0.9 * 0.5, 10);
});

test('a loss above the limit is told when it begins, and when the hour is over', () => {
  const { look, changes } = newWatch();
  expect(look(0, [1000, 0]).isWithinLimit).toBe(true);
  expect(look(1000, [1980, 20]).isWithinLimit).toBe(true);
  expect(look(2000, [1980, 60]).isWithinLimit).toBe(false);
  expect(look(30 * 60_000, [3000, 60]).isWithinLimit).toBe(false);
  expect(look(75 * 60_000, [9000, 60])).toMatchObject({ ratio: 0, isWithinLimit: true });
  expect(changes).toEqual([false, true]);
});
