/**
 * Durations, sizes and percentages as people write them. Pure; every reader answers the number or one sentence
 * that says what was found and what was meant.
 */

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: string };

/** All of a share: percentages are kept as integers in parts per million. */
export const PPM = 1_000_000;

const DURATION_UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
/** Timers of Node hold 31 bits; nothing that one waits for needs more than 24 days. */
const DURATION_MAX_MS = 2 ** 31 - 1;
/** What no timer waits for. */
const LONG_DURATION_MAX_MS = 3650 * 86_400_000;
const SIZE_UNITS_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** What the JSON Schema says of them, so that editors notice most mistakes; the readers below are stricter. */
export const DURATION_PATTERN = '^(0|([0-9]+(\\.[0-9]+)?(ms|s|m|h|d))+)$';
export const SIZE_PATTERN = '^(0|[0-9]+(\\.[0-9]+)?(B|kB|KB|MB|GB|KiB|MiB|GiB|TiB))$';
export const PERCENT_PATTERN = '^[0-9]+(\\.[0-9]{1,4})?%$';

/** `90d`: like a duration, but up to ten years. */
export function parseLongDuration(text: string): Parsed<number> {
  return parseDuration(text, LONG_DURATION_MAX_MS);
}

/** `250ms`, `10s`, `1m30s`, `1.5h`, `0`: whole milliseconds, at most 24 days unless told otherwise. */
export function parseDuration(text: string, maxMs = DURATION_MAX_MS): Parsed<number> {
  if (text === '0') return { ok: true, value: 0 };
  if (/^[0-9]+(\.[0-9]+)?$/.test(text))
    return problem(`${quote(text)} has no unit; write ${text}s or ${text}ms`);
  const parts = [...text.matchAll(/([0-9]+(?:\.[0-9]+)?)([A-Za-zµ]*)/gy)];
  const isWhole = parts.length > 0 && parts.map((part) => part[0]).join('') === text;
  if (!isWhole) return problem(`${quote(text)} is not a duration; write for example 250ms, 10s, 5m or 1m30s`);
  let totalMs = 0;
  for (const [, amount, unit] of parts) {
    const unitMs = ownNumber(DURATION_UNITS_MS, unit ?? '');
    if (unitMs === null)
      return problem(`${quote(text)} has the unknown unit ${quote(unit ?? '')}; use ms, s, m, h or d`);
    totalMs += Number(amount) * unitMs;
  }
  const rounded = Math.round(totalMs);
  if (Math.abs(rounded - totalMs) > 1e-6)
    return problem(`${quote(text)} is not a whole number of milliseconds`);
  if (rounded > maxMs) return problem(`${quote(text)} is longer than ${Math.floor(maxMs / 86_400_000)} days`);
  return { ok: true, value: rounded };
}

/** `64KiB`, `1.5MB`, `512B`, `0`: whole bytes. */
export function parseSize(text: string): Parsed<number> {
  if (text === '0') return { ok: true, value: 0 };
  const match = /^([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)$/.exec(text);
  if (!match) return problem(`${quote(text)} is not a size; write for example 64KiB or 10MiB`);
  const [, amount = '', unit = ''] = match;
  if (unit === '') return problem(`${quote(text)} has no unit; write ${text}B or ${text}KiB`);
  const unitBytes = ownNumber(SIZE_UNITS_BYTES, unit);
  if (unitBytes === null) {
    return problem(`${quote(text)} has the unknown unit ${quote(unit)}; use B, KiB, MiB, GiB, kB, MB or GB`);
  }
  const bytes = Number(amount) * unitBytes;
  if (!Number.isSafeInteger(bytes)) return problem(`${quote(text)} is not a whole number of bytes`);
  return { ok: true, value: bytes };
}

/** `5%`, `0.25%`, `100%`: parts per million; at most four decimals, because a share is counted in millionths. */
export function parsePercent(text: string): Parsed<number> {
  const match = /^([0-9]+)(?:\.([0-9]+))?\s*(%?)$/.exec(text);
  if (!match) return problem(`${quote(text)} is not a percentage; write for example 5%`);
  const [, whole = '', fraction = '', sign = ''] = match;
  if (sign === '') return problem(`${quote(text)} has no %; write ${text}%`);
  if (fraction.length > 4)
    return problem(`${quote(text)} has more than four decimals; the smallest share is 0.0001%`);
  const ppm = Number(whole) * 10_000 + Number(fraction.padEnd(4, '0'));
  if (ppm > PPM) return problem(`${quote(text)} is more than 100%`);
  return { ok: true, value: ppm };
}

/** `10000` -> `1%`, `2500` -> `0.25%`. */
export function formatPercent(ppm: number): string {
  return `${ppm / 10_000}%`;
}

/** Slots 0 to 400,000 -> `0%-40%`. */
export function formatRange({ start, end }: { readonly start: number; readonly end: number }): string {
  return `${formatPercent(start)}-${formatPercent(end)}`;
}

/** `10000` -> `10s`: the largest unit that divides it. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  for (const unit of ['d', 'h', 'm', 's']) {
    const unitMs = DURATION_UNITS_MS[unit] ?? 1;
    if (ms % unitMs === 0) return `${ms / unitMs}${unit}`;
  }
  return `${ms}ms`;
}

function problem(text: string): { ok: false; problem: string } {
  return { ok: false, problem: text };
}

function ownNumber(table: Readonly<Record<string, number>>, key: string): number | null {
  return Object.hasOwn(table, key) ? (table[key] ?? null) : null;
}

function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text);
}
