/**
 * W3C Baggage, as far as it is ours: one short member an experiment, `fairlead.checkout=candidate`, so that the
 * experiment survives services that copy only the W3C fields.
 *
 * Other members, their order, properties and white space are never touched, nor dropped to make room for ours. One that
 * is malformed is dropped, whosever it is: with it, readers refuse all of the field. https://www.w3.org/TR/baggage/
 */

import { isDictionaryKey } from '../base/dictionary.ts';

/** An experiment and one of its variants, by name. */
export interface NamedVariant {
  readonly name: string;
  readonly variant: string;
}

/** What a platform must let through (W3C Baggage, Limits); we add no member that would go beyond it. */
export const BAGGAGE_MEMBERS_MAX = 64;
export const BAGGAGE_BYTES_MAX = 8192;

const PREFIX = 'fairlead.';
const KEY = "[!#$%&'*+.^_`|~0-9A-Za-z-]+[ \\t]*";
/** No spaces, controls, quotes, commas, semicolons, backslashes, nothing beyond ASCII. */
const EQUALS_VALUE = '=[ \\t]*(?:[!#-+\\--:<-[\\]-~]+[ \\t]*)?';
/** One way only to read each character, so that no text takes long. Empty members are a part of lists (RFC 9110 section 5.6.1). */
const MEMBER = `[ \\t]*(?:${KEY}${EQUALS_VALUE}(?:;[ \\t]*${KEY}(?:${EQUALS_VALUE})?)*)?`;
const IS_MEMBER = new RegExp(`^${MEMBER}$`);
const IS_LIST = new RegExp(`^${MEMBER}(?:,${MEMBER})*$`);
/** What percent-encoding would leave as it is; looking costs a third of encoding. */
const PLAIN = /^[A-Za-z0-9_.-]*$/;

/** Whether every member has the form that W3C Baggage gives it; of ours, not yet whether it makes sense. */
export function isBaggage(baggage: string): boolean {
  return IS_LIST.test(baggage);
}

/** The baggage without members that are malformed, ours that make no sense among them; '' when nothing is left. */
export function withoutMalformed(baggage: string): string {
  const members = baggage.split(',');
  const rest = members.filter((member) =>
    isOurs(member) ? namedIn(member) !== null : IS_MEMBER.test(member),
  );
  if (rest.length === members.length) return baggage;
  return rest
    .filter((member) => member.trim() !== '')
    .join(',')
    .trim();
}

/**
 * Our members, in order, without their properties. One that makes no sense is left out: no value, none that is
 * percent-encoded UTF-8, or characters that the format does not have; `malformed` collects those.
 */
export function readBaggage(baggage: string, malformed?: string[]): NamedVariant[] {
  const found: NamedVariant[] = [];
  if (!baggage.includes(PREFIX)) return found;
  for (const member of baggage.split(',')) {
    if (!isOurs(member)) continue;
    const named = namedIn(member);
    if (named !== null) found.push(named);
    else malformed?.push(member);
  }
  return found;
}

/**
 * The baggage with `members` in it: a member of the same experiment is replaced where it stands, the others are
 * added behind. '' when there is nothing to write. A replaced one keeps its properties; of ours, repetitions and those that
 * make no sense are removed. A member of ours that would make more than
 * BAGGAGE_MEMBERS_MAX members or BAGGAGE_BYTES_MAX bytes is left out whole, and so is an experiment whose name
 * `x-experiment` could not hold either.
 */
export function writeBaggage(existing: string | null, members: readonly NamedVariant[]): string {
  let text = existing === null || existing.trim() === '' ? '' : existing;
  if (members.length === 0) return text;
  const replaced = new Set<string>();
  if (text.includes(PREFIX)) text = replaceOurs(text, members, replaced);
  let count = countMembers(text);
  for (const member of members) {
    if (count >= BAGGAGE_MEMBERS_MAX) break;
    const added = replaced.has(member.name) ? '' : serialise(member);
    if (added === '' || text.length + 1 + added.length > BAGGAGE_BYTES_MAX) continue;
    text = text === '' ? added : `${text},${added}`;
    count++;
  }
  return text;
}

/** Replace the first member of each experiment of `members`, and remove its repetitions; adds to `replaced`. */
function replaceOurs(text: string, members: readonly NamedVariant[], replaced: Set<string>): string {
  const result: string[] = [];
  for (const part of text.split(',')) {
    if (!isOurs(part)) {
      result.push(part);
      continue;
    }
    const named = namedIn(part);
    if (named === null) continue;
    const member = members.find(({ name }) => name === named.name);
    if (member === undefined) {
      result.push(part);
    } else if (!replaced.has(member.name)) {
      const written = serialise(member);
      result.push(written === '' ? part : written + propertiesOf(part));
      replaced.add(member.name);
    }
  }
  return result.join(',');
}

function countMembers(text: string): number {
  let count = text === '' ? 0 : 1;
  for (let at = text.indexOf(','); at >= 0; at = text.indexOf(',', at + 1)) count++;
  return count;
}

function serialise(member: NamedVariant): string {
  const { name, variant } = member;
  if (!isDictionaryKey(name)) return '';
  return `${PREFIX}${name}=${PLAIN.test(variant) ? variant : encodeURIComponent(variant.toWellFormed())}`;
}

function isOurs(member: string): boolean {
  return member.trimStart().startsWith(PREFIX);
}

/** With the semicolon before them; '' for none. */
function propertiesOf(member: string): string {
  const semicolon = member.indexOf(';');
  return semicolon < 0 ? '' : member.slice(semicolon).trimEnd();
}

/** What a member of ours says; null when it makes no sense. */
function namedIn(member: string): NamedVariant | null {
  if (!IS_MEMBER.test(member)) return null;
  const equals = member.indexOf('=');
  const name = member.slice(0, equals).trim().slice(PREFIX.length);
  const semicolon = member.indexOf(';', equals);
  const value = member.slice(equals + 1, semicolon < 0 ? undefined : semicolon).trim();
  if (name === '' || value === '') return null;
  if (!value.includes('%')) return { name, variant: value };
  try {
    return { name, variant: decodeURIComponent(value) };
  } catch {
    return null;
  }
}
