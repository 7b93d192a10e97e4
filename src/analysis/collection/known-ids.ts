/**
 * Which of the latest ids have come before: two sets, of which the older is let go when the younger is full, so that an id
 * is known for as long as `KNOWN_MAX` others, and twice that at most. Keeps hashes. Pure.
 */
export const KNOWN_MAX = 65_536;

export class KnownIds {
  #younger = new Set<number>();
  #older = new Set<number>();

  /** Whether this hash of an id came before; it is known from now on. */
  isKnown(hash: number): boolean {
    if (this.#younger.has(hash) || this.#older.has(hash)) return true;
    if (this.#younger.size === KNOWN_MAX) {
      this.#older = this.#younger;
      this.#younger = new Set();
    }
    this.#younger.add(hash);
    return false;
  }
}
