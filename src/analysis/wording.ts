/** How numbers are said in reasons: short, with their unit. Pure. */

/** What a metric is counted in: a share of 1, milliseconds, bytes, or something else. */
export type MetricUnit = 'share' | 'ms' | 'bytes' | 'number';

const SUFFIX: Readonly<Record<MetricUnit, string>> = { share: '%', ms: ' ms', bytes: ' B', number: '' };

/** `5.2%`, `48.1 ms`: three digits that count. */
export function inWords(value: number, unit: MetricUnit): string {
  return `${digits(unit === 'share' ? 100 * value : value)}${SUFFIX[unit]}`;
}

/** `+0.5 pp`, `-3.1 ms`; a share in points of a hundred. */
export function differenceInWords(value: number, unit: MetricUnit): string {
  const sign = value > 0 ? '+' : value < 0 ? '-' : '';
  const size = digits(Math.abs(unit === 'share' ? 100 * value : value));
  return `${sign}${size}${unit === 'share' ? ' pp' : SUFFIX[unit]}`;
}

/** `between -0.2 pp and +1.1 pp`, or what is known of that. */
export function intervalInWords(low: number, high: number, unit: MetricUnit): string {
  const [isLow, isHigh] = [Number.isFinite(low), Number.isFinite(high)];
  if (isLow && isHigh) return `between ${differenceInWords(low, unit)} and ${differenceInWords(high, unit)}`;
  if (isLow) return `${differenceInWords(low, unit)} or more`;
  if (isHigh) return `${differenceInWords(high, unit)} or less`;
  return 'not known within any bounds';
}

const STEPS = [
  { ms: 86_400_000, name: 'd' },
  { ms: 3_600_000, name: 'h' },
  { ms: 60_000, name: 'min' },
  { ms: 1000, name: 's' },
] as const;

/** Nobody waits longer, and the estimate is worth nothing then. */
const SAID_DAYS_MAX = 90;

/** `about 3 h`, `about 20 min`, `more than 90 d`. */
export function durationInWords(ms: number): string {
  if (!(ms <= SAID_DAYS_MAX * STEPS[0].ms)) return `more than ${SAID_DAYS_MAX} d`;
  const step = STEPS.find((one) => ms >= one.ms) ?? STEPS[3];
  return `about ${digits(Math.max(1, ms / step.ms), 2)} ${step.name}`;
}

/** Thousands apart. */
export function countInWords(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ',');
}

function digits(value: number, significant = 3): string {
  if (Math.abs(value) >= 10 ** significant) return countInWords(value);
  return String(Number(value.toPrecision(significant)));
}
