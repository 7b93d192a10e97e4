/** A small square in the colour of a variant. */
export function Swatch({ index }: { readonly index: number }) {
  return <span class={`swatch variant-${index}`} aria-hidden="true" />;
}
