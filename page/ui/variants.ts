/** Variants as they are shown: each has a colour, the fallback the first. Pure. */

/** As many as there are in the style sheet (`--variant-0` ...); further ones begin again with the second. */
const COLOURS = 6;

export function variantIndex(names: readonly string[], name: string, fallback: string | null): number {
  const ordered = fallback === null ? names : [fallback, ...names.filter((one) => one !== fallback)];
  const index = Math.max(0, ordered.indexOf(name));
  return index < COLOURS ? index : 1 + ((index - 1) % (COLOURS - 1));
}

export interface SplitPart {
  readonly name: string;
  /** 0 to 1. */
  readonly wanted: number;
  /** 0 to 1; null: nothing was seen. */
  readonly seen: number | null;
  readonly index: number;
}
