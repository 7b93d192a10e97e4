/**
 * Sticky assignments as text: `1:KEY:MAC:ranking:candidate:1:sm3k2x~search::2:sm3k2x:4fa1`, which a cookie or a
 * header can hold as it is. One entry for each experiment: its name, the variant, the bucket version, when it was
 * issued (seconds, base 36) and, when the variant is empty, the slot of the traffic gate (base 36).
 *
 * The MAC is HMAC-SHA-256 over all that follows it, the version, the key's id and the name of the cookie or header,
 * so that what was given out under one name is worth nothing under another. It keeps clients from choosing; it hides
 * nothing and names nobody, so copied to another client it gives that one the same variants.
 */
import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';

/** Browsers keep 4096 bytes for a cookie with its name and attributes. */
export const STICKY_MAX_CHARS = 4096;

export interface StickyMacKey {
  readonly id: string;
  readonly key: KeyObject;
}

/** See `experiment/sticky.ts`. */
export interface StickyTextEntry {
  readonly experiment: string;
  readonly variant: string | null;
  readonly bucketVersion: number;
  readonly issuedS: number;
  readonly enrolSlot: number;
}

export type StickyTextProblem = 'malformed' | 'unknown-key' | 'forged';

export interface StickyText {
  readonly entries: readonly StickyTextEntry[];
  /** Position of the key that it is signed with. */
  readonly keyIndex: number;
}

const VERSION = '1';
const SHAPE = /^1:([A-Za-z0-9_.-]{1,63}):([A-Za-z0-9_-]{43}):([A-Za-z0-9_.:~-]+)$/;
const ENTRY =
  /^([a-z][a-z0-9_.-]{0,62}):((?:[A-Za-z][A-Za-z0-9_.-]{0,62})?):([1-9]\d{0,8}):([0-9a-z]{1,8})(?::([0-9a-z]{1,4}))?$/;

/** Reads what a client sent under `name`. Never throws. */
export function readSticky(
  text: string,
  name: string,
  keys: readonly StickyMacKey[],
): StickyText | StickyTextProblem {
  const match = text.length > STICKY_MAX_CHARS ? null : SHAPE.exec(text);
  if (match === null) return 'malformed';
  const [, id = '', mac = '', body = ''] = match;
  const keyIndex = keys.findIndex((key) => key.id === id);
  if (keyIndex === -1) return 'unknown-key';
  if (!isSame(mac, macOf(keys[keyIndex]!, name, body))) return 'forged';
  const entries: StickyTextEntry[] = [];
  for (const part of body.split('~')) {
    const entry = entryOf(part);
    if (entry === null) return 'malformed';
    entries.push(entry);
  }
  return { entries, keyIndex };
}

/**
 * The text for `entries`, the newest first; of those that do not fit into `charsMax` the oldest are left out. Null when
 * none fits.
 */
export function writeSticky(
  entries: readonly StickyTextEntry[],
  name: string,
  key: StickyMacKey,
  charsMax: number,
): string | null {
  const head = `${VERSION}:${key.id}:`;
  const room = charsMax - head.length - MAC_CHARS - 1;
  let body = '';
  for (const entry of [...entries].sort((one, other) => other.issuedS - one.issuedS)) {
    const longer = body === '' ? textOf(entry) : `${body}~${textOf(entry)}`;
    if (longer.length > room) break;
    body = longer;
  }
  return body === '' ? null : `${head}${macOf(key, name, body)}:${body}`;
}

const MAC_CHARS = 43;

function macOf({ id, key }: StickyMacKey, name: string, body: string): string {
  const text = `fairlead sticky ${VERSION}\n${id}\n${name}\n${body}`;
  return createHmac('sha256', key).update(text, 'latin1').digest('base64url');
}

/** As texts, since a base64url text of 43 characters can be written in four ways. */
function isSame(one: string, other: string): boolean {
  return timingSafeEqual(Buffer.from(one, 'latin1'), Buffer.from(other, 'latin1'));
}

function entryOf(text: string): StickyTextEntry | null {
  const match = ENTRY.exec(text);
  if (match === null) return null;
  const [, experiment = '', variant = '', version = '', issued = '', slot] = match;
  if ((variant === '') !== (slot !== undefined)) return null;
  return {
    experiment,
    variant: variant === '' ? null : variant,
    bucketVersion: Number(version),
    issuedS: Number.parseInt(issued, 36),
    enrolSlot: slot === undefined ? 0 : Number.parseInt(slot, 36),
  };
}

function textOf({ experiment, variant, bucketVersion, issuedS, enrolSlot }: StickyTextEntry): string {
  const text = `${experiment}:${variant ?? ''}:${bucketVersion}:${issuedS.toString(36)}`;
  return variant === null ? `${text}:${enrolSlot.toString(36)}` : text;
}
