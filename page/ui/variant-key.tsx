/** The colour of a variant: the fallback has the first, the others theirs in the order of the config. */

/** As many as there are in the style sheet (`--variant-0` ...); further ones begin again with the second. */
const COLOURS = 6;

export function variantIndex(names: readonly string[], name: string, fallback: string | null): number {
  const ordered = fallback === null ? names : [fallback, ...names.filter((one) => one !== fallback)];
  const index = Math.max(0, ordered.indexOf(name));
  return index < COLOURS ? index : 1 + ((index - 1) % (COLOURS - 1));
}

/** A small square in the colour of a variant. */
export function Swatch({ index }: { readonly index: number }) {
  return <span class={`swatch variant-${index}`} aria-hidden="true" />;
}
