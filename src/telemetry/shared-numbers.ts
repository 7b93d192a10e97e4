/**
 * Rows of counts for thousands of owners, in arrays that they share: an array of its own would be four objects to each,
 * all of them lines of memory that every request fetches anew. Rows that are taken one after the other lie side by side.
 * A row is given back with all others of its array, so this is for what stays as long as the process.
 */

/** Numbers in an array: 64 KB. */
const SHARED_LENGTH = 8192;

export const NO_NUMBERS: Float64Array = new Float64Array(0);

/** Where a row is in its array; none has been taken. */
export const NOWHERE = -1;

/** The array that the next row is in, and how much of it is taken. */
let shared = NO_NUMBERS;
let taken = 0;

/** A row of so many zeros; at most as many as an array has. */
export function takeRow(length: number): { readonly numbers: Float64Array; readonly at: number } {
  if (taken + length > shared.length) {
    shared = new Float64Array(SHARED_LENGTH);
    taken = 0;
  }
  const at = taken;
  taken += length;
  return { numbers: shared, at };
}
