/** JSON web tokens made by jose, and the keys they are signed with. */
import { generateKeyPairSync, type KeyObject, type KeyPairKeyObjectResult, randomBytes } from 'node:crypto';
import { type JWTPayload, SignJWT } from 'jose';
import type { Algorithm, KeySettings } from '../../src/identity/key.ts';

export interface Signer {
  readonly algorithm: Algorithm;
  readonly id: string;
  /** What verifies: the text of the secret, or a PEM public key. */
  readonly text: string;
  readonly settings: KeySettings;
  /** `header` replaces members of the protected header. */
  sign(payload: JWTPayload, header?: Record<string, unknown>): Promise<string>;
}

/** A fresh key. */
export function signerOf(algorithm: Algorithm, id: string): Signer {
  const { key, text } = algorithm === 'HS256' ? secret() : keyPair(algorithm);
  return {
    algorithm,
    id,
    text,
    settings: {
      id,
      algorithm,
      material: algorithm === 'HS256' ? { kind: 'secret', secret: text } : { kind: 'pem', pem: text },
    },
    sign: (payload, header = {}) =>
      new SignJWT(payload).setProtectedHeader({ alg: algorithm, kid: id, ...header }).sign(key),
  };
}

function secret(): { key: Uint8Array; text: string } {
  const text = randomBytes(32).toString('base64');
  return { key: Buffer.from(text), text };
}

function keyPair(algorithm: Algorithm): { key: KeyObject; text: string } {
  const { privateKey, publicKey } = generated(algorithm);
  return { key: privateKey, text: String(publicKey.export({ type: 'spki', format: 'pem' })) };
}

function generated(algorithm: Algorithm): KeyPairKeyObjectResult {
  if (algorithm === 'RS256') return generateKeyPairSync('rsa', { modulusLength: 2048 });
  if (algorithm === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return generateKeyPairSync('ed25519');
}

/** A token out of any header, payload and signature. */
export function rawToken(header: unknown, payload: unknown, signature: Buffer | string): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const tail = typeof signature === 'string' ? signature : signature.toString('base64url');
  return `${part(header)}.${part(payload)}.${tail}`;
}
