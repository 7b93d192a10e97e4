/** What the metrics say of whether results are to be believed. Like `families.ts`, only reads. */
import type { Registry } from '@prometheus-io/client';
import { INVALID_CAUSES, type InvalidCause } from '../analysis/results/trust.ts';
import { registerFamily } from './exposition.ts';

/** One experiment that is analysed. */
export interface TrustSample {
  readonly experiment: string;
  /** How likely it ever was that its units arrive in the declared shares. */
  readonly mismatchP: number;
  /** Why its numbers are not to be believed. */
  readonly causes: ReadonlySet<InvalidCause>;
}

/** Registers the families of what can be believed. */
export function registerTrust(registry: Registry, source: () => Iterable<TrustSample>): void {
  registerFamily(registry, {
    name: 'fairlead_analysis_invalid',
    type: 'gauge',
    aggregator: 'first',
    help: 'Whether the results of an experiment are not to be believed, by cause.',
    read: () =>
      Array.from(source()).flatMap(({ experiment, causes }) =>
        INVALID_CAUSES.map((cause) => ({ labels: { experiment, cause }, value: causes.has(cause) ? 1 : 0 })),
      ),
  });
  registerFamily(registry, {
    name: 'fairlead_sample_ratio_mismatch_p',
    type: 'gauge',
    aggregator: 'first',
    help: 'How likely the units of an experiment have arrived in the declared shares, at its lowest; below 0.001 they have not.',
    read: () =>
      Array.from(source(), ({ experiment, mismatchP }) => ({ labels: { experiment }, value: mismatchP })),
  });
}
