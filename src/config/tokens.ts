/**
 * The token keys of a configuration: which files they are in, a copy of the configuration with something else in
 * them, what is wrong with what was read, and the keys themselves. Pure; reading is `control/`'s.
 */
import { tokenKey } from '../propagation/token-key.ts';
import type { TokenSettings } from '../propagation/token-verifier.ts';
import type { ConfigIssue } from './issue.ts';
import type { IssueAt } from './parse.ts';
import type { Config } from './schema.ts';
import type { TokenKeyConfig } from './schema-tokens.ts';
import type { SecretFile } from './secrets.ts';

const FILE_KEY = { secret: 'secretFile', private: 'privateKeyFile', public: 'publicKeyFile' } as const;

/** Every file of a key, in the order of the configuration. */
export function tokenFiles({ tokens }: Config): SecretFile[] {
  return (tokens?.keys ?? []).map(({ kind, file }, index) => ({
    path: ['tokens', 'keys', index, FILE_KEY[kind]],
    file,
  }));
}

/** A copy in which each key has what `textOf` answers for its file. */
export function withTokenText(config: Config, textOf: (file: string) => string): Config {
  const { tokens } = config;
  if (tokens === undefined) return config;
  const keys = tokens.keys.map((key): TokenKeyConfig => ({ ...key, text: textOf(key.file) }));
  return { ...config, tokens: { ...tokens, keys } };
}

/** What is wrong with the keys of a configuration that has them read in. No message holds any part of one. */
export function tokenKeyIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  for (const [index, { id, kind, file, text }] of (config.tokens?.keys ?? []).entries()) {
    try {
      tokenKey(id, { kind, text });
    } catch (error) {
      const path = ['tokens', 'keys', index, FILE_KEY[kind]];
      issues.push(issueAt(path, `the file ${file}: ${error instanceof Error ? error.message : 'not a key'}`));
    }
  }
  return issues;
}

/** Null: no key is declared, or none has been read in. */
export function compileTokens({ tokens }: Config): TokenSettings | null {
  const keys = (tokens?.keys ?? []).filter(({ text }) => text !== '').map((key) => tokenKey(key.id, key));
  if (tokens === undefined || keys.length === 0) return null;
  return { keys, ttlS: tokens.ttl / 1000, skewS: tokens.clockSkew / 1000 };
}
