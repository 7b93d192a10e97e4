/**
 * What the admin API shows, made out of the Snapshot and the control plane's view of itself, which has no
 * secrets. Pure functions; percentages are shown as people write them.
 */
import { NATIVE_ALGORITHM } from '../config/schema-algorithm.ts';
import type { Direction, Snapshot } from '../config/snapshot.ts';
import { formatDuration, formatPercent } from '../config/units.ts';
import type { RuntimeView } from '../control/state.ts';
import type { Experiment } from '../experiment/model.ts';
import { unitText } from '../experiment/unit.ts';
import { type LifecycleView, lifecycleView } from './lifecycle-view.ts';
import type { AdminBreaker, ControlPort } from './ports.ts';

/** One variant of an experiment, as shown. */
export interface VariantView {
  readonly name: string;
  readonly weight: string;
  readonly upstream: string | null;
  readonly isFallback: boolean;
  /** Its breakers, one per route. */
  readonly breakers: readonly { readonly name: string; readonly state: string; readonly mode: string }[];
}

/** An experiment, as shown. */
export interface ExperimentView extends LifecycleView {
  readonly name: string;
  readonly status: string;
  readonly owner: string | null;
  readonly hypothesis: string | null;
  /** `fairlead1`, or the system whose cohorts are kept. */
  readonly algorithm: string;
  /** Of another algorithm its name, with a fingerprint of its options. */
  readonly salt: string;
  /** How clients keep their variant; null: they do not. */
  readonly sticky: StickyView | null;
  readonly unit: readonly string[];
  readonly traffic: string;
  readonly targeting: readonly string[];
  readonly routes: readonly string[];
  readonly variants: readonly VariantView[];
  /** What was changed at run time; the rest is as declared. */
  readonly runtime: RuntimeView[string] | null;
}

export interface StickyView {
  /** `cookie fairlead_sticky`. */
  readonly in: string;
  readonly ttl: string;
  readonly bucketVersion: number;
  readonly minBucketVersion: number;
}

/** All experiments of the Snapshot, in the order of the config. */
export function experimentViews(control: ControlPort, breakers: readonly AdminBreaker[]): ExperimentView[] {
  const { snapshot } = control;
  const { runtime, wallMs } = control.view();
  // By the experiment of `route/experiment/variant`: with hundreds, each would look through all of them.
  const byExperiment = Map.groupBy(breakers, ({ name }) => name.split('/').at(-2) ?? '');
  return [...snapshot.experiments.values()].map((experiment) =>
    experimentView(experiment, { snapshot, runtime, wallMs }, byExperiment.get(experiment.name) ?? []),
  );
}

/** One experiment with the breakers that guard its variants. */
export function experimentView(
  experiment: Experiment,
  rules: { readonly snapshot: Snapshot; readonly runtime: RuntimeView; readonly wallMs: number },
  breakers: readonly AdminBreaker[],
): ExperimentView {
  const { name, status, owner, hypothesis, salt, fallback } = experiment;
  return {
    name,
    status,
    owner,
    hypothesis,
    algorithm: experiment.bucketing?.name ?? NATIVE_ALGORITHM,
    salt,
    sticky: stickyView(experiment.sticky),
    unit: experiment.unit.map(unitText),
    traffic: formatPercent(experiment.trafficPpm),
    targeting: experiment.targeting.map((clause) => clause.text),
    routes: routesOf(rules.snapshot, name),
    ...lifecycleView(experiment, rules.wallMs),
    variants: experiment.variants.map((variant) => ({
      name: variant.name,
      weight: formatPercent(variant.weightPpm),
      upstream: variant.upstream,
      isFallback: variant.name === fallback.name,
      breakers: breakers
        .filter((breaker) => breaker.name.endsWith(`/${name}/${variant.name}`))
        .map(({ name: breaker, state, mode }) => ({ name: breaker, state, mode })),
    })),
    runtime: rules.runtime[name] ?? null,
  };
}

function stickyView(sticky: Experiment['sticky']): StickyView | null {
  if (sticky === null) return null;
  const { place, ttlMs, bucketVersion, minBucketVersion } = sticky;
  return { in: `${place.kind} ${place.name}`, ttl: formatDuration(ttlMs), bucketVersion, minBucketVersion };
}

/** Status and weights as they hold. */
function rulesOf(experiment: Experiment): unknown {
  const weights = experiment.variants.map(({ name, weightPpm }) => [name, formatPercent(weightPpm)]);
  return { status: experiment.status, weights: Object.fromEntries(weights) };
}

function routesOf(snapshot: Snapshot, experiment: string): string[] {
  const directions: readonly Direction[] = ['inbound', 'outbound'];
  return directions.flatMap((direction) =>
    snapshot.routes[direction].all
      .filter((route) => route.experiments.some((one) => one.experiment.name === experiment))
      .map((route) => route.name),
  );
}

/** What is declared, what was changed at run time, and what holds. */
export function configView(control: ControlPort): Record<string, unknown> {
  const { snapshot } = control;
  const { lastReload, wallMs: _, ...view } = control.view();
  const effective = [...snapshot.experiments].map(([name, experiment]) => [name, rulesOf(experiment)]);
  return {
    service: snapshot.service,
    ...view,
    effective: { experiments: Object.fromEntries(effective) },
    lastReload: { ...lastReload, at: new Date(lastReload.atMs).toISOString() },
  };
}
