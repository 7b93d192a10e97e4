/**
 * The share of the requests that each variant has served since somebody began to look, or since the rules gave out other
 * shares: what is seen beside what is wanted. Begins anew when counts go back, which is a restart. Told readings.
 */
import type { LiveExperiment, LiveReading } from './live-data.ts';

/** By experiment, then by variant; 0 to 1. */
export type Shares = ReadonlyMap<string, ReadonlyMap<string, number>>;

interface Base {
  readonly wanted: string;
  readonly requests: ReadonlyMap<string, number>;
}

export class SeenShares {
  readonly #bases = new Map<string, Base>();

  /** Of variants without a request since then there is no share. */
  take({ experiments }: LiveReading): Shares {
    const names = new Set(experiments.map(({ name }) => name));
    for (const name of this.#bases.keys()) if (!names.has(name)) this.#bases.delete(name);
    return new Map(experiments.map((experiment) => [experiment.name, this.#shareOf(experiment)]));
  }

  #shareOf({ name, variants }: LiveExperiment): ReadonlyMap<string, number> {
    const wanted = variants.map((variant) => variant.wanted).join();
    const requests = new Map(variants.map((variant) => [variant.name, variant.traffic?.requests ?? 0]));
    const base = this.#bases.get(name);
    const isRestarted = [...(base?.requests ?? [])].some(
      ([variant, before]) => (requests.get(variant) ?? 0) < before,
    );
    if (base === undefined || base.wanted !== wanted || isRestarted) {
      this.#bases.set(name, { wanted, requests });
      return new Map();
    }
    const since = Array.from(
      requests,
      ([variant, count]) => [variant, count - (base.requests.get(variant) ?? 0)] as const,
    );
    const total = since.reduce((sum, [, count]) => sum + count, 0);
    return new Map(total === 0 ? [] : since.map(([variant, count]) => [variant, count / total]));
  }
}
