/**
 * A key that tokens are verified with. Its algorithm is a part of it and never taken from a token: that is what
 * keeps a public RSA key from being used as an HMAC secret.
 */
import {
  createHmac,
  createPublicKey,
  createSecretKey,
  type JsonWebKey,
  type KeyObject,
  timingSafeEqual,
  verify,
} from 'node:crypto';

export const ALGORITHMS = ['HS256', 'RS256', 'ES256', 'EdDSA'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/** How a key is declared: the text of a secret, of a PEM file, or a member of a JWK set. */
export type KeyMaterial =
  | { readonly kind: 'secret'; readonly secret: string }
  | { readonly kind: 'pem'; readonly pem: string }
  | { readonly kind: 'jwk'; readonly jwk: Readonly<Record<string, unknown>> };

export interface KeySettings {
  /** The `kid` of the tokens it signs; null: it has none. */
  readonly id: string | null;
  readonly algorithm: Algorithm;
  readonly material: KeyMaterial;
}

export interface Key {
  readonly id: string | null;
  readonly algorithm: Algorithm;
  readonly key: KeyObject;
}

/** RFC 7518 sections 3.2 and 3.3. */
const SECRET_MIN_BYTES = 32;
const RSA_MIN_BITS = 2048;

/** @throws RangeError with a sentence, which holds nothing of the key, for what is no such key or too weak. */
export function makeKey({ id, algorithm, material }: KeySettings): Key {
  const key = objectOf(material, algorithm);
  const problem = algorithm === 'HS256' ? secretProblem(key) : publicProblem(key, algorithm);
  if (problem !== null) throw new RangeError(problem);
  return { id, algorithm, key };
}

/** Whether `signature` is this key's over `signed`. Never throws. */
export function isSignedBy({ key, algorithm }: Key, signed: Buffer, signature: Buffer): boolean {
  switch (algorithm) {
    case 'HS256': {
      const expected = createHmac('sha256', key).update(signed).digest();
      return signature.length === expected.length && timingSafeEqual(signature, expected);
    }
    case 'RS256':
      return verify('sha256', signed, key, signature);
    case 'ES256':
      // The two numbers side by side, 64 bytes (RFC 7518 section 3.4), and no DER.
      return (
        signature.length === 64 && verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature)
      );
    case 'EdDSA':
      return verify(null, signed, key, signature);
  }
}

/** RFC 9864 gives Ed25519 a name of its own; tokens have either. */
export function isNameOf(algorithm: Algorithm, name: string): boolean {
  return name === algorithm || (algorithm === 'EdDSA' && name === 'Ed25519');
}

function objectOf(material: KeyMaterial, algorithm: Algorithm): KeyObject {
  if (material.kind === 'secret') return createSecretKey(Buffer.from(material.secret, 'utf8'));
  if (material.kind === 'pem' && /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(material.pem))
    throw new RangeError('it is a private key, which has no business here; take the public one');
  if (material.kind === 'jwk' && algorithm === 'HS256')
    return createSecretKey(Buffer.from(String(material.jwk.k ?? ''), 'base64url'));
  try {
    return material.kind === 'pem'
      ? createPublicKey(material.pem)
      : createPublicKey({ key: publicPart(material.jwk), format: 'jwk' });
  } catch {
    throw new RangeError(
      material.kind === 'pem'
        ? 'it is no PEM public key (-----BEGIN PUBLIC KEY-----)'
        : 'it is damaged or of an unknown kind',
    );
  }
}

/** The members of a public key; that somebody put a private one into the set is no reason to read it. */
function publicPart({ kty, crv, x, y, n, e }: Readonly<Record<string, unknown>>): JsonWebKey {
  return { kty, crv, x, y, n, e } as JsonWebKey;
}

function secretProblem(key: KeyObject): string | null {
  const bytes = key.symmetricKeySize ?? 0;
  if (bytes >= SECRET_MIN_BYTES) return null;
  return `the secret has ${bytes} bytes; HS256 needs at least ${SECRET_MIN_BYTES}`;
}

function publicProblem(key: KeyObject, algorithm: Algorithm): string | null {
  const kind = key.asymmetricKeyType;
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {};
  if (algorithm === 'RS256') {
    if (kind !== 'rsa') return `it is a key of the kind ${kind}; RS256 needs rsa`;
    return modulusLength >= RSA_MIN_BITS
      ? null
      : `the key has ${modulusLength} bits; RS256 needs at least ${RSA_MIN_BITS}`;
  }
  if (algorithm === 'ES256')
    return kind === 'ec' && namedCurve === 'prime256v1'
      ? null
      : `it is a key of the kind ${namedCurve ?? kind}; ES256 needs P-256`;
  return kind === 'ed25519' ? null : `it is a key of the kind ${kind}; EdDSA needs ed25519`;
}
