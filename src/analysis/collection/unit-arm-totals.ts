/** Followed units of one variant, each as a row of its table, to the sums that ratios over units are made of. Pure. */

import { UnitSums } from '../unit-sums.ts';
import type { CollectedUnitArm } from './collected.ts';
import type { Measure } from './measure.ts';
import type { UnitTable } from './unit-table.ts';

/** Where the sums of a unit are in its row: of judged requests, then two for each measure: how many values, their sum. */
export const UnitSum = { requests: 0, failures: 1, latency: 2, bytes: 3, measures: 4 } as const;

export class UnitArmTotals {
  units = 0;
  #dealt = 0;
  readonly #measures: readonly Measure[];
  readonly #errors = new UnitSums();
  readonly #latency = new UnitSums();
  readonly #bytes = new UnitSums();
  readonly #values: readonly UnitSums[];

  constructor(measures: readonly Measure[]) {
    this.#measures = measures;
    this.#values = measures.map(() => new UnitSums());
  }

  /** The unit in row `at`; the split has dealt it out, or not. What it has nothing of says nothing of it. */
  add({ sums, shape }: UnitTable, at: number, isDealt: boolean): void {
    const first = at * shape.sums;
    const requests = sums[first + UnitSum.requests]!;
    this.units++;
    if (isDealt) this.#dealt++;
    if (requests > 0) {
      this.#errors.add(sums[first + UnitSum.failures]!, requests);
      this.#latency.add(sums[first + UnitSum.latency]!, requests);
      this.#bytes.add(sums[first + UnitSum.bytes]!, requests);
    }
    for (let i = 0; i < this.#values.length; i++) {
      const by = this.#divisor(sums, first, i);
      if (by > 0) this.#values[i]!.add(sums[first + UnitSum.measures + 2 * i + 1]!, by);
    }
  }

  /** The unit in row `at`, as it was added, is not here for now. */
  remove({ sums, shape }: UnitTable, at: number, isDealt: boolean): void {
    const first = at * shape.sums;
    const requests = sums[first + UnitSum.requests]!;
    this.units--;
    if (isDealt) this.#dealt--;
    if (requests > 0) {
      this.#errors.remove(sums[first + UnitSum.failures]!, requests);
      this.#latency.remove(sums[first + UnitSum.latency]!, requests);
      this.#bytes.remove(sums[first + UnitSum.bytes]!, requests);
    }
    for (let i = 0; i < this.#values.length; i++) {
      const by = this.#divisor(sums, first, i);
      if (by > 0) this.#values[i]!.remove(sums[first + UnitSum.measures + 2 * i + 1]!, by);
    }
  }

  /** @param distinct Of all units, followed or not. */
  summed(distinct: number): CollectedUnitArm {
    const own = this.#measures.map(({ name }, index): [string, UnitSums] => [name, this.#values[index]!]);
    const sums = new Map([
      ['errors', this.#errors],
      ['latency', this.#latency],
      ['bytes', this.#bytes],
      ...own,
    ]);
    return { units: this.units, dealt: this.#dealt, distinct, sums };
  }

  /** What the sum of a unit's values is divided by. */
  #divisor(sums: Float64Array, first: number, measure: number): number {
    const { per } = this.#measures[measure]!;
    if (per === 'unit') return 1;
    return sums[first + (per === 'request' ? UnitSum.requests : UnitSum.measures + 2 * measure)]!;
  }
}
