/**
 * Sums over units of what each has twice: a numerator and a denominator, such as failed requests and requests. They are
 * what a ratio over units needs, whose requests are not independent of each other. Power sums, so that a unit which
 * comes back can be moved from what it had to what it has; counts are exact up to 2^53. Merge is addition: units must
 * be on one side only. Fixed memory; who the units are is kept elsewhere. Pure.
 */
import { FORM_VERSION, readNumbers } from './plain-form.ts';

const KIND = 'unit-sums';
/** The sums, in their order: units, numerators `x`, denominators `y`, and the products of two and of three. */
const FIELDS = ['units', 'x', 'y', 'xx', 'xy', 'yy', 'xxx', 'xxy', 'xyy', 'yyy'] as const;

export type UnitSumsForm = { readonly kind: typeof KIND; readonly version: number } & Readonly<
  Record<(typeof FIELDS)[number], number>
>;

export class UnitSums {
  readonly #sums = new Float64Array(FIELDS.length);

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

  /** A unit that is counted with these is no longer. */
  remove(numerator: number, denominator: number): void {
    this.#count(numerator, denominator, -1);
  }

  /** A unit that is counted already with the first two has the last two now. */
  move(fromNumerator: number, fromDenominator: number, numerator: number, denominator: number): void {
    this.#count(fromNumerator, fromDenominator, -1);
    this.#count(numerator, denominator, 1);
  }

  merge(other: UnitSums): void {
    for (let i = 0; i < FIELDS.length; i++) this.#sums[i]! += other.#sums[i]!;
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

  /** Written out: it is on the way of every request of a unit. */
  #count(x: number, y: number, times: 1 | -1): void {
    const sums = this.#sums;
    const [xx, xy, yy] = [times * x * x, times * x * y, times * y * y];
    sums[0]! += times;
    sums[1]! += times * x;
    sums[2]! += times * y;
    sums[3]! += xx;
    sums[4]! += xy;
    sums[5]! += yy;
    sums[6]! += xx * x;
    sums[7]! += xx * y;
    sums[8]! += x * yy;
    sums[9]! += yy * y;
  }
}
