/**
 * Count, mean, variance and skew of a number, in one pass and mergeable: Welford's way for a value at a time, and for
 * two sets Chan, Golub and LeVeque ("Updating formulae and a pairwise algorithm for computing sample variances", 1979)
 * with Pébay's third moment ("Formulas for robust, one-pass parallel computation of covariances and arbitrary-order
 * statistical moments", 2008). No cancellation, however large the mean is beside the deviation. Fixed memory.
 */
import { FORM_VERSION, readNumbers } from './plain-form.ts';

const KIND = 'moments';
const FIELDS = ['count', 'mean', 'm2', 'm3'] as const;

export interface MomentsForm {
  readonly kind: typeof KIND;
  readonly version: number;
  readonly count: number;
  readonly mean: number;
  /** Sums of the second and third powers of the deviations from the mean. */
  readonly m2: number;
  readonly m3: number;
}

export class Moments {
  #count = 0;
  #mean = 0;
  #m2 = 0;
  #m3 = 0;

  get count(): number {
    return this.#count;
  }

  get mean(): number {
    return this.#mean;
  }

  /** Of one value, without bias; 0 for fewer than two. */
  get variance(): number {
    return this.#count < 2 ? 0 : this.#m2 / (this.#count - 1);
  }

  /** Mean third power of the deviation from the mean: how lopsided the values are. */
  get thirdMoment(): number {
    return this.#count === 0 ? 0 : this.#m3 / this.#count;
  }

  /** `value` must be finite. */
  add(value: number): void {
    this.#join(1, value, 0, 0);
  }

  /** Take in what another has counted, which stays as it is. Same as adding its values one by one, but for rounding. */
  merge(other: Moments): void {
    this.#join(other.#count, other.#mean, other.#m2, other.#m3);
  }

  toJSON(): MomentsForm {
    const [count, mean, m2, m3] = [this.#count, this.#mean, this.#m2, this.#m3];
    return { kind: KIND, version: FORM_VERSION, count, mean, m2, m3 };
  }

  /** @throws RangeError for what `toJSON` has not made. */
  static fromJSON(form: unknown): Moments {
    const [count, mean, m2, m3] = readNumbers(form, KIND, FIELDS);
    if (count! < 0 || m2! < 0) throw new RangeError(`${KIND}: a count or a sum of squares below 0.`);
    const moments = new Moments();
    moments.#join(count!, mean!, m2!, m3!);
    return moments;
  }

  #join(count: number, mean: number, m2: number, m3: number): void {
    if (count === 0) return;
    const total = this.#count + count;
    const gap = mean - this.#mean;
    // How far the mean of each is from the common one.
    const here = (-gap * count) / total;
    const there = (gap * this.#count) / total;
    this.#m3 += m3 + 3 * (here * this.#m2 + there * m2) + this.#count * here ** 3 + count * there ** 3;
    this.#m2 += m2 + this.#count * here ** 2 + count * there ** 2;
    this.#mean += (gap * count) / total;
    this.#count = total;
  }
}
