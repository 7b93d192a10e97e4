/**
 * The part of the configuration schema that describes the keys of signed tokens. Keys are files: the schema takes
 * their names, `control/` reads them into the same object.
 */
import { z } from 'zod';
import { KEY_ID_PATTERN, type TokenAlgorithm, type TokenKeyText } from '../propagation/token-key.ts';
import { duration, positiveDuration, text } from './schema-values.ts';

/** A key as declared; `text` is what is in its file once it has been read, '' before. Never shown or hashed. */
export interface TokenKeyConfig {
  readonly id: string;
  readonly algorithm: TokenAlgorithm;
  readonly kind: TokenKeyText['kind'];
  readonly file: string;
  readonly text: string;
}

const ALGORITHM_OF = { secret: 'hmac-sha256', private: 'ed25519', public: 'ed25519' } as const;

/** Somebody who writes the key itself here must not find it in a log because there is no such file. */
const keyFile = () =>
  text(4096).refine((value) => !/-----BEGIN|[\r\n]/.test(value), {
    error: 'this is no file name; write the key into a file of its own and its path here',
  });

const key = z
  .strictObject({
    id: z
      .string()
      .regex(KEY_ID_PATTERN, {
        error: (issue) =>
          `${JSON.stringify(issue.input)} is no key id; expected at most 32 letters, digits, - and _`,
      })
      .describe('Names the key in every token; unique. A new key gets a new one.'),
    algorithm: z
      .enum(['hmac-sha256', 'ed25519'])
      .optional()
      .describe('Default: hmac-sha256 with secretFile, else ed25519.'),
    secretFile: keyFile().optional().describe('File: a secret of 32 bytes or more, for HMAC-SHA-256.'),
    privateKeyFile: keyFile()
      .optional()
      .describe('PEM file: an Ed25519 private key, which signs and verifies.'),
    publicKeyFile: keyFile().optional().describe('PEM file: an Ed25519 public key, which only verifies.'),
  })
  .transform((value, context): TokenKeyConfig => {
    const files = { secret: value.secretFile, private: value.privateKeyFile, public: value.publicKeyFile };
    const given = (['secret', 'private', 'public'] as const).filter((kind) => files[kind] !== undefined);
    const fail = (message: string): never => {
      context.issues.push({ code: 'custom', message, input: value });
      return z.NEVER;
    };
    if (given.length !== 1)
      return fail('a key has exactly one of secretFile, privateKeyFile and publicKeyFile');
    const kind = given[0]!;
    const algorithm = value.algorithm ?? ALGORITHM_OF[kind];
    if (algorithm !== ALGORITHM_OF[kind])
      return fail(
        `a key with a ${kind === 'secret' ? 'secretFile' : `${kind}KeyFile`} is not of ${algorithm}`,
      );
    return { id: value.id, algorithm, kind, file: files[kind]!, text: '' };
  });

export const tokensSchema = z
  .strictObject({
    keys: z.array(key).min(1).max(16).describe('The first one signs, each verifies: rotate by adding.'),
    ttl: positiveDuration().prefault('1h').describe('How long a signed context holds.'),
    clockSkew: duration().prefault('30s').describe('How far the clocks of two machines may be apart.'),
  })
  .describe('Signed context and overrides.');

export type TokensConfig = z.output<typeof tokensSchema>;
