/** Placeholder until the shape of the resource is known. */
export function Diffs(_props: { readonly path: string }) {
  return null;
}
