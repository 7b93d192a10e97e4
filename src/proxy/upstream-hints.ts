/**
 * What a route tells its upstream of the variants, beside the context: the bucket of a unit for a neighbouring Envoy
 * (`experiment/bucket-number.ts`), and the hint that a cache may have in its key. What the client sends under these
 * names is cut: it could choose the variant with it, or poison the cache. Bound once per Snapshot.
 */
import type { Route } from '../config/snapshot.ts';
import { bucketNumber } from '../experiment/bucket-number.ts';
import type { Decision } from './decision.ts';
import { servedText } from './served-text.ts';

export class UpstreamHints {
  /** Lower-case names of the fields. */
  readonly names: readonly string[];
  readonly #keyHint: string | null;

  constructor(names: readonly string[], keyHint: string | null) {
    this.names = names;
    this.#keyHint = keyHint;
  }

  /** The lines for a request that has been decided and admitted. */
  lines({ participations, count }: Decision): string {
    let text = '';
    for (let i = 0; i < count; i++) {
      const { assignment, served } = participations[i]!;
      const { experiment, slot } = assignment!;
      if (experiment.bucketHeader === null) continue;
      const bucket = bucketNumber(experiment, served!.variant, slot);
      if (bucket !== null) text += `${experiment.bucketHeader}: ${bucket}\r\n`;
    }
    return this.#keyHint === null
      ? text
      : `${text}${this.#keyHint}: ${servedText(participations, count)}\r\n`;
  }
}

/** Null: the route has nothing to tell. */
export function hintsOf({ experiments, cache }: Route): UpstreamHints | null {
  if (experiments.length === 0) return null;
  const headers = experiments.map(({ experiment }) => experiment.bucketHeader);
  const names = [...headers, cache.keyHint].filter((name) => name !== null);
  return names.length === 0 ? null : new UpstreamHints(names, cache.keyHint);
}
