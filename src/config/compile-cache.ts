/** What a route tells caches, as declared to compiled. Pure. */
import type { Experiment } from '../experiment/model.ts';
import { routingKeyFields } from '../experiment/routing-key.ts';
import type { CachePolicy } from '../routing/cache-policy.ts';
import type { Config } from './schema.ts';
import type { CacheConfig } from './schema-cache.ts';
import { rulesReached } from './targeting-rules.ts';

/** @param experiments All that are assigned on the route, those that its own require among them. */
export function compileCache(
  cache: CacheConfig,
  experiments: readonly Experiment[],
  config: Config,
): CachePolicy {
  return {
    vary: experiments.length === 0 ? null : varyOf(cache, experiments, config),
    isPrivate: cache.private,
    keyHint: cache.keyHint ?? null,
  };
}

function varyOf({ vary }: CacheConfig, experiments: readonly Experiment[], config: Config): string | null {
  if (vary === 'off') return null;
  return (vary === 'auto' ? fieldsDecidingOf(experiments, config) : vary).join(', ');
}

/**
 * Every request field that the choice of a variant may depend on, so that a cache keeps the answers apart. The user
 * agent is not among them: whom it excludes has no unit in common with a person, and a Vary on it ends all caching.
 */
export function fieldsDecidingOf(experiments: Iterable<Experiment>, config: Config): string[] {
  const { header, overrideHeader, baggage } = config.propagation;
  const names = new Set([header, overrideHeader, ...(baggage ? ['baggage'] : []), 'cookie']);
  const tokenHeader = config.identity?.jwt?.header;
  for (const experiment of experiments) {
    for (const source of experiment.unit) {
      if (source.kind === 'header') names.add(source.name);
      if (source.kind === 'claim' && tokenHeader !== undefined) names.add(tokenHeader);
    }
    if (experiment.sticky?.place.kind === 'header') names.add(experiment.sticky.place.name);
    const targeting = config.experiments[experiment.name]?.targeting ?? [];
    for (const rule of rulesReached(targeting, config.segments)) {
      if (rule.header !== undefined) names.add(rule.header);
      if (rule.claim !== undefined && tokenHeader !== undefined) names.add(tokenHeader);
    }
    for (const name of routingKeyFields(experiment.routingKeys)) names.add(name);
  }
  if (config.classify.synthetic !== undefined) names.add(config.classify.synthetic.header);
  return [...names];
}
