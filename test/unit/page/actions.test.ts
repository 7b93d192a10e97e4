import { describe, expect, test } from 'vitest';
import {
  breakerActions,
  endpointAction,
  experimentActions,
  rolloutActions,
  startRollout,
} from '../../../page/data/actions.ts';
import type { Experiment, Rollout } from '../../../page/data/types.ts';
import { newWorld, rolloutOf } from '../../page/support/world.ts';

const [ranking, , , , killed, paused] = newWorld().experiments as unknown as Experiment[];
const verbs = (actions: readonly { verb: string }[]) => actions.map(({ verb }) => verb);
const rollout = (phase: string, step: number) => rolloutOf('ranking', phase, step) as unknown as Rollout;

describe('what may be done', () => {
  test.each([
    ['baking', ['Promote', 'Pause', 'Abort', 'Undo']],
    ['gate', ['Promote', 'Pause', 'Abort', 'Undo']],
    ['paused', ['Resume', 'Promote', 'Abort', 'Undo']],
    ['promotion-failed', ['Promote', 'Abort', 'Undo']],
    ['rolling-back', ['Abort', 'Undo']],
    ['promoted', ['Undo']],
    ['rolled-back', ['Undo']],
  ])('with a rollout that is %s: %j', (phase, wanted) => {
    expect(verbs(rolloutActions(rollout(phase, 2)))).toEqual(wanted);
  });

  test('with an experiment depends on how it stands', () => {
    expect(verbs(experimentActions(ranking!))).toEqual([
      'Set weights',
      'Pause experiment',
      'Clear changes',
      'Kill experiment',
    ]);
    expect(verbs(experimentActions(killed!))).toEqual(['Start experiment', 'Set weights']);
    expect(verbs(experimentActions(paused!))).toEqual(['Start experiment', 'Set weights', 'Kill experiment']);
  });

  test('with a breaker that is closed is to trip it, with one that is not to reset it', () => {
    const name = 'api/ranking/candidate';
    expect(verbs(breakerActions({ name, state: 'closed', mode: 'enforce' }))).toEqual(['Trip']);
    expect(verbs(breakerActions({ name, state: 'open', mode: 'enforce' }))).toEqual(['Reset']);
    expect(verbs(breakerActions({ name, state: 'closed', mode: 'forced-observe' }))).toEqual(['Reset']);
  });
});

describe('an action says', () => {
  test('what each promotion leads to', () => {
    expect(rolloutActions(rollout('baking', 2))[0]!.effects[0]).toContain('from 20% to 50% now');
    expect(rolloutActions(rollout('gate', 4))[0]!.effects[0]).toContain('everybody keeps the candidate');
  });

  test('what the first step gives, where that is known', () => {
    expect(startRollout('ranking', 'candidate', ['5%', '100%']).effects[0]).toBe(
      'candidate gets 5% of the units at once, then 100%.',
    );
    expect(startRollout('ranking', 'candidate', []).effects[0]).toBe(
      'candidate gets the share of the first step at once.',
    );
  });

  test('where it is sent, with names that cannot be taken for more of the path', () => {
    expect(startRollout('a/b c', 'candidate', []).path).toBe('/v1/experiments/a%2Fb%20c:start-rollout');
    expect(endpointAction('v1', '[::1]:80', false).path).toBe(
      '/v1/upstreams/v1/endpoints/%5B%3A%3A1%5D%3A80:drain',
    );
    expect(breakerActions({ name: 'api/r k/v', state: 'closed', mode: 'enforce' })[0]!.path).toBe(
      '/v1/breakers/api/r%20k/v:trip',
    );
  });

  test('what is skipped only when it was ticked', () => {
    const { body } = startRollout('ranking', 'candidate', []);
    expect([body({}), body({ skipPreflight: 'on' })]).toEqual([{}, { skipPreflight: true }]);
  });
});
