/**
 * W3C Trace Context, as far as a proxy needs it that takes no part in the trace: is the field one that can be
 * passed on, and a new one for a request that came without. https://www.w3.org/TR/trace-context/
 * Never changes a valid field: the ids, and the sampling decision, are the callers'.
 */
import type { Random } from '../base/clock.ts';

const LENGTH = 55; // 00-32-16-2 with three dashes
const SHAPE = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(.*)$/;
const NO_TRACE = '0'.repeat(32);
const NO_PARENT = '0'.repeat(16);

/**
 * Is this one valid `traceparent`? Lower-case hex, ids not all zero, version not ff; version 00 has nothing
 * behind the flags, a higher one may have more behind a dash. Two fields joined by a comma are invalid.
 */
export function isTraceparent(value: string): boolean {
  if (value.length < LENGTH) return false;
  const match = SHAPE.exec(value);
  if (match === null) return false;
  const [, version, traceId, parentId, rest] = match;
  if (version === 'ff' || traceId === NO_TRACE || parentId === NO_PARENT) return false;
  if (version === '00') return rest === '';
  return rest === '' || (rest!.startsWith('-') && !rest!.includes(','));
}

/** The trace id of a valid `traceparent`, 32 hex digits; null for any other text. */
export function traceIdOf(value: string): string | null {
  return isTraceparent(value) ? value.slice(3, 35) : null;
}

/**
 * A `traceparent` for a request that has none. The sampled flag is off: it says that the sender has recorded
 * the request, and we have not.
 */
export function newTraceparent(random: Random): string {
  return `00-${random.hex(16)}-${random.hex(8)}-00`;
}
