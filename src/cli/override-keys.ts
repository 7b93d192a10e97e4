/** The keys of `fairlead override`: those of a configuration, or one from a file of its own. */
import { readFile } from 'node:fs/promises';
import { formatIssue } from '../config/issue.ts';
import type { Config } from '../config/schema.ts';
import { compileTokens } from '../config/tokens.ts';
import { loadConfig } from '../control/source.ts';
import { KEY_ID_PATTERN, type TokenKey, type TokenKeyText, tokenKey } from '../propagation/token-key.ts';
import { CliError, Exit, type Io } from './io.ts';

export interface KeyOptions {
  readonly config?: string | undefined;
  /** A secret, or an Ed25519 key as PEM. */
  readonly keyFile?: string | undefined;
  readonly keyId?: string | undefined;
}

export interface FoundKeys {
  /** In the order of the configuration. Empty when none was named. */
  readonly keys: readonly TokenKey[];
  /** Null: the key is from a file of its own. */
  readonly config: Config | null;
}

/** @throws CliError when what is named cannot be used. */
export async function findKeys(options: KeyOptions, io: Io): Promise<FoundKeys> {
  const { config, keyFile, keyId } = options;
  if (config !== undefined && keyFile !== undefined)
    throw new CliError(Exit.usage, '--config and --key-file are both given; keep one');
  if (config !== undefined) return fromConfig(config, keyId, io);
  if (keyFile === undefined) return { keys: [], config: null };
  if (keyId === undefined || !KEY_ID_PATTERN.test(keyId))
    throw new CliError(Exit.usage, '--key-file needs --key-id, the id that the sidecars know the key by');
  return { keys: [await fromFile(keyFile, keyId)], config: null };
}

async function fromConfig(file: string, keyId: string | undefined, io: Io): Promise<FoundKeys> {
  const { config, issues } = await loadConfig({ file, environment: io.env });
  if (config === null) {
    for (const issue of issues) io.err(`${formatIssue(issue)}\n`);
    throw new CliError(Exit.configInvalid, `${file} is not valid`);
  }
  const all = compileTokens(config)?.keys ?? [];
  const keys = keyId === undefined ? all : all.filter(({ id }) => id === keyId);
  if (keys.length > 0) return { keys, config };
  const what = keyId === undefined ? 'no key: add tokens.keys' : `no key ${JSON.stringify(keyId)}`;
  throw new CliError(Exit.usage, `${file} has ${what}`);
}

async function fromFile(file: string, keyId: string): Promise<TokenKey> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CliError(Exit.unfit, `the file ${file} cannot be read: ${code ?? 'unknown'}`);
  }
  try {
    return tokenKey(keyId, { kind: kindOf(text), text });
  } catch (error) {
    throw new CliError(Exit.unfit, `the file ${file}: ${(error as Error).message}`);
  }
}

function kindOf(text: string): TokenKeyText['kind'] {
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) return 'private';
  return text.includes('-----BEGIN PUBLIC KEY-----') ? 'public' : 'secret';
}
