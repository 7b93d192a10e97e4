/**
 * Comparing configurations: are they the same, what of the difference needs a restart, and what an experiment looks
 * like in one line. Deterministic.
 */
import { isDeepStrictEqual } from 'node:util';
import { decidingOrder } from '../config/order.ts';
import type { Config, ListenerConfig } from '../config/schema.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { formatPercent } from '../config/units.ts';

/** Sockets and files that are opened at start. */
const AT_START: readonly (readonly [name: string, read: (config: Config) => unknown])[] = [
  ['workers', (config) => config.workers],
  ['listeners', (config) => config.listeners?.map(atStart)],
  ['admin.address', (config) => config.admin.address],
  ['admin.probeAddress', (config) => config.admin.probeAddress],
  ['audit', (config) => config.audit],
  ['accessLog', (config) => config.accessLog],
  ['exposures', (config) => config.exposures],
  ['tracing', (config) => config.tracing],
  ['decisions', (config) => config.decisions],
  ['stateFile', (config) => config.stateFile],
];

/** Other certificates and other trust are taken up while running; whether a listener speaks TLS at all is not. */
function atStart({ tls, trust: _, ...listener }: ListenerConfig): object {
  return { ...listener, isTls: tls !== undefined };
}

/** Secrets count: a rotated token is a change. So does the order of keys where it decides. */
export function sameConfig(left: Config, right: Config): boolean {
  return isDeepStrictEqual(left, right) && isDeepStrictEqual(decidingOrder(left), decidingOrder(right));
}

/** Which changed settings are only read at start. */
export function restartNeeded(before: Config, after: Config): string[] {
  return AT_START.filter(([, read]) => !isDeepStrictEqual(read(before), read(after))).map(([name]) => name);
}

/** `running, control 90%, candidate 10%`. */
export function summary(snapshot: Snapshot, experimentName: string): string {
  const experiment = snapshot.experiments.get(experimentName);
  if (experiment === undefined) return 'not there';
  const weights = experiment.variants.map((variant) => `${variant.name} ${formatPercent(variant.weightPpm)}`);
  return [experiment.status, ...weights].join(', ');
}
