/** The breakers that a Snapshot asks for, by the name each has in the API, the metrics and the log. Pure. */
import type { BreakerSettings } from '../resilience/breaker.ts';
import type { Direction, Snapshot } from './snapshot.ts';

/** `route/experiment/variant`. */
export function breakerName(route: string, experiment: string, variant: string): string {
  return `${route}/${experiment}/${variant}`;
}

/** One for each variant of each experiment on each route, unless it has none. */
export function breakersOf(snapshot: Snapshot): ReadonlyMap<string, BreakerSettings> {
  const directions: readonly Direction[] = ['inbound', 'outbound'];
  const breakers = new Map<string, BreakerSettings>();
  for (const route of directions.flatMap((direction) => snapshot.routes[direction].all)) {
    for (const { experiment, variants } of route.experiments) {
      for (const [index, { breaker }] of variants.entries()) {
        const { name } = experiment.variants[index]!;
        if (breaker !== null) breakers.set(breakerName(route.name, experiment.name, name), breaker);
      }
    }
  }
  return breakers;
}
