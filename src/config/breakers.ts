/** The breakers that a Snapshot asks for, by the name each has in the API, the metrics and the log. Pure. */
import type { BreakerSettings } from '../resilience/breaker.ts';
import type { Direction, Snapshot } from './snapshot.ts';

/** `route/experiment/variant`. */
export function breakerName(route: string, experiment: string, variant: string): string {
  return `${route}/${experiment}/${variant}`;
}

/** A breaker that is asked for. */
export interface WantedBreaker {
  readonly settings: BreakerSettings;
  /** The name of that of the fallback, which it is judged beside; null: this is it. */
  readonly control: string | null;
}

/** One for each variant of each experiment on each route, unless it has none. */
export function breakersOf(snapshot: Snapshot): ReadonlyMap<string, WantedBreaker> {
  const directions: readonly Direction[] = ['inbound', 'outbound'];
  const breakers = new Map<string, WantedBreaker>();
  for (const route of directions.flatMap((direction) => snapshot.routes[direction].all)) {
    for (const { experiment, variants } of route.experiments) {
      for (const [index, { breaker }] of variants.entries()) {
        if (breaker === null) continue;
        const { name } = experiment.variants[index]!;
        const fallback = breakerName(route.name, experiment.name, experiment.fallback.name);
        const control = name === experiment.fallback.name ? null : fallback;
        breakers.set(breakerName(route.name, experiment.name, name), { settings: breaker, control });
      }
    }
  }
  return breakers;
}
