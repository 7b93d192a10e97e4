/** A JWK set (RFC 7517) as identity providers publish it, to the keys that can verify tokens. Pure; throws nothing. */
import type { Algorithm, KeySettings } from './key.ts';

/** Providers have two or three; this is far above. */
export const KEYS_MAX = 32;

export interface JwksResult {
  readonly keys: readonly KeySettings[];
  /** Keys of the set that are for something else, or of an algorithm that is not supported. */
  readonly skipped: number;
  /** Why it is no set, or null. */
  readonly problem: string | null;
}

export function readJwks(text: string): JwksResult {
  const set = parsed(text);
  const list = typeof set === 'object' && set !== null && 'keys' in set ? set.keys : null;
  if (!Array.isArray(list)) return failed('it is no JWK set: JSON with a list "keys"');
  if (list.length > KEYS_MAX) return failed(`it has ${list.length} keys, more than ${KEYS_MAX}`);
  const keys = list.map(keyOf).filter((key) => key !== null);
  if (keys.length === 0) return failed('it has no key for HS256, RS256, ES256 or EdDSA signatures');
  return { keys, skipped: list.length - keys.length, problem: null };
}

function failed(problem: string): JwksResult {
  return { keys: [], skipped: 0, problem };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function keyOf(value: unknown): KeySettings | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const jwk = value as Record<string, unknown>;
  const algorithm = algorithmOf(jwk);
  if (algorithm === null || !isForSignatures(jwk)) return null;
  const id = typeof jwk.kid === 'string' ? jwk.kid : null;
  return { id, algorithm, material: { kind: 'jwk', jwk } };
}

function isForSignatures({ use, key_ops }: Record<string, unknown>): boolean {
  return (use === undefined || use === 'sig') && (!Array.isArray(key_ops) || key_ops.includes('verify'));
}

/** By `alg`, or by the kind of key where that leaves no choice. A secret without `alg` is not taken. */
function algorithmOf({ alg, kty, crv }: Record<string, unknown>): Algorithm | null {
  const isOf = (name: string): boolean => alg === undefined || alg === name;
  if (kty === 'RSA' && isOf('RS256')) return 'RS256';
  if (kty === 'EC' && crv === 'P-256' && isOf('ES256')) return 'ES256';
  if (kty === 'OKP' && crv === 'Ed25519' && (isOf('EdDSA') || alg === 'Ed25519')) return 'EdDSA';
  return kty === 'oct' && alg === 'HS256' ? 'HS256' : null;
}
