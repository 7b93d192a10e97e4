/** Where the order of keys decides something, which maps are otherwise free of. Pure. */
import type { Config } from './schema.ts';

export interface DecidingOrder {
  /**
   * Names of the variants, by experiment: other systems' algorithms deal by their order, and a bare `always` is the first
   * treatment.
   */
  readonly variants: Readonly<Record<string, readonly string[]>>;
  /** Without routes, of all experiments: the first that wants an upstream gets its way. Else they say it themselves. */
  readonly experiments: readonly string[];
}

export function decidingOrder({ routes, experiments }: Config): DecidingOrder {
  return {
    variants: Object.fromEntries(
      Object.entries(experiments).map(([name, { variants }]) => [name, Object.keys(variants)]),
    ),
    experiments: routes === undefined ? Object.keys(experiments) : [],
  };
}
