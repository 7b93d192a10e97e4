/** How much was collected of an experiment, in few numbers. Pure. */
import type { Collected } from '../collection/collected.ts';
import { summariesOf } from './variant-summary.ts';

export interface Amount {
  /** Of the first request, ISO 8601; null: there was none. */
  readonly since: string | null;
  readonly requests: number;
  /** Those assigned, in each split in which they came. */
  readonly units: number;
}

export function amountOf(collected: Collected): Amount {
  const [first] = collected.strata;
  const variants = summariesOf(collected, 'assigned');
  return {
    since: first === undefined ? null : new Date(first.fromMs).toISOString(),
    requests: variants.reduce((sum, { requests }) => sum + requests, 0),
    units: variants.reduce((sum, { units }) => sum + units, 0),
  };
}
