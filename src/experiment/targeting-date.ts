/** Dates in requests and rules, as milliseconds since 1970-01-01T00:00:00Z. Pure. */

/** YYYY-MM-DD, or with a time, to the second or finer, and a zone. Every number has a group of its own. */
const ISO_8601 =
  /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:Z|([+-])(\d\d):?(\d\d))?)?$/i;
const EPOCH = /^\d{1,15}$/;
/** 5138 as seconds and 1973 as milliseconds: whoever writes a number means the years between. */
const SECONDS_MAX = 1e11;
const MINUTE_MS = 60_000;

/**
 * ISO 8601, or whole seconds or milliseconds since 1970: below 100,000,000,000 they are seconds. NaN, which is before
 * and after nothing, for all else.
 */
export function dateMs(text: string): number {
  if (!EPOCH.test(text)) return isoDateMs(text);
  const number = Number(text);
  return number < SECONDS_MAX ? number * 1000 : number;
}

/** `2026-03-01`, `2026-03-01T08:00`, `2026-03-01T08:00:00.5+01:00`; without a zone it is UTC. NaN for all else. */
export function isoDateMs(text: string): number {
  const match = ISO_8601.exec(text);
  if (match === null) return Number.NaN;
  const year = Number(match[1]);
  const month = Number(match[2]);
  const day = Number(match[3]);
  const midnight = new Date(Date.UTC(year, month - 1, day));
  // Date.UTC makes 1999 of the year 99 and the 2nd of March of the 30th of February.
  if (midnight.getUTCFullYear() !== year || midnight.getUTCMonth() !== month - 1) return Number.NaN;
  const hour = Number(match[4] ?? 0);
  const minute = Number(match[5] ?? 0);
  const second = Number(match[6] ?? 0);
  const zoneHour = Number(match[9] ?? 0);
  const zoneMinute = Number(match[10] ?? 0);
  if (hour > 23 || minute > 59 || second > 59 || zoneHour > 23 || zoneMinute > 59) return Number.NaN;
  const fractionMs = Number((match[7] ?? '').padEnd(3, '0').slice(0, 3));
  const ms = midnight.getTime() + ((hour * 60 + minute) * 60 + second) * 1000 + fractionMs;
  const offsetMs = (zoneHour * 60 + zoneMinute) * MINUTE_MS;
  return match[8] === '-' ? ms + offsetMs : ms - offsetMs;
}
