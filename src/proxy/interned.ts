/** One object for all that hold the same. */

/** Whoever differs from all of these is itself: there are as many then as there are differences. */
const KNOWN_MAX = 32;

export class Interned<T extends object> {
  readonly #known: T[] = [];

  /** `value`, or one from before that holds the very same. */
  of(value: T): T {
    const known = this.#known.find((one) => isSame(one, value));
    if (known !== undefined) return known;
    this.#known.push(value);
    if (this.#known.length > KNOWN_MAX) this.#known.shift();
    return value;
  }
}

function isSame<T extends object>(one: T, other: T): boolean {
  for (const key in one) if (one[key] !== other[key]) return false;
  return true;
}
