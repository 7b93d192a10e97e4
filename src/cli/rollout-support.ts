/** What a sidecar needs to follow rollouts, put together: evidence out of its series, hooks, pre-flight and the loop. */

import type { Results } from '../analysis/results/results.ts';
import type { Clock } from '../base/clock.ts';
import { systemRandom } from '../base/clock.ts';
import type { ControlEvent } from '../control/events.ts';
import type { RolloutEvidence, RolloutQuestion } from '../control/rollout-evidence.ts';
import { RolloutHooks } from '../control/rollout-hooks.ts';
import { preflight } from '../control/rollout-preflight.ts';
import { Rollouts } from '../control/rollouts.ts';
import type { ControlState } from '../control/state.ts';
import type { Webhooks } from '../control/webhooks.ts';
import { countArms, ROLLOUT_FAMILIES } from '../telemetry/rollout-counts.ts';
import type { Traffic } from './traffic.ts';

export interface RolloutSupportOptions {
  readonly control: ControlState;
  readonly clock: Clock;
  readonly traffic: Pick<Traffic, 'samplesOf' | 'isOpen' | 'breakers' | 'upstreams'>;
  readonly webhooks: Webhooks;
  /** What the analysis of an experiment says; null: it has none. */
  readonly results: (experiment: string) => Results | null;
  readonly onEvent: (event: ControlEvent) => void;
}

/** Not looking yet: `open` begins. */
export function openRollouts({
  control,
  clock,
  traffic,
  webhooks,
  results,
  onEvent,
}: RolloutSupportOptions): Rollouts {
  const evidence: RolloutEvidence = {
    read: async (questions: readonly RolloutQuestion[]) => {
      const candidates = new Map(questions.map(({ experiment, candidate }) => [experiment, candidate]));
      return countArms(await traffic.samplesOf(ROLLOUT_FAMILIES), candidates);
    },
    openBreaker: (experiment, variant) => {
      const { inbound, outbound } = control.snapshot.routes;
      const routes = [...inbound.all, ...outbound.all].filter(({ experiments }) =>
        experiments.some((one) => one.experiment.name === experiment),
      );
      const names = routes.map(({ name }) => `${name}/${experiment}/${variant}`);
      const open = names.find((name) => traffic.isOpen(name));
      if (open === undefined) return null;
      return { name: open, reason: traffic.breakers().find(({ name }) => name === open)?.reason ?? '-' };
    },
    results,
  };
  const hooks = new RolloutHooks({ webhooks, clock, service: () => control.snapshot.service });
  return new Rollouts({
    control,
    clock,
    random: systemRandom,
    evidence,
    hooks,
    onEvent,
    preflight: (experiment, settings) =>
      preflight(experiment, settings, {
        snapshot: () => control.snapshot,
        evidence,
        unusable: (upstream) => unusableIn(traffic, upstream),
        wallMs: () => clock.wallMs(),
      }),
  });
}

function unusableIn(traffic: Pick<Traffic, 'upstreams'>, upstream: string): string[] {
  const endpoints = traffic.upstreams().find(({ name }) => name === upstream)?.endpoints ?? [];
  return endpoints.flatMap((endpoint) => {
    const { id, state } = endpoint as { readonly id: string; readonly state?: string };
    return state === undefined || state === 'ok' ? [] : [id];
  });
}
