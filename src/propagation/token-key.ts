/**
 * The keys that tokens are signed and verified with. Made from text that somebody else has read; the same text makes
 * the same key. Never prints a key, and no message holds any part of one.
 */
import { createHmac, createPrivateKey, createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';

export type TokenAlgorithm = 'hmac-sha256' | 'ed25519';

export interface TokenKey {
  readonly id: string;
  readonly algorithm: TokenAlgorithm;
  /** Null: this key only verifies. */
  readonly signing: KeyObject | null;
  readonly verifying: KeyObject;
  /** What units are hashed with: the secret, or the public key, which is all that both sides of Ed25519 have. */
  readonly unit: KeyObject;
}

/** What a key is made from. PEM, but for the secret of an HMAC, which is any text. */
export type TokenKeyText =
  | { readonly kind: 'secret'; readonly text: string }
  | { readonly kind: 'private'; readonly text: string }
  | { readonly kind: 'public'; readonly text: string };

/** Letters, digits, - and _, so that it needs no quoting in a header or a cookie. */
export const KEY_ID_PATTERN = /^[A-Za-z0-9_-]{1,32}$/;
/** As long as the hash: a shorter secret is easier to guess than the signature. */
export const SECRET_MIN_BYTES = 32;

/** @throws RangeError with a sentence that says what is wrong with the text, and none of it. */
export function tokenKey(id: string, { kind, text }: TokenKeyText): TokenKey {
  return kind === 'secret' ? hmacKey(id, text) : ed25519Key(id, kind, text);
}

/**
 * A unit as tokens hold it: 128 bits of a keyed hash, in base64url. The same for the same key and unit. With Ed25519
 * whoever has the public key can try units out.
 */
export function unitHash(key: TokenKey, unit: string): string {
  // No token can be mistaken for this text: they all begin with their version.
  return createHmac('sha256', key.unit)
    .update(`unit\0${unit}`)
    .digest()
    .subarray(0, 16)
    .toString('base64url');
}

function hmacKey(id: string, text: string): TokenKey {
  const secret = Buffer.from(text.trim(), 'utf8');
  if (/-----BEGIN/.test(text)) throw new RangeError('it holds PEM, and the secret of an HMAC is plain text');
  if (secret.length < SECRET_MIN_BYTES)
    throw new RangeError(
      `the secret has ${secret.length} bytes, and at least ${SECRET_MIN_BYTES} are needed; make one with: openssl rand -hex 32`,
    );
  const key = createSecretKey(secret);
  return { id, algorithm: 'hmac-sha256', signing: key, verifying: key, unit: key };
}

function ed25519Key(id: string, kind: 'private' | 'public', text: string): TokenKey {
  const isPrivate = /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text);
  if (kind === 'public' && isPrivate)
    throw new RangeError('it holds a private key; whoever only verifies must not have it');
  if (kind === 'private' && !isPrivate)
    throw new RangeError('it holds no PEM private key; make one with: openssl genpkey -algorithm ed25519');
  const key = read(kind, text);
  if (key.asymmetricKeyType !== 'ed25519')
    throw new RangeError(`the key is of the kind ${key.asymmetricKeyType}, and only ed25519 is used here`);
  const verifying = kind === 'private' ? createPublicKey(key) : key;
  return {
    id,
    algorithm: 'ed25519',
    signing: kind === 'private' ? key : null,
    verifying,
    unit: createSecretKey(verifying.export({ type: 'spki', format: 'der' })),
  };
}

function read(kind: 'private' | 'public', text: string): KeyObject {
  try {
    return kind === 'private' ? createPrivateKey(text) : createPublicKey(text);
  } catch {
    throw new RangeError(`the ${kind} key cannot be read: it is damaged, encrypted or of an unknown kind`);
  }
}
