/**
 * Sums over units of what each has twice: a numerator and a denominator, such as failed requests and requests. They are
 * what a ratio over units needs, whose requests are not independent of each other. Power sums, so that a unit which
 * comes back can be moved from what it had to what it has; counts are exact up to 2^53. Merge is addition: units must
 * be on one side only. Fixed memory; who the units are is kept elsewhere. Pure.
 */
import { FORM_VERSION, readNumbers } from './plain-form.ts';

const KIND = 'unit-sums';
/** The powers of numerator and denominator that are summed, in this order. */
const POWERS = [
  [0, 0],
  [1, 0],
  [0, 1],
  [2, 0],
  [1, 1],
  [0, 2],
  [3, 0],
  [2, 1],
  [1, 2],
  [0, 3],
] as const;
const FIELDS = ['units', 'x', 'y', 'xx', 'xy', 'yy', 'xxx', 'xxy', 'xyy', 'yyy'] as const;

export type UnitSumsForm = { readonly kind: typeof KIND; readonly version: number } & Readonly<
  Record<(typeof FIELDS)[number], number>
>;

export class UnitSums {
  readonly #sums = new Float64Array(POWERS.length);

  get units(): number {
    return this.#sums[0]!;
  }

  /** Sums of the numerators (`x`) and denominators (`y`). */
  get numerator(): number {
    return this.#sums[1]!;
  }

  get denominator(): number {
    return this.#sums[2]!;
  }

  /** Count a unit that has these sums. */
  add(numerator: number, denominator: number): void {
    this.#count(numerator, denominator, 1);
  }

  /** A unit that is counted already with the first two has the last two now. */
  move(fromNumerator: number, fromDenominator: number, numerator: number, denominator: number): void {
    this.#count(fromNumerator, fromDenominator, -1);
    this.#count(numerator, denominator, 1);
  }

  merge(other: UnitSums): void {
    for (let i = 0; i < POWERS.length; i++) this.#sums[i]! += other.#sums[i]!;
  }

  /** Sum over the units of (numerator - ratio x denominator) to the power 2 or 3. */
  residual(ratio: number, power: 2 | 3): number {
    const [, , , xx, xy, yy, xxx, xxy, xyy, yyy] = this.#sums;
    if (power === 2) return xx! - 2 * ratio * xy! + ratio ** 2 * yy!;
    return xxx! - 3 * ratio * xxy! + 3 * ratio ** 2 * xyy! - ratio ** 3 * yyy!;
  }

  toJSON(): UnitSumsForm {
    const fields = Object.fromEntries(FIELDS.map((name, index) => [name, this.#sums[index]!]));
    return { kind: KIND, version: FORM_VERSION, ...fields } as UnitSumsForm;
  }

  /** @throws RangeError for what `toJSON` has not made. */
  static fromJSON(form: unknown): UnitSums {
    const unitSums = new UnitSums();
    unitSums.#sums.set(readNumbers(form, KIND, FIELDS));
    if (unitSums.units < 0) throw new RangeError(`${KIND}: a count below 0.`);
    return unitSums;
  }

  #count(x: number, y: number, times: 1 | -1): void {
    for (const [index, [ofX, ofY]] of POWERS.entries()) this.#sums[index]! += times * x ** ofX * y ** ofY;
  }
}
