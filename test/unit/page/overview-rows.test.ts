import { describe, expect, test } from 'vitest';
import type { Experiment } from '../../../page/data/types.ts';
import { rowOf, type SortKey, sortRows } from '../../../page/views/overview-rows.ts';
import { newWorld, statsOf } from '../../page/support/world.ts';

const world = newWorld();
const stats = statsOf(world, 0) as { experiments: { name: string; variants: never[] }[] };
const experiments = world.experiments as unknown as Experiment[];
const rows = experiments.map((experiment, index) =>
  rowOf(experiment, {
    stats: index === 3 ? null : stats.experiments[index]!.variants,
    rollout: (world.rollouts.find((one) => one.experiment === experiment.name) ?? null) as never,
    verdict: (world.results[experiment.name] ?? null) as never,
  }),
);
const names = (key: SortKey, isDown = false) =>
  sortRows(rows, { key, isDown }).map((row) => row.experiment.name);

describe('a row of the overview', () => {
  test('has what is wanted and what was seen of each variant, the fallback in the first colour', () => {
    const [control, candidate] = rows[0]!.parts;
    expect(control).toMatchObject({ name: 'control', wanted: 0.8, index: 0 });
    expect(candidate).toMatchObject({ name: 'candidate', wanted: 0.2, index: 1 });
    expect(candidate!.seen).toBeCloseTo(0.2, 6);
  });

  test('is as bad as the worst of its state, breaker, rollout and verdict', () => {
    expect(rows.map((row) => [row.experiment.name, row.health])).toEqual([
      ['ranking', 'ok'],
      ['checkout', 'bad'],
      ['recommendations', 'ok'],
      ['pricing-cache', 'warn'],
      ['image-resize', 'bad'],
      ['signup-form', 'warn'],
    ]);
  });

  test('is found by name, owner, route and upstream', () => {
    expect(rows[0]!.text).toBe('ranking search-team api ranking-v2');
  });
});

describe('the order of the overview', () => {
  test('begins with what needs somebody, then goes by name', () => {
    expect(names('health')).toEqual([
      'checkout',
      'image-resize',
      'pricing-cache',
      'signup-form',
      'ranking',
      'recommendations',
    ]);
  });

  test('has what is not known last, up and down', () => {
    expect([names('traffic').at(-1), names('traffic', true).at(-1)]).toEqual([
      'pricing-cache',
      'pricing-cache',
    ]);
    expect(names('traffic', true).slice(0, -1)).toEqual(names('traffic').slice(0, -1).toReversed());
  });
});
