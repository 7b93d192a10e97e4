/**
 * Verifies tokens and remembers what came of it: a session sends the same token with each request, and a signature
 * costs 5 to 100 microseconds. Told the time. Never throws, and never says anything of a token but why it is refused.
 *
 * Remembered are the last VALID_MAX valid and INVALID_MAX invalid tokens, apart, so that made-up tokens push out
 * nobody's. One that expires is forgotten when it is seen again.
 */
import { atPointer, parsePointer } from '../base/json-pointer.ts';
import { isNameOf, isSignedBy, type Key, type KeySettings, makeKey } from './key.ts';
import { parseToken, TOKEN_MAX_CHARS, type Token } from './token.ts';

export type Refusal =
  | 'too-long'
  | 'malformed'
  | 'unknown-key' // signed with a key that is not configured
  | 'algorithm' // not that of the key
  | 'signature'
  | 'expired'
  | 'not-yet-valid'
  | 'issuer'
  | 'audience';

export interface VerifierSettings {
  readonly keys: readonly KeySettings[];
  /** One of these must be the `iss`; empty: any may be. */
  readonly issuers: readonly string[];
  /** One of these must be in the `aud`; empty: any may be. */
  readonly audiences: readonly string[];
  /** How far the clock of the issuer may be off. */
  readonly clockSkewMs: number;
}

/** What is known of a token. */
export class Verdict {
  /** Null: it is valid. */
  readonly refusal: Refusal | null;
  /** Wall time from which on this may no longer be so. */
  readonly untilMs: number;
  readonly #payload: Readonly<Record<string, unknown>>;

  constructor(refusal: Refusal | null, payload: Readonly<Record<string, unknown>>, untilMs: number) {
    this.refusal = refusal;
    this.#payload = payload;
    this.untilMs = untilMs;
  }

  /** Text, a number or a boolean by its RFC 6901 pointer; null for anything else. */
  claim(pointer: string): { value: string | number | boolean; isVerified: boolean } | null {
    const value = atPointer(this.#payload, stepsOf(pointer));
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return null;
    return { value, isVerified: this.refusal === null };
  }
}

/** Entries, of at most TOKEN_MAX_CHARS each: 32 MiB when every token is as long as can be, usually 4 MiB. */
export const VALID_MAX = 4096;
export const INVALID_MAX = 512;
const FOREVER = Number.POSITIVE_INFINITY;
const TOO_LONG = new Verdict('too-long', {}, FOREVER);

export class TokenVerifier {
  readonly #settings: VerifierSettings;
  readonly #keys: readonly Key[];
  readonly #valid = new Map<string, Verdict>();
  readonly #invalid = new Map<string, Verdict>();

  /** @throws RangeError when a key is none, see `makeKey` */
  constructor(settings: VerifierSettings) {
    this.#settings = settings;
    this.#keys = settings.keys.map(makeKey);
  }

  /** @param wallMs milliseconds since the epoch */
  verify(text: string, wallMs: number): Verdict {
    if (text.length > TOKEN_MAX_CHARS) return TOO_LONG;
    const known = this.#valid.get(text) ?? this.#invalid.get(text);
    if (known !== undefined) {
      if (wallMs < known.untilMs) return known;
      this.#valid.delete(text);
      this.#invalid.delete(text);
    }
    const verdict = this.#judge(text, wallMs);
    if (verdict.refusal === null) remember(this.#valid, text, verdict, VALID_MAX);
    else remember(this.#invalid, text, verdict, INVALID_MAX);
    return verdict;
  }

  #judge(text: string, wallMs: number): Verdict {
    const token = parseToken(text);
    if (token === null) return new Verdict('malformed', {}, FOREVER);
    const refusal = this.#signatureProblem(token) ?? this.#partyProblem(token.payload);
    if (refusal !== null) return new Verdict(refusal, token.payload, FOREVER);
    return this.#judgeTime(token.payload, wallMs);
  }

  #signatureProblem({ algorithm, keyId, signed, signature }: Token): Refusal | null {
    const candidates = keyId === null ? this.#keys : this.#keys.filter(({ id }) => id === keyId);
    if (candidates.length === 0) return 'unknown-key';
    const fitting = candidates.filter((key) => isNameOf(key.algorithm, algorithm));
    if (fitting.length === 0) return 'algorithm';
    return fitting.some((key) => isSignedBy(key, signed, signature)) ? null : 'signature';
  }

  #partyProblem({ iss, aud }: Readonly<Record<string, unknown>>): Refusal | null {
    const { issuers, audiences } = this.#settings;
    if (issuers.length > 0 && !issuers.some((issuer) => issuer === iss)) return 'issuer';
    const meant: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
    return audiences.length === 0 || audiences.some((audience) => meant.includes(audience))
      ? null
      : 'audience';
  }

  /** RFC 7519 sections 4.1.4 and 4.1.5: seconds since the epoch, either may be left out. */
  #judgeTime(payload: Readonly<Record<string, unknown>>, wallMs: number): Verdict {
    const { exp, nbf } = payload;
    const { clockSkewMs } = this.#settings;
    if (!isTime(exp) || !isTime(nbf)) return new Verdict('malformed', payload, FOREVER);
    const endsMs = exp === undefined ? FOREVER : exp * 1000 + clockSkewMs;
    const beginsMs = nbf === undefined ? 0 : nbf * 1000 - clockSkewMs;
    if (wallMs >= endsMs) return new Verdict('expired', payload, FOREVER);
    if (wallMs < beginsMs) return new Verdict('not-yet-valid', payload, beginsMs);
    return new Verdict(null, payload, endsMs);
  }
}

function isTime(value: unknown): value is number | undefined {
  return value === undefined || (typeof value === 'number' && Number.isFinite(value));
}

function remember(map: Map<string, Verdict>, text: string, verdict: Verdict, most: number): void {
  if (map.size >= most) map.delete(map.keys().next().value!);
  map.set(text, verdict);
}

/** Pointers are configured, so there are few; those of configurations that are gone are let go now and then. */
const POINTERS_MAX = 1000;
const pointers = new Map<string, readonly string[]>();

function stepsOf(pointer: string): readonly string[] {
  let steps = pointers.get(pointer);
  if (steps === undefined) {
    if (pointers.size >= POINTERS_MAX) pointers.clear();
    steps = parsePointer(pointer) ?? [];
    pointers.set(pointer, steps);
  }
  return steps;
}
