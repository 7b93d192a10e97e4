/** The last things of one kind, for who comes later, and told at once to those who watch. Bounded. */

export class Latest<T> {
  readonly #max: number;
  readonly #kept: T[] = [];
  readonly #listeners = new Set<(item: T) => void>();

  /** @param max How many are kept. */
  constructor(max: number) {
    this.#max = max;
  }

  add(item: T): void {
    this.#kept.push(item);
    if (this.#kept.length > this.#max) this.#kept.shift();
    for (const listener of this.#listeners) listener(item);
  }

  /** The newest first. */
  list(): T[] {
    return this.#kept.toReversed();
  }

  /** Told of each from now on; must not throw. Returns how to stop. */
  subscribe(listener: (item: T) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
