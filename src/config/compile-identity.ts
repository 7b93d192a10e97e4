/** Declared keys, their files read in, to what tokens are verified with. Pure. */
import { readJwks } from '../identity/jwks.ts';
import type { KeySettings } from '../identity/key.ts';
import type { VerifierSettings } from '../identity/verifier.ts';
import type { IdentityConfig, JwtConfig, StickyKeyConfig } from './schema-identity.ts';

/** Where JSON web tokens are and what makes them valid. */
export interface JwtSettings {
  /** Lower case; null: it is a cookie. */
  readonly header: string | null;
  readonly cookie: string | null;
  readonly verifier: VerifierSettings;
}

/** A secret that sticky assignments are signed with. */
export interface StickyKey {
  readonly id: string;
  readonly secret: string;
}

/** Null when no token is read. */
export function compileIdentity({ jwt }: IdentityConfig): JwtSettings | null {
  if (jwt === undefined) return null;
  return {
    header: jwt.header ?? null,
    cookie: jwt.cookie ?? null,
    verifier: {
      keys: jwtKeys(jwt),
      issuers: jwt.issuer ?? [],
      audiences: jwt.audience ?? [],
      clockSkewMs: jwt.clockSkew,
    },
  };
}

/** In their order: the first signs. */
export function compileStickyKeys(keys: readonly StickyKeyConfig[]): StickyKey[] {
  return keys.map(({ id, key, keyFile }) => ({ id, secret: key ?? keyFile?.text.trim() ?? '' }));
}

/** The keys of the list or of the set. */
export function jwtKeys(jwt: JwtConfig): readonly KeySettings[] {
  if (jwt.keys === undefined) return readJwks(jwt.jwksFile?.text ?? '').keys;
  return jwt.keys.map(
    ({ id, algorithm, secretFile, publicKeyFile }): KeySettings => ({
      id,
      algorithm,
      material:
        secretFile === undefined
          ? { kind: 'pem', pem: publicKeyFile?.text ?? '' }
          : { kind: 'secret', secret: secretFile.text.trim() },
    }),
  );
}
