/**
 * Label values to the object that is counted into, with a hard cap: a program that makes up label values must
 * never grow the process. Past the cap every new label set is the one overflow set. Never forgets a set: series
 * of an experiment that left the config stay until restart, so that counters do not go backwards.
 */
import type { Labels } from './exposition.ts';

/** What every label of the overflow set says. */
export const OVERFLOW = '_overflow';

/** How many label sets all families may have together, and what was turned away. */
export class LabelBudget {
  readonly setsMax: number;
  sets = 0;
  /** Look-ups that were given an overflow set. */
  overflows = 0;

  constructor(setsMax: number) {
    this.setsMax = setsMax;
  }
}

interface Entry<T> {
  readonly labels: Labels;
  readonly item: T;
}

/** The label sets of one family. */
export class LabelSets<T> {
  readonly #names: readonly string[];
  readonly #budget: LabelBudget;
  readonly #make: (labels: readonly string[]) => T;
  readonly #entries = new Map<string, Entry<T>>();
  #overflow: Entry<T> | null = null;

  /** @param make makes the counted object of a new label set */
  constructor(names: readonly string[], budget: LabelBudget, make: (values: readonly string[]) => T) {
    this.#names = names;
    this.#budget = budget;
    this.#make = make;
  }

  /** The object of a label set; values in the order of the names. Keep it: this look-up is not for the hot path. */
  get(...values: string[]): T {
    const key = values.join('\u0000');
    const found = this.#entries.get(key);
    if (found !== undefined) return found.item;
    if (this.#budget.sets >= this.#budget.setsMax) {
      this.#budget.overflows++;
      this.#overflow ??= this.#entry(this.#names.map(() => OVERFLOW));
      return this.#overflow.item;
    }
    this.#budget.sets++;
    const entry = this.#entry(values);
    this.#entries.set(key, entry);
    return entry.item;
  }

  /** All sets with what they count, the overflow set last. */
  *entries(): Generator<Entry<T>> {
    yield* this.#entries.values();
    if (this.#overflow !== null) yield this.#overflow;
  }

  #entry(values: readonly string[]): Entry<T> {
    const labels = Object.fromEntries(this.#names.map((name, index) => [name, values[index] ?? '']));
    return { labels, item: this.#make(values) };
  }
}
