import { expect, test } from 'vitest';
import { assign } from '../../../src/experiment/assign.ts';
import type { Assignment, Experiment } from '../../../src/experiment/model.ts';
import { evaluationOrder } from '../../../src/experiment/prerequisite.ts';
import { experimentOf, givenOf, requestOf } from '../../support/experiment.ts';

const everyone = { control: 0, candidate: 1_000_000 };
const named = (name: string, ...requires: string[]): Experiment =>
  experimentOf(everyone, {
    name,
    salt: name,
    requires: requires.map((experiment) => ({ experiment, variants: ['candidate'] })),
  });
const mapOf = (...all: Experiment[]) => new Map(all.map((experiment) => [experiment.name, experiment]));
const request = requestOf({ headers: { 'x-user-id': 'alice' } });

function decide(order: readonly Experiment[]): Assignment[] {
  const before: Assignment[] = [];
  for (const experiment of order) before.push(assign(experiment, givenOf({ request, before })));
  return before;
}

test('without prerequisites there is no order to keep', () => {
  const a = named('a');
  expect(evaluationOrder([a], mapOf(a))).toBe(null);
});

test('each comes after what it requires, whatever the route lists, and once', () => {
  const all = [named('a', 'b', 'c'), named('b', 'd'), named('c', 'd'), named('d')] as const;
  const order = evaluationOrder(all, mapOf(...all))!.map(({ name }) => name);
  expect(order).toEqual(['d', 'b', 'c', 'a']);
});

test('what is required and not on the route is assigned all the same', () => {
  const [flag, canary] = [named('flag', 'canary'), named('canary')];
  expect(evaluationOrder([flag], mapOf(flag, canary))).toEqual([canary, flag]);
});

test('an experiment is for those whom the other one gave the variant it needs', () => {
  const flag = named('flag', 'canary');
  expect(decide([named('canary'), flag]).map(({ reason }) => reason)).toEqual(['split', 'split']);
  const toControl = experimentOf({ control: 1_000_000, candidate: 0 }, { name: 'canary' });
  const [, refused] = decide([toControl, flag]);
  expect([refused!.variant.name, refused!.reason, refused!.isIncluded, refused!.isCarried]).toEqual([
    'control',
    'prerequisite',
    false,
    false,
  ]);
});

test('any variant of a list will do, and all prerequisites must be met', () => {
  const flag = experimentOf(everyone, {
    name: 'flag',
    requires: [
      { experiment: 'one', variants: ['control', 'candidate'] },
      { experiment: 'two', variants: ['candidate'] },
    ],
  });
  const to = (name: string, variant: 'control' | 'candidate') =>
    experimentOf({ control: 0, candidate: 0, [variant]: 1_000_000 }, { name, salt: name });
  const last = (...order: Experiment[]) => decide([...order, flag]).at(-1)!.reason;
  expect(last(to('one', 'control'), to('two', 'candidate'))).toBe('split');
  expect(last(to('one', 'candidate'), to('two', 'candidate'))).toBe('split');
  expect(last(to('one', 'candidate'), to('two', 'control'))).toBe('prerequisite');
  expect(last(to('one', 'candidate'))).toBe('prerequisite');
});

test('what is assigned counts, for whatever reason: a killed one fails, a concluded one has its winner', () => {
  const flag = named('flag', 'canary');
  const canary = (settings: Partial<Experiment>) =>
    experimentOf(everyone, { name: 'canary', salt: 'canary', ...settings });
  expect(decide([canary({ status: 'killed' }), flag])[1]!.reason).toBe('prerequisite');
  const concluded = canary({});
  const won = canary({ status: 'concluded', winner: concluded.variants[1]! });
  expect(decide([won, flag])[1]!.reason).toBe('split');
});
