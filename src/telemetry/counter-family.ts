/** A family of counters, one for each label set, as nearly every file of numbers has some. */
import type { Registry } from '@prometheus-io/client';
import { registerFamily } from './exposition.ts';
import type { LabelSets } from './label-sets.ts';
import type { Counter } from './series.ts';

/** @throws Error when the name is taken. */
export function registerCounters(
  registry: Registry,
  sets: LabelSets<Counter>,
  name: string,
  help: string,
): void {
  const read = () => Array.from(sets.entries(), ({ labels, item }) => ({ labels, value: item.value }));
  registerFamily(registry, { name, help, type: 'counter', read });
}
