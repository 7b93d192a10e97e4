/**
 * What rollouts are decided by, out of the families of the metrics page: requests of each variant and what became of them.
 * By the variant that served; a request that its candidate failed and the fallback served instead is the candidate's,
 * and a failure. Pure.
 */
import { type ArmCounts, COMPARED, REGRESSIONS } from '../analysis/rollout/rollout-plan.ts';
import type { FamilySamples, Sample } from './exposition.ts';

/** The families that are read. */
export const ROLLOUT_FAMILIES = [
  'fairlead_requests_total',
  'fairlead_request_duration_seconds',
  'fairlead_fallbacks_total',
  'fairlead_mirror_compared_total',
  'fairlead_mirror_differences_total',
] as const;

/** Of answers to mirrored requests. */
const HIT_OF_FAMILY: Readonly<Record<string, string>> = {
  fairlead_mirror_compared_total: COMPARED,
  fairlead_mirror_differences_total: REGRESSIONS,
};

const HIT_OF_OUTCOME: Readonly<Record<string, string>> = { failure: 'errors', slow: 'slow' };

/** By experiment, then by variant. `candidates`: of the experiments that are wanted. */
export function countArms(
  families: readonly FamilySamples[],
  candidates: ReadonlyMap<string, string>,
): Map<string, Map<string, ArmCounts>> {
  const arms = new Map<string, Map<string, Tally>>();
  const armOf = (experiment: string, variant: string): Tally => {
    const variants = arms.get(experiment) ?? new Map<string, Tally>();
    arms.set(experiment, variants);
    const arm = variants.get(variant) ?? new Tally();
    variants.set(variant, arm);
    return arm;
  };
  for (const { name, values } of families) {
    for (const sample of values) {
      const experiment = label(sample, 'experiment');
      const candidate = candidates.get(experiment);
      if (candidate === undefined) continue;
      if (name === 'fairlead_fallbacks_total') {
        if (label(sample, 'cause') === 'failover') armOf(experiment, candidate).failedOver(sample.value);
      } else armOf(experiment, label(sample, 'variant')).count(name, sample);
    }
  }
  return new Map(
    Array.from(arms, ([experiment, variants]) => [
      experiment,
      new Map(Array.from(variants, ([variant, tally]) => [variant, tally.counts()])),
    ]),
  );
}

class Tally {
  #requests = 0;
  #durations = 0;
  readonly #hits = new Map<string, number>();
  /** Durations up to a bound, by its milliseconds. */
  readonly #upTo = new Map<number, number>();

  count(family: string, sample: Sample): void {
    const { value } = sample;
    const mirrored = HIT_OF_FAMILY[family];
    if (mirrored !== undefined) return this.#hit(mirrored, value);
    if (family === 'fairlead_requests_total') {
      this.#requests += value;
      const hit = HIT_OF_OUTCOME[label(sample, 'outcome')];
      if (hit !== undefined) this.#hit(hit, value);
      return;
    }
    if (sample.metricName?.endsWith('_count') === true) this.#durations += value;
    const le = label(sample, 'le');
    if (le === '' || le === '+Inf') return;
    const ms = Math.round(Number(le) * 1e6) / 1e3;
    this.#upTo.set(ms, (this.#upTo.get(ms) ?? 0) + value);
  }

  failedOver(requests: number): void {
    this.#requests += requests;
    this.#hit('errors', requests);
  }

  #hit(metric: string, count: number): void {
    this.#hits.set(metric, (this.#hits.get(metric) ?? 0) + count);
  }

  counts(): ArmCounts {
    const hits = Object.fromEntries(this.#hits);
    for (const [ms, count] of this.#upTo) hits[`above:${ms}`] = Math.max(0, this.#durations - count);
    return { requests: this.#requests, hits };
  }
}

function label({ labels, sharedLabels }: Sample, name: string): string {
  return String(labels[name] ?? sharedLabels?.[name] ?? '');
}
