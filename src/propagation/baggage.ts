/**
 * W3C Baggage, as far as it is ours: one short member an experiment, `fairlead.checkout=candidate`, so that the
 * experiment survives services that copy only the W3C fields.
 *
 * Other members, their order, properties and white space are never touched, nor dropped to make room for ours.
 * https://www.w3.org/TR/baggage/
 */

/** An experiment and one of its variants, by name. */
export interface NamedVariant {
  readonly name: string;
  readonly variant: string;
}

/** What a platform must let through (W3C Baggage, Limits); we add no member that would go beyond it. */
export const BAGGAGE_MEMBERS_MAX = 64;
export const BAGGAGE_BYTES_MAX = 8192;

const PREFIX = 'fairlead.';
/** RFC 9110 token: what a baggage key may be. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Our members, in order; properties are dropped, a value that is not percent-encoded UTF-8 is left out. */
export function readBaggage(baggage: string): NamedVariant[] {
  const found: NamedVariant[] = [];
  if (!baggage.includes(PREFIX)) return found;
  for (const member of baggage.split(',')) {
    const name = experimentOf(member);
    const variant = name === null ? null : decodedValue(member);
    if (name !== null && variant !== null) found.push({ name, variant });
  }
  return found;
}

/**
 * The baggage with `members` in it: a member of the same experiment is replaced where it stands, the others are
 * added behind. '' when there is nothing to write. A member of ours that would make more than
 * BAGGAGE_MEMBERS_MAX members or BAGGAGE_BYTES_MAX bytes is left out whole.
 */
export function writeBaggage(existing: string | null, members: readonly NamedVariant[]): string {
  const hasOthers = existing !== null && existing.trim() !== '';
  if (members.length === 0) return hasOthers ? existing : '';
  const kept = hasOthers ? existing.split(',') : [];
  const parts = hasOthers && existing.includes(PREFIX) ? replaceOurs(kept, members) : kept;
  const isNew = (member: NamedVariant) => !parts.some((part) => experimentOf(part) === member.name);
  let bytes = parts.reduce((sum, part) => sum + part.length + 1, -1);
  for (const member of members) {
    const text = serialise(member);
    const isFitting = parts.length < BAGGAGE_MEMBERS_MAX && bytes + 1 + text.length <= BAGGAGE_BYTES_MAX;
    if (text === '' || !isFitting || !isNew(member)) continue;
    parts.push(text);
    bytes += text.length + 1;
  }
  return parts.join(',');
}

/** The same parts with the first member of each given experiment replaced and its repetitions removed. */
function replaceOurs(parts: readonly string[], members: readonly NamedVariant[]): string[] {
  const written = new Set<string>();
  const result: string[] = [];
  for (const part of parts) {
    const name = experimentOf(part);
    const member = name === null ? undefined : members.find((candidate) => candidate.name === name);
    if (member === undefined) result.push(part);
    else if (!written.has(member.name)) result.push(serialise(member));
    if (member !== undefined) written.add(member.name);
  }
  return result;
}

function serialise(member: NamedVariant): string {
  if (!TOKEN.test(member.name)) return '';
  return `${PREFIX}${member.name}=${encodeURIComponent(member.variant.toWellFormed())}`;
}

/** The experiment a list-member is about; null for another vendor's, or without a value. */
function experimentOf(member: string): string | null {
  const equals = member.indexOf('=');
  const semicolon = member.indexOf(';');
  if (equals < 0 || (semicolon >= 0 && semicolon < equals)) return null;
  const key = member.slice(0, equals).trim();
  return key.startsWith(PREFIX) && key.length > PREFIX.length ? key.slice(PREFIX.length) : null;
}

function decodedValue(member: string): string | null {
  const value = member
    .slice(member.indexOf('=') + 1)
    .split(';', 1)[0]!
    .trim();
  if (value === '') return null;
  try {
    return decodeURIComponent(value);
  } catch {
    return null;
  }
}
