/** The special functions that statistics need: the normal tail and its inverse, log-gamma, log-beta. Pure. */

/** Above this the continued fraction is exact with the steps below, and below it the series loses no digits that count. */
const FRACTION_FROM = 2;
const FRACTION_STEPS = 120;

/** The complementary error function for `z` from 0, to about 13 digits. */
export function erfc(z: number): number {
  if (z < FRACTION_FROM) return 1 - erfSeries(z);
  let fraction = z;
  for (let step = FRACTION_STEPS; step >= 1; step--) fraction = z + step / 2 / fraction;
  return Math.exp(-z * z) / (Math.sqrt(Math.PI) * fraction);
}

/** Abramowitz and Stegun 7.1.6: all terms have one sign. */
function erfSeries(z: number): number {
  let term = z;
  let total = 0;
  for (let n = 0; total + term !== total; n++) {
    total += term;
    term *= (2 * z * z) / (2 * n + 3);
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-z * z) * total;
}

/** The probability that a standard normal variable is above `z`. */
export function normalTail(z: number): number {
  return z < 0 ? 1 - normalTail(-z) : erfc(z / Math.SQRT2) / 2;
}

/** Far enough out for a tail of 1e-300. */
const QUANTILE_MAX = 38;
const HALVINGS = 80;

/** The value that a standard normal variable is below with probability `p`, 0 < p < 1, to about 12 digits. */
export function normalQuantile(p: number): number {
  if (p > 0.5) return -normalQuantile(1 - p);
  let low = 0;
  let high = QUANTILE_MAX;
  for (let i = 0; i < HALVINGS; i++) {
    const z = (low + high) / 2;
    if (normalTail(z) > p) low = z;
    else high = z;
  }
  return low === 0 ? 0 : -(low + high) / 2;
}

/** From here on Stirling's series below is exact to the last digits. */
const STIRLING_FROM = 10;

/** ln Γ(x) for x above 0, to about 13 digits: Stirling's series (Abramowitz and Stegun 6.1.41), after moving x up. */
export function logGamma(x: number): number {
  let shift = 1;
  let at = x;
  for (; at < STIRLING_FROM; at++) shift *= at;
  const inverse = 1 / (at * at);
  const series =
    (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse * (1 / 1680 - inverse * (1 / 1188))))) / at;
  return (at - 0.5) * Math.log(at) - at + Math.log(2 * Math.PI) / 2 + series - Math.log(shift);
}

/** ln B(a, b), both above 0. */
export function logBeta(a: number, b: number): number {
  return logGamma(a) + logGamma(b) - logGamma(a + b);
}
