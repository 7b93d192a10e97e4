/**
 * Points in time as people write them: ISO 8601 with an offset, so that no sidecar reads its own time zone into it.
 * Pure.
 */
import type { Parsed } from './units.ts';

export const TIMESTAMP_PATTERN =
  '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]{1,3})?)?(Z|[+-][0-9]{2}:[0-9]{2})$';
const PARTS = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2})(?::(\d{2})(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})$/;

/** `2026-12-01T09:00:00+01:00`, `2026-12-01T08:00Z`: milliseconds since the epoch. */
export function parseTimestamp(text: string): Parsed<number> {
  const parts = PARTS.exec(text);
  if (parts === null) {
    const isWithoutOffset = PARTS.test(`${text}Z`);
    const what = isWithoutOffset ? 'has no offset; end it with Z or +01:00' : 'is not a point in time';
    const hint = isWithoutOffset ? '' : '; write for example 2026-12-01T09:00:00+01:00';
    return { ok: false, problem: `${JSON.stringify(text.slice(0, 60))} ${what}${hint}` };
  }
  const atMs = Date.parse(text);
  const [, year, month, day] = parts;
  // The 31st of February would be read as the 3rd of March.
  const isDay = Number(day) <= new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  if (Number.isNaN(atMs) || !isDay)
    return { ok: false, problem: `${JSON.stringify(text)} is no date and time of the calendar` };
  return { ok: true, value: atMs };
}
