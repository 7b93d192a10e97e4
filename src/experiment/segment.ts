/** A named segment as targeting rules use it: a set of ids, or rules of its own. Pure. */
import type { TargetingClause } from './model.ts';

export type Segment =
  | {
      readonly kind: 'ids';
      readonly name: string;
      /** Whether the id is one of the segment's. Throws nothing. */
      has(id: string): boolean;
    }
  /** All of its rules hold. */
  | { readonly kind: 'rules'; readonly name: string; readonly clauses: readonly TargetingClause[] };

/** By name. */
export type Segments = ReadonlyMap<string, Segment>;
