/** The part of the configuration schema that says how tokens are verified. Keys are files, as certificates are. */
import { z } from 'zod';
import { ALGORITHMS } from '../identity/key.ts';
import { cookieName, duration, headerName, NAME_HELP, NAME_PATTERN, name, text } from './schema-values.ts';

/** A file with a key: its name as declared, and its text once it has been read; '' before. Never shown or hashed. */
export interface KeyFile {
  readonly file: string;
  readonly text: string;
}

/** Somebody who writes the key itself here must not find it in a log because there is no such file. */
export const keyFile = () =>
  text(4096)
    .refine((value) => !/-----BEGIN|[\r\n]|^\s*\{/.test(value), {
      error: 'this is no file name; write the key into a file of its own and its path here',
    })
    .transform((file): KeyFile => ({ file, text: '' }));

/** As it is written in `kid`, so that it may hold what keys of providers hold. */
const keyId = () => text(256);

const jwtKey = z
  .strictObject({
    id: keyId().describe('The kid of the tokens that it signs.'),
    algorithm: z.enum(ALGORITHMS).describe('The only algorithm that this key is for.'),
    secretFile: keyFile()
      .optional()
      .describe('For HS256: file with the secret, at least 32 bytes; white space around it does not count.'),
    publicKeyFile: keyFile().optional().describe('For the others: PEM file with the public key.'),
  })
  .superRefine(({ algorithm, secretFile, publicKeyFile }, context) => {
    const isSecret = algorithm === 'HS256';
    const wanted = isSecret ? 'secretFile' : 'publicKeyFile';
    const other = isSecret ? publicKeyFile : secretFile;
    if (other === undefined && (isSecret ? secretFile : publicKeyFile) !== undefined) return;
    context.addIssue({ code: 'custom', message: `a key for ${algorithm} has a ${wanted}, and nothing else` });
  });

const oneOrMore = () =>
  z
    .union([text(1024), z.array(text(1024)).min(1).max(32)])
    .transform((value): string[] => (Array.isArray(value) ? value : [value]));

const jwt = z
  .strictObject({
    header: headerName()
      .optional()
      .describe(
        'Header that holds the token; authorization: behind Bearer. Default, unless cookie is given.',
      ),
    cookie: cookieName().optional().describe('Cookie that holds the token.'),
    issuer: oneOrMore().optional().describe('The iss must be this, or one of these. Default: any.'),
    audience: oneOrMore()
      .optional()
      .describe(
        'The aud must hold this, or one of these. Default: any; name it where others get tokens of the same issuer.',
      ),
    clockSkew: duration().prefault('60s').describe('How far the clocks may be apart for exp and nbf.'),
    keys: z.array(jwtKey).min(1).max(32).optional().describe('The keys that tokens are signed with.'),
    jwksFile: keyFile()
      .optional()
      .describe('A JWK set with the keys, in place of keys. Read again when it changes.'),
  })
  .superRefine(({ header, cookie, keys, jwksFile }, context) => {
    if (header !== undefined && cookie !== undefined)
      context.addIssue({ code: 'custom', message: 'header and cookie are both given; keep one' });
    if ((keys === undefined) === (jwksFile === undefined))
      context.addIssue({
        code: 'custom',
        message: `${keys === undefined ? 'neither keys nor jwksFile is' : 'keys and jwksFile are both'} given; one of them says what tokens are verified with`,
      });
  })
  .transform((value) => ({
    ...value,
    header: value.header ?? (value.cookie === undefined ? 'authorization' : undefined),
  }))
  .describe('JSON web tokens, of which units and targeting may read the claims.');

export const identitySchema = z.strictObject({ jwt: jwt.optional() });

const stickyKey = z
  .strictObject({
    id: name(NAME_PATTERN, NAME_HELP).describe('Goes into what is signed with it.'),
    key: text(4096).optional().describe('The secret, at least 32 bytes. Prefer keyFile.'),
    keyFile: keyFile().optional().describe('File that holds it; white space around it does not count.'),
  })
  .superRefine(({ key, keyFile: file }, context) => {
    if ((key === undefined) !== (file === undefined)) return;
    const what = key === undefined ? 'neither key nor keyFile is' : 'key and keyFile are both';
    context.addIssue({ code: 'custom', message: `${what} given; a sticky key has one of them` });
  });

export const stickyKeysSchema = z
  .array(stickyKey)
  .max(16)
  .describe('What sticky assignments are signed with: the first signs, all verify.');

export type IdentityConfig = z.output<typeof identitySchema>;
export type JwtConfig = z.output<typeof jwt>;
export type StickyKeyConfig = z.output<typeof stickyKey>;
