/**
 * What a described request is served, after what it was assigned: the first variant with an upstream of its own gets
 * its way, and breakers are asked where there are any to ask. As `proxy/decision.ts` does it, without taking a place in
 * a breaker. Pure.
 */
import { breakerName } from '../config/breakers.ts';
import type { Route, RouteExperiment, Upstream } from '../config/snapshot.ts';
import type { Assignment } from '../experiment/model.ts';

export interface Decided {
  readonly planned: RouteExperiment;
  readonly assignment: Assignment;
}

export interface Served {
  readonly variant: string;
  /** Why it is not the one assigned; null: it is. */
  readonly because: 'conflict' | 'breaker' | null;
  /** The breaker of the variant assigned. `unknown`: only a running sidecar knows. */
  readonly breaker: 'none' | 'not asked' | 'open' | 'not open' | 'unknown';
}

/** Is this breaker open? Null: nobody knows. */
export type IsOpen = ((breaker: string) => boolean) | null;

/** In the order of the experiments, and where the request goes. A last resort whose breaker is open is a 503. */
export function servedOn(
  route: Route,
  decided: readonly Decided[],
  isOpen: IsOpen,
): { readonly served: readonly Served[]; readonly upstream: Upstream; readonly isUnavailable: boolean } {
  let upstream = route.upstream;
  let isUnavailable = false;
  const served = decided.map(({ planned: { experiment, variants }, assignment }): Served => {
    const { variant, isIncluded } = assignment;
    const { fallback } = experiment;
    const stateOf = (index: number): Served['breaker'] => {
      if (variants[index]?.breaker == null) return 'none';
      if (isOpen === null) return 'unknown';
      return isOpen(breakerName(route.name, experiment.name, experiment.variants[index]!.name))
        ? 'open'
        : 'not open';
    };
    const wanted = variants[variant.index]?.upstream ?? route.upstream;
    const isConflict = wanted !== route.upstream && upstream !== route.upstream && upstream !== wanted;
    const isFallback = variant.index === fallback.index;
    // Who is not in the experiment is not a matter of its breakers.
    const breaker = isFallback && !isIncluded ? 'not asked' : stateOf(variant.index);
    const isTurnedAway = !isConflict && breaker === 'open';
    const because = isFallback ? null : isConflict ? 'conflict' : isTurnedAway ? 'breaker' : null;
    const used = because === null ? variant : fallback;
    if (isTurnedAway && (isFallback || stateOf(fallback.index) === 'open')) isUnavailable = true;
    const chosen = variants[used.index]?.upstream ?? route.upstream;
    if (chosen !== route.upstream && upstream === route.upstream) upstream = chosen;
    return { variant: used.name, because, breaker };
  });
  return { served, upstream, isUnavailable };
}
