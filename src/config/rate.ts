/** Rates as people write them: `100/s`, `6000/m`, `0.5/s`. Pure. */
import type { Parsed } from './units.ts';

const PER_SECOND: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** What the JSON Schema says of them. */
export const RATE_PATTERN = '^[0-9]+(\\.[0-9]+)?/(s|m|h|d)$';

/** A million a second is more than a sidecar can count. */
const RATE_MAX = 1_000_000;

/** How many a second, above 0 and up to a million; a fraction for fewer than one. */
export function parseRate(text: string): Parsed<number> {
  const match = new RegExp(RATE_PATTERN).exec(text);
  if (match === null)
    return {
      ok: false,
      problem: `${JSON.stringify(text.slice(0, 60))} is not a rate; write for example 100/s or 600/m`,
    };
  const perSecond = Number(text.slice(0, text.indexOf('/'))) / PER_SECOND[match[2]!]!;
  if (perSecond > 0 && perSecond <= RATE_MAX) return { ok: true, value: perSecond };
  return {
    ok: false,
    problem: `found ${text.slice(0, 60)}; expected more than 0 and up to ${RATE_MAX} a second`,
  };
}

/** `100/s`; the smallest unit in which it is at least one. */
export function formatRate(perSecond: number): string {
  for (const [unit, seconds] of Object.entries(PER_SECOND)) {
    const rate = perSecond * seconds;
    if (rate >= 1 || unit === 'd') return `${Number(rate.toPrecision(6))}/${unit}`;
  }
  return '';
}
