/** A set of hosts as routes have them: exact names and `*.suffix`. Frozen; a look-up does not depend on its size. */
import { hostName } from './match.ts';

export class HostSet {
  readonly #exact = new Set<string>();
  /** Without the `*.`. */
  readonly #suffixes = new Set<string>();

  constructor(patterns: readonly string[]) {
    for (const pattern of patterns) {
      if (pattern.startsWith('*.')) this.#suffixes.add(pattern.slice(2).toLowerCase());
      else this.#exact.add(pattern.toLowerCase());
    }
    Object.freeze(this);
  }

  /** @param authority As received, with or without a port, any case. */
  has(authority: string): boolean {
    const name = hostName(authority);
    if (this.#exact.has(name)) return true;
    if (this.#suffixes.size === 0) return false;
    for (let dot = name.indexOf('.'); dot > 0; dot = name.indexOf('.', dot + 1))
      if (this.#suffixes.has(name.slice(dot + 1))) return true;
    return false;
  }
}
