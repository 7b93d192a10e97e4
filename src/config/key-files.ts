/**
 * The keys of tokens and sticky assignments: which files hold them, where they are declared, and a copy of the
 * configuration with something else in them. Pure; reading is `control/`'s.
 */
import type { Config } from './schema.ts';
import type { KeyFile } from './schema-identity.ts';
import type { SecretFile } from './secrets.ts';

/** Every key file, in the order of the schema. */
export function keyFiles(config: Config): SecretFile[] {
  const files: SecretFile[] = [];
  const add = (file: KeyFile | undefined, ...path: SecretFile['path']): void => {
    if (file !== undefined) files.push({ path, file: file.file });
  };
  const jwt = config.identity.jwt;
  for (const [index, { secretFile, publicKeyFile }] of (jwt?.keys ?? []).entries()) {
    add(secretFile, 'identity', 'jwt', 'keys', index, 'secretFile');
    add(publicKeyFile, 'identity', 'jwt', 'keys', index, 'publicKeyFile');
  }
  add(jwt?.jwksFile, 'identity', 'jwt', 'jwksFile');
  for (const [index, { keyFile }] of config.stickyKeys.entries())
    add(keyFile, 'stickyKeys', index, 'keyFile');
  return files;
}

/**
 * A copy in which each key file holds what `textOf` answers for it, and each sticky key that is written in place
 * what `inPlace` makes of it.
 */
export function withKeyFiles(
  config: Config,
  textOf: (file: string) => string,
  inPlace: (key: string) => string | undefined = (key) => key,
): Config {
  const read = (file: KeyFile | undefined): KeyFile | undefined =>
    file === undefined ? undefined : { file: file.file, text: textOf(file.file) };
  const { jwt } = config.identity;
  return {
    ...config,
    identity: {
      jwt:
        jwt === undefined
          ? undefined
          : {
              ...jwt,
              jwksFile: read(jwt.jwksFile),
              keys: jwt.keys?.map((key) => ({
                ...key,
                secretFile: read(key.secretFile),
                publicKeyFile: read(key.publicKeyFile),
              })),
            },
    },
    stickyKeys: config.stickyKeys.map((sticky) => ({
      ...sticky,
      key: sticky.key === undefined ? undefined : inPlace(sticky.key),
      keyFile: read(sticky.keyFile),
    })),
  };
}
