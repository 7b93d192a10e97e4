/** How much of its share an endpoint gets that has just come, or come back. Pure. */

/** So that it has something to warm up with. */
const WEIGHT_MIN = 0.1;

/** From a tenth to the whole share, linearly over `slowStartMs`; 0: the whole at once. */
export function slowStartWeight(ageMs: number, slowStartMs: number): number {
  if (ageMs >= slowStartMs) return 1;
  return Math.max(WEIGHT_MIN, ageMs / slowStartMs);
}
