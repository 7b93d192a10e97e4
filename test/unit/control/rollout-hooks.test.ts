/** The webhooks of rollouts: asked beside the loop, by Flagger's names. */
import { beforeEach, describe, expect, test } from 'vitest';
import { compileRollout, type RolloutSettings } from '../../../src/config/compile-rollout.ts';
import { RolloutHooks } from '../../../src/control/rollout-hooks.ts';
import type { Letter } from '../../../src/control/webhooks.ts';
import { configOf, withExperiment } from '../../support/config.ts';
import { begun } from '../../support/rollout.ts';

const TYPES = ['confirm-rollout', 'pre-rollout', 'rollout', 'confirm-promotion', 'rollback'];
const TEXT = `${withExperiment(
  `rollout: { hooks: [${TYPES.map((type) => `{ type: ${type}, webhook: ci }`).join(', ')}] }`,
)}webhooks: [{ name: ci, url: "https://ci.example/", secret: s, events: [] }]\n`;

let settings: RolloutSettings;
let asked: Letter[];
let answers: Record<string, string | null>;
let nowMs: number;
let hooks: RolloutHooks;

const typeOf = ({ body }: Letter): string => (JSON.parse(body) as { type: string }).type;

beforeEach(() => {
  settings = compileRollout(configOf(TEXT), 'ranking')!;
  asked = [];
  answers = {};
  nowMs = 0;
  hooks = new RolloutHooks({
    webhooks: {
      ask: async (_name, letter) => {
        asked.push(letter);
        return answers[typeOf(letter)] ?? null;
      },
      tellOne: () => undefined,
      tell: () => undefined,
    },
    clock: { now: () => nowMs, wallMs: () => nowMs },
    service: () => 'checkout',
  });
});

/** What is known after everything that was asked is answered. */
async function look(state = begun(settings.plan)) {
  hooks.look('ranking', { state, settings });
  await new Promise((resolve) => setImmediate(resolve));
  return hooks.look('ranking', { state, settings });
}

describe('the webhooks of a rollout', () => {
  test('are asked with the same key for as long as it is the same question, and not each time it looks', async () => {
    answers = { rollback: 'answered 404' };
    await look();
    await look();
    expect(asked.map(typeOf)).toEqual(['rollback', 'rollout']);
    nowMs = 6_000;
    await look();
    expect(asked.map(typeOf)).toEqual(['rollback', 'rollout', 'rollback', 'rollout']);
    expect(asked[2]!.id).toBe(asked[0]!.id);
    expect(asked[2]!.id).toBe('rollout_1.rollback.0.0');
  });

  test('want it back with a 2xx of rollback, and hold it with anything but that of rollout', async () => {
    answers = { rollback: 'answered 404', rollout: 'answered 500' };
    expect(await look()).toEqual({
      rollBack: null,
      objection: 'the rollout webhook is against it: the webhook ci answered 500',
      confirmed: null,
    });
    answers = {};
    nowMs = 6_000;
    expect(await look()).toMatchObject({ rollBack: 'the rollback webhook wants it back', objection: null });
  });

  test('are asked to confirm only when it is wanted', async () => {
    answers = { rollback: 'answered 404', 'confirm-promotion': 'answered 409' };
    expect((await look()).confirmed).toBeNull();
    const state = { ...begun(settings.plan), wants: 'confirm-promotion' as const };
    expect((await look(state)).confirmed).toEqual({ isOk: false, said: 'the webhook ci answered 409' });
    answers = { rollback: 'answered 404' };
    nowMs = 6_000;
    expect((await look(state)).confirmed).toEqual({ isOk: true, said: '' });
  });

  test('are asked before it begins, one after the other', async () => {
    expect(await hooks.confirm('ranking', { id: 'r1', settings })).toBeNull();
    expect(asked.map(typeOf)).toEqual(['confirm-rollout', 'pre-rollout']);
    answers = { 'confirm-rollout': 'answered 403' };
    expect(await hooks.confirm('ranking', { id: 'r1', settings })).toBe(
      'confirm-rollout: the webhook ci answered 403',
    );
    expect(asked).toHaveLength(3);
  });
});
