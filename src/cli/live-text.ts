/** How figures and sentences are shown on a terminal: short, and never a control character of somebody else's. Pure. */

/**
 * Control characters, and those that turn the direction of text: a reason that somebody gave must not move the cursor of
 * whoever reads it.
 */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** Text from elsewhere as one line that can be shown. */
export function printable(text: unknown): string {
  return String(text).replace(UNPRINTABLE, '?');
}

/** `0`, `4.2`, `45.0`, `1,203`. */
export function countText(value: number | null | undefined): string {
  if (!isNumber(value)) return '-';
  if (value === 0) return '0';
  return value < 100 ? value.toFixed(1) : wholeText(value);
}

/** `1,203`. */
export function wholeText(value: number | null | undefined): string {
  if (!isNumber(value)) return '-';
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `0.0%`, `12.5%`; of a share of 1. */
export function shareText(value: number | null | undefined): string {
  return isNumber(value) ? `${(100 * value).toFixed(1)}%` : '-';
}

/** `0.8ms`, `45ms`, `1.2s`. */
export function msText(value: number | null | undefined): string {
  if (!isNumber(value)) return '-';
  if (value < 10) return `${value.toFixed(1)}ms`;
  return value < 1000 ? `${Math.round(value)}ms` : `${(value / 1000).toFixed(1)}s`;
}

/** `20:15:03`, of ISO 8601 and in UTC, as logs and audit records have it. */
export function timeText(iso: string | null | undefined): string {
  const ms = Date.parse(iso ?? '');
  return Number.isNaN(ms) ? '-' : new Date(ms).toISOString().slice(11, 19);
}

function isNumber(value: number | null | undefined): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}
