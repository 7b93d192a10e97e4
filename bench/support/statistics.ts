/** Medians and quartiles of a few rounds. */

export interface Spread {
  readonly median: number;
  readonly q1: number;
  readonly q3: number;
}

/** Median and quartiles by linear interpolation. Throws on no values. */
export function spread(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError('no values');
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => {
    const position = share * (sorted.length - 1);
    const low = Math.floor(position);
    const high = Math.ceil(position);
    return sorted[low]! + (sorted[high]! - sorted[low]!) * (position - low);
  };
  return { median: at(0.5), q1: at(0.25), q3: at(0.75) };
}
