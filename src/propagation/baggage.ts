/**
 * W3C Baggage, as far as it is ours: one short member an experiment, `fairlead.checkout=candidate`, so that the
 * experiment survives services that copy only the W3C fields.
 *
 * Other members, their order, properties and white space are never touched, nor dropped to make room for ours, valid or
 * not: who reads them knows better. https://www.w3.org/TR/baggage/
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
/** A value as it is written: no spaces, controls, quotes, commas, semicolons, backslashes, nothing beyond ASCII. */
const VALUE = /^[!#-+\--:<-[\]-~]+$/;
/** What percent-encoding would leave as it is; looking costs a third of encoding. */
const PLAIN = /^[A-Za-z0-9_.-]*$/;

/**
 * Our members, in order, without their properties. One that makes no sense is left out: no value, none that is
 * percent-encoded UTF-8, or characters that the format does not have; `malformed` collects those.
 */
export function readBaggage(baggage: string, malformed?: string[]): NamedVariant[] {
  const found: NamedVariant[] = [];
  if (!baggage.includes(PREFIX)) return found;
  for (const member of baggage.split(',')) {
    if (!isOurs(member)) continue;
    const name = experimentOf(member);
    const variant = name === null ? null : decodedValue(member);
    if (name !== null && variant !== null) found.push({ name, variant });
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
    const name = experimentOf(part);
    const member = members.find((candidate) => candidate.name === name);
    if (member === undefined) {
      if (name !== null && decodedValue(part) !== null) result.push(part);
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
  if (value === '' || !VALUE.test(value)) return null;
  if (!value.includes('%')) return value;
  try {
    return decodeURIComponent(value);
  } catch {
    return null;
  }
}
