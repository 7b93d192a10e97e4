/**
 * Signed tokens: what one sidecar vouches for to another, and what a person may ask for. `fl1.KEY.CLAIMS.SIGNATURE`,
 * the last two in base64url; the signature is over everything before it. The claims are one JSON array,
 *
 *   [purpose, audience, issued, expires, [[experiment, variant, epoch, unit], ...]]
 *
 * with times in seconds since 1970 and units hashed. There is exactly one text for the same claims and key: whatever
 * else says the same is refused, so that every byte counts. Pure: told the time, and handed its keys.
 * HMAC: RFC 2104 with SHA-256. Ed25519: RFC 8032, which is deterministic.
 */
import { createHmac, sign, timingSafeEqual, verify } from 'node:crypto';
import { KEY_ID_PATTERN, type TokenKey } from './token-key.ts';

/** `context`: the variants a request carries. `override`: what a person asks for. One is never taken for the other. */
export type TokenPurpose = 'context' | 'override';

export interface TokenEntry {
  readonly experiment: string;
  readonly variant: string;
  /** Of the experiment where the token was signed; 0 when it is not known. */
  readonly epoch: number;
  /** As `unitHash` makes it; '' when the token is for whoever holds it. */
  readonly unit: string;
}

export interface TokenClaims {
  readonly purpose: TokenPurpose;
  /** The service it is for; `*`: any. */
  readonly audience: string;
  /** Seconds since 1970. */
  readonly issuedS: number;
  /** The first second at which it counts no more. */
  readonly expiresS: number;
  /** One or more, each experiment once. */
  readonly entries: readonly TokenEntry[];
}

/** Why a token is not believed; a label of `fairlead_signed_tokens_total`. `unit`: it is another unit's. */
export type TokenRefusal =
  | 'malformed'
  | 'too-large'
  | 'unknown-key'
  | 'bad-signature'
  | 'wrong-purpose'
  | 'wrong-audience'
  | 'expired'
  | 'not-yet'
  | 'unit'
  | 'throttled';

export const TOKEN_MAX_BYTES = 4096;
export const TOKEN_ENTRIES_MAX = 64;
export const ANY_AUDIENCE = '*';

const VERSION = 'fl1';
/** As of RFC 9651 keys and of the names that the configuration takes; neither needs an escape in JSON. */
const EXPERIMENT = /^[a-z*][a-z0-9_.*-]{0,62}$/;
const VARIANT = /^[A-Za-z][A-Za-z0-9_.-]{0,62}$/;
const AUDIENCE = /^(?:\*|[A-Za-z0-9][A-Za-z0-9_.-]{0,62})$/;
const UNIT = /^(?:|[A-Za-z0-9_-]{22})$/;
const BASE64URL = /^[A-Za-z0-9_-]+$/;

/** A value that means to be a token: no dictionary looks like this. */
export function isTokenText(value: string): boolean {
  return value.startsWith(`${VERSION}.`) && !value.includes('=');
}

/**
 * The token for these claims. Null when it would be longer than TOKEN_MAX_BYTES.
 * @throws RangeError when a claim cannot be written, or the key only verifies: the caller's mistake.
 */
export function signToken(claims: TokenClaims, key: TokenKey): string | null {
  if (key.signing === null) throw new RangeError(`the key ${key.id} only verifies`);
  if (!isWritable(claims)) throw new RangeError('the claims of a token are out of their bounds');
  const signed = `${VERSION}.${key.id}.${Buffer.from(write(claims), 'latin1').toString('base64url')}`;
  const token = `${signed}.${signatureOf(signed, key)}`;
  return token.length > TOKEN_MAX_BYTES ? null : token;
}

/** A token taken apart, with nothing verified. */
export interface TokenParts {
  readonly keyId: string;
  /** What the signature is over. */
  readonly signed: string;
  readonly signature: string;
  readonly claims: TokenClaims;
}

/** Takes a token apart; a refusal when it is none. Believe nothing of it before `isSignedBy`. */
export function readToken(token: string): TokenParts | 'malformed' | 'too-large' {
  const outer = splitToken(token);
  if (typeof outer === 'string') return outer;
  const claims = readClaims(outer.payload);
  return claims === null ? 'malformed' : { ...outer, claims };
}

/** Whether the signature is this key's, compared in constant time. */
export function isSignedBy(
  { signed, signature }: Pick<TokenParts, 'signed' | 'signature'>,
  key: TokenKey,
): boolean {
  if (key.algorithm === 'hmac-sha256') {
    // As text, so that the bits that base64url does not use count as well.
    const expected = Buffer.from(hmac(signed, key), 'latin1');
    const found = Buffer.from(signature, 'latin1');
    return found.length === expected.length && timingSafeEqual(found, expected);
  }
  const bytes = Buffer.from(signature, 'base64url');
  if (bytes.length !== 64 || bytes.toString('base64url') !== signature) return false;
  return verify(null, Buffer.from(signed, 'latin1'), key.verifying, bytes);
}

/**
 * The claims of a token that one of the keys has signed, or why not. The claims are read only behind a good
 * signature. Whether they hold now and here is `refusalOf`'s.
 */
export function verifyToken(
  token: string,
  keys: ReadonlyMap<string, TokenKey>,
): { readonly claims: TokenClaims; readonly key: TokenKey } | TokenRefusal {
  const outer = splitToken(token);
  if (typeof outer === 'string') return outer;
  const key = keys.get(outer.keyId);
  if (key === undefined) return 'unknown-key';
  if (!isSignedBy(outer, key)) return 'bad-signature';
  const claims = readClaims(outer.payload);
  return claims === null ? 'malformed' : { claims, key };
}

/** What a token must be to count here and now. */
export interface TokenExpectation {
  readonly purpose: TokenPurpose;
  readonly service: string;
  readonly nowS: number;
  /** How far the clocks of two machines may be apart. */
  readonly skewS: number;
}

/** Why claims do not hold here and now; null: they do. */
export function refusalOf(claims: TokenClaims, expected: TokenExpectation): TokenRefusal | null {
  if (claims.purpose !== expected.purpose) return 'wrong-purpose';
  if (claims.audience !== ANY_AUDIENCE && claims.audience !== expected.service) return 'wrong-audience';
  if (expected.nowS >= claims.expiresS + expected.skewS) return 'expired';
  return expected.nowS < claims.issuedS - expected.skewS ? 'not-yet' : null;
}

interface Outer extends Omit<TokenParts, 'claims'> {
  readonly payload: string;
}

function splitToken(token: string): Outer | 'malformed' | 'too-large' {
  if (token.length > TOKEN_MAX_BYTES) return 'too-large';
  const [version, keyId, payload, signature, ...rest] = token.split('.');
  if (version !== VERSION || keyId === undefined || payload === undefined || signature === undefined)
    return 'malformed';
  if (rest.length > 0 || !KEY_ID_PATTERN.test(keyId)) return 'malformed';
  if (!BASE64URL.test(payload) || !BASE64URL.test(signature)) return 'malformed';
  return { keyId, payload, signature, signed: token.slice(0, token.length - signature.length - 1) };
}

function readClaims(payload: string): TokenClaims | null {
  const text = Buffer.from(payload, 'base64url').toString('latin1');
  const claims = shaped(parseJson(text));
  if (claims === null || !isWritable(claims)) return null;
  // One text for the same claims: no other order, white space, escape or spare bit.
  const isCanonical = write(claims) === text && Buffer.from(text, 'latin1').toString('base64url') === payload;
  return isCanonical ? claims : null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Types only; the bounds are `isWritable`'s. */
function shaped(value: unknown): TokenClaims | null {
  if (!Array.isArray(value)) return null;
  const [purpose, audience, issuedS, expiresS, list] = value as unknown[];
  if (purpose !== 'context' && purpose !== 'override') return null;
  if (typeof audience !== 'string' || typeof issuedS !== 'number' || typeof expiresS !== 'number')
    return null;
  if (!Array.isArray(list)) return null;
  const entries: TokenEntry[] = [];
  for (const item of list as unknown[]) {
    if (!Array.isArray(item)) return null;
    const [experiment, variant, epoch, unit] = item as unknown[];
    if (typeof experiment !== 'string' || typeof variant !== 'string') return null;
    if (typeof epoch !== 'number' || typeof unit !== 'string') return null;
    entries.push({ experiment, variant, epoch, unit });
  }
  return { purpose, audience, issuedS, expiresS, entries };
}

function isWritable({ audience, issuedS, expiresS, entries }: TokenClaims): boolean {
  if (!AUDIENCE.test(audience) || !isCount(issuedS) || !isCount(expiresS) || expiresS <= issuedS)
    return false;
  if (entries.length < 1 || entries.length > TOKEN_ENTRIES_MAX) return false;
  const names = new Set(entries.map(({ experiment }) => experiment));
  return names.size === entries.length && entries.every(isEntryWritable);
}

/** Whether a token can be about this experiment and variant. */
export function isSignable(experiment: string, variant: string): boolean {
  return EXPERIMENT.test(experiment) && VARIANT.test(variant);
}

function isEntryWritable({ experiment, variant, epoch, unit }: TokenEntry): boolean {
  return isSignable(experiment, variant) && isCount(epoch) && UNIT.test(unit);
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && !Object.is(value, -0);
}

function write({ purpose, audience, issuedS, expiresS, entries }: TokenClaims): string {
  const list = entries.map(({ experiment, variant, epoch, unit }) => [experiment, variant, epoch, unit]);
  return JSON.stringify([purpose, audience, issuedS, expiresS, list]);
}

function signatureOf(signed: string, key: TokenKey): string {
  if (key.algorithm === 'hmac-sha256') return hmac(signed, key);
  return sign(null, Buffer.from(signed, 'latin1'), key.signing!).toString('base64url');
}

function hmac(signed: string, key: TokenKey): string {
  return createHmac('sha256', key.verifying).update(signed, 'latin1').digest('base64url');
}
