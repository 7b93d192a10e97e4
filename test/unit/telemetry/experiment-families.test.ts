/** What the page says of experiments and of the config, for alerts and dashboards. */
import { expect, test } from 'vitest';
import { experimentSamples } from '../../../src/cli/experiment-samples.ts';
import { EMPTY_RUNTIME } from '../../../src/config/runtime.ts';
import { Metrics } from '../../../src/telemetry/metrics.ts';
import { snapshotOf } from '../../support/plane.ts';

const CONFIG = `
version: 1
upstreams: { v1: "127.0.0.1:9001" }
routes: [{ name: all, upstream: v1, experiments: [ranking, banner, color] }]
experiments:
  ranking: { variants: { control: {}, candidate: { weight: 10% } } }
  banner: { status: paused, variants: { plain: {}, large: { weight: 25% } }, fallback: plain }
  color: { variants: { control: {}, candidate: { weight: 0% } } }
`;

/** The lines of a metric, in the order of the page. */
async function linesOf(metrics: Metrics, name: string): Promise<string[]> {
  return (await metrics.render()).split('\n').filter((line) => line.startsWith(name));
}

function newMetrics(): Metrics {
  return new Metrics({ version: '0.1.0', node: 'v24.21.0', isProcessIncluded: false });
}

test('an experiment shows its status, who has set it, and what each variant is to get', async () => {
  const metrics = newMetrics();
  const record = { reason: 'too often', actor: 'breaker all/ranking/candidate', at: '2026-11-21T12:00:00Z' };
  const control = {
    snapshot: snapshotOf(CONFIG),
    runtime: {
      ...EMPTY_RUNTIME,
      experiments: new Map([
        ['ranking', { status: { ...record, status: 'killed' as const } }],
        ['banner', { status: { ...record, actor: 'token:anna', status: 'paused' as const } }],
        ['color', { status: { ...record, actor: 'rollout', status: 'killed' as const } }],
      ]),
    },
  };
  metrics.setExperimentSource(() => experimentSamples(control as never, 0));
  expect(await linesOf(metrics, 'fairlead_experiment_status')).toEqual([
    'fairlead_experiment_status{experiment="ranking",status="running",set_by="breaker"} 1',
    'fairlead_experiment_status{experiment="banner",status="paused",set_by="person"} 1',
    'fairlead_experiment_status{experiment="color",status="running",set_by="rollout"} 1',
  ]);
  expect(await linesOf(metrics, 'fairlead_experiment_weight_ratio')).toEqual([
    'fairlead_experiment_weight_ratio{experiment="ranking",variant="control",role="fallback"} 0.9',
    'fairlead_experiment_weight_ratio{experiment="ranking",variant="candidate",role="treatment"} 0.1',
    'fairlead_experiment_weight_ratio{experiment="banner",variant="plain",role="fallback"} 0.75',
    'fairlead_experiment_weight_ratio{experiment="banner",variant="large",role="treatment"} 0.25',
    'fairlead_experiment_weight_ratio{experiment="color",variant="control",role="fallback"} 1',
    'fairlead_experiment_weight_ratio{experiment="color",variant="candidate",role="treatment"} 0',
  ]);
});

test('what nobody has changed is the file’s', () => {
  const control = { snapshot: snapshotOf(CONFIG), runtime: EMPTY_RUNTIME };
  expect(experimentSamples(control, 0).map(({ status, setBy }) => [status, setBy])).toEqual([
    ['running', 'file'],
    ['paused', 'file'],
    ['running', 'file'],
  ]);
});

test('a reload says how many warnings there are and what waits for a restart; a failed one leaves both', async () => {
  const metrics = newMetrics();
  const issues = [{ severity: 'warning' }, { severity: 'warning' }];
  metrics.reloaded({ ok: true, atMs: 0, issues, restartNeeded: ['workers'] });
  metrics.reloaded({ ok: false, atMs: 0, issues: [{ severity: 'error' }], restartNeeded: [] });
  expect(await linesOf(metrics, 'fairlead_config_warnings')).toEqual(['fairlead_config_warnings 2']);
  expect(await linesOf(metrics, 'fairlead_config_restart_needed')).toEqual([
    'fairlead_config_restart_needed 1',
  ]);
});
