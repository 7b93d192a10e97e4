/**
 * Are the keys of JSON web tokens and sticky assignments usable? Looks at what has been read, before it goes into
 * effect. Pure; no message holds any part of a key.
 */

import { readJwks } from '../identity/jwks.ts';
import { type KeySettings, makeKey } from '../identity/key.ts';
import { jwtKeys } from './compile-identity.ts';
import type { ConfigIssue } from './issue.ts';
import type { IssueAt } from './parse.ts';
import type { Config } from './schema.ts';

/** An HMAC-SHA-256 key is at least as long as its output (RFC 2104 section 3). */
const STICKY_KEY_MIN_BYTES = 32;

/** Every mistake and warning in the keys of a configuration that has them read in. */
export function identityKeyIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  return [...jwtKeyIssues(config, issueAt), ...stickyKeyIssues(config, issueAt)];
}

function jwtKeyIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  const { jwt } = config.identity;
  if (jwt === undefined) return [];
  if (jwt.jwksFile !== undefined) {
    const { file, text } = jwt.jwksFile;
    const path = ['identity', 'jwt', 'jwksFile'];
    const set = readJwks(text);
    if (set.problem !== null) return [issueAt(path, `the file ${file}: ${set.problem}`)];
    const issues = set.keys.flatMap((key, index) => {
      const problem = problemOf(key);
      return problem === null
        ? []
        : [issueAt(path, `the file ${file}, key ${index + 1} that is used: ${problem}`)];
    });
    if (set.skipped === 0) return issues;
    const message = `${set.skipped} of the keys in ${file} are not for HS256, RS256, ES256 or EdDSA signatures and are left out`;
    return [...issues, issueAt(path, message, { severity: 'warning' })];
  }
  const keys = jwtKeys(jwt);
  return (jwt.keys ?? []).flatMap(({ secretFile, publicKeyFile }, index) => {
    const problem = problemOf(keys[index]!);
    if (problem === null) return [];
    const key = secretFile === undefined ? 'publicKeyFile' : 'secretFile';
    const file = (secretFile ?? publicKeyFile)?.file;
    return [issueAt(['identity', 'jwt', 'keys', index, key], `the file ${file}: ${problem}`)];
  });
}

function problemOf(key: KeySettings): string | null {
  try {
    makeKey(key);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

function stickyKeyIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  return config.stickyKeys.flatMap(({ key, keyFile }, index) => {
    const bytes = Buffer.byteLength(key ?? keyFile?.text.trim() ?? '');
    if (bytes >= STICKY_KEY_MIN_BYTES) return [];
    const path = ['stickyKeys', index, key === undefined ? 'keyFile' : 'key'];
    return [issueAt(path, `the key has ${bytes} bytes; it needs at least ${STICKY_KEY_MIN_BYTES}`)];
  });
}
