/** Rollouts and blueprints as they are written. */
import { describe, expect, it, test } from 'vitest';
import { compileRollout } from '../../../src/config/compile-rollout.ts';
import { LATENCY_BOUNDS_MS } from '../../../src/config/validate-rollout.ts';
import { DURATION_BUCKETS } from '../../../src/telemetry/histogram.ts';
import { configOf, issuesOf, withExperiment } from '../../support/config.ts';

const planOf = (...settings: string[]) =>
  compileRollout(configOf(withExperiment(...settings)), 'ranking')!.plan;
const percents = (plan: ReturnType<typeof planOf>) => plan.steps.map(({ sharePpm }) => sharePpm / 10_000);
const WITH_BLUEPRINT = `${withExperiment('rollout: { blueprint: careful@2, bake: 1m }')}
blueprints: { careful: { version: 2, linear: { from: 10%, by: 30% }, bake: 1h, requests: 7 } }
`;

describe('a rollout', () => {
  it('is careful when nothing is said', () => {
    const plan = planOf('rollout: {}');
    expect(plan).toMatchObject({
      candidate: 'candidate',
      control: 'control',
      alpha: 0.05,
      onBreach: 'at-once',
    });
    expect(percents(plan)).toEqual([1, 5, 20, 50, 100]);
    expect(plan.steps[0]).toEqual({
      sharePpm: 10_000,
      bakeMs: 300_000,
      requests: 100,
      notBeforeMs: Number.NEGATIVE_INFINITY,
      isManual: false,
      guardrails: [{ name: 'errors', metric: 'errors', margin: 0.01, limit: null }],
      analysis: [],
    });
  });

  it('has steps in a list, equally far apart, or each so many times the one before', () => {
    expect(percents(planOf('rollout: { steps: [2%, 30%] }'))).toEqual([2, 30]);
    expect(percents(planOf('rollout: { linear: { from: 10%, by: 40% } }'))).toEqual([10, 50, 90, 100]);
    expect(percents(planOf('rollout: { exponential: { from: 1%, factor: 4, to: 50% } }'))).toEqual([
      1, 4, 16, 50,
    ]);
  });

  it('has settings of a step that are its own', () => {
    const [first, second] = planOf(
      'rollout:',
      '  gate: manual',
      '  steps:',
      '    - 1%',
      '    - { share: 50%, bake: 1h, requests: 5, gate: auto, at: "2026-12-01T09:00:00Z", guardrails: [{ metric: latency, above: 250ms, margin: 2%, limit: 10% }] }',
    ).steps;
    expect(first!.isManual).toBe(true);
    expect(second).toEqual({
      sharePpm: 500_000,
      bakeMs: 3_600_000,
      requests: 5,
      notBeforeMs: Date.parse('2026-12-01T09:00:00Z'),
      isManual: false,
      guardrails: [{ name: 'slower than 250ms', metric: 'above:250', margin: 0.02, limit: 0.1 }],
      analysis: [],
    });
  });

  it('may ask for guardrails of the analysis, by their names', () => {
    const analysis =
      'analysis: { metrics: [errors, latency, { name: cost, header: x-cost, better: lower, role: guardrail, margin: 1 }] }';
    const asking = (name: string) =>
      withExperiment(analysis, `rollout: { guardrails: [{ analysis: ${name} }] }`);
    for (const name of ['errors', 'cost'])
      expect(compileRollout(configOf(asking(name)), 'ranking')!.plan.steps[0]).toMatchObject({
        guardrails: [],
        analysis: [name],
      });
    expect(issuesOf(asking('latency')).join()).toContain('it is a goal: give it role: guardrail');
    expect(issuesOf(asking('costs')).join()).toContain('did you mean "cost"?');
  });

  it('takes what it does not say from its blueprint', () => {
    const { plan } = compileRollout(configOf(WITH_BLUEPRINT), 'ranking')!;
    expect(percents(plan)).toEqual([10, 40, 70, 100]);
    expect(plan.steps[0]).toMatchObject({ bakeMs: 60_000, requests: 7 });
  });

  it('says its own steps and not those of its blueprint, whichever way', () => {
    const text = WITH_BLUEPRINT.replace('bake: 1m', 'steps: [3%]');
    expect(percents(compileRollout(configOf(text), 'ranking')!.plan)).toEqual([3]);
  });

  it('is another plan when anything in it is another, and the same for the same', () => {
    const { digest } = planOf('rollout: { steps: [2%] }');
    expect(planOf('rollout: { steps: [2%], gate: auto }').digest).toBe(digest);
    expect(planOf('rollout: { steps: [2%], bake: 1m }').digest).not.toBe(digest);
  });

  it('may be left out', () => {
    expect(compileRollout(configOf(withExperiment()), 'ranking')).toBeNull();
  });

  test('latencies are compared where they are counted', () => {
    expect(LATENCY_BOUNDS_MS).toEqual([...DURATION_BUCKETS.boundsMs]);
  });
});

describe('mistakes in a rollout', () => {
  test.each([
    ['{ steps: [5%, 1%] }', 'each step has a larger share than the one before'],
    ['{ steps: [1%], linear: { from: 1%, by: 1% } }', 'the steps are said twice, by steps and linear'],
    ['{ blueprint: careful@2 }', 'rollout.blueprint: there is no blueprint "careful"'],
    ['{ guardrails: [{ metric: latency, margin: 1% }] }', 'say above which time'],
    ['{ guardrails: [{ metric: errors }] }', 'give a margin, a limit or both'],
    ['{ guardrails: [{ analysis: cost }] }', 'the analysis has no guardrail "cost"'],
    ['{ guardrails: [{ metric: latency, above: 240ms, margin: 1% }] }', '100ms, 250ms, 500ms'],
    ['{ hooks: [{ type: confirm-rollout, webhook: ci }] }', 'there is no webhook "ci"'],
    ['{ preflight: { probes: [{ method: POST, path: / }] } }', 'a probe changes nothing: GET or HEAD'],
    ['{ stepz: [1%] }', 'stepz'],
  ])('%s', (rollout, said) => {
    expect(issuesOf(withExperiment(`rollout: ${rollout}`)).join('\n')).toContain(said);
  });

  test('another version of a blueprint, or none', () => {
    const said = (reference: string) => issuesOf(WITH_BLUEPRINT.replace('careful@2', reference)).join('\n');
    expect(said('careful@1')).toContain('the blueprint careful is version 2, not 1');
    expect(said('careful')).toContain('say which version: careful@2');
    expect(said('carefull@2')).toContain('did you mean');
  });

  test('an experiment that is not of one candidate beside control', () => {
    const text = withExperiment(
      'rollout: {}',
      'variants: { control: {}, a: { weight: 1% }, b: { weight: 1% } }',
    );
    expect(issuesOf(text).join('\n')).toContain('the experiment must have two variants');
  });
});
