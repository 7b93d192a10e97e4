/**
 * Reading the configuration: the file, the secrets it names, the environment. Answers what was found, valid or not;
 * decides nothing and keeps nothing.
 */
import { readFile } from 'node:fs/promises';
import type { Environment } from '../config/environment.ts';
import type { ConfigIssue } from '../config/issue.ts';
import { parseConfig } from '../config/parse.ts';
import type { Config } from '../config/schema.ts';
import { secretFiles, withSecrets } from '../config/secrets.ts';

export interface ConfigSource {
  /** The configuration file. */
  readonly file: string;
  readonly environment: Environment;
}

export interface LoadedConfig {
  /** With its secrets read in; null when there is an error. */
  readonly config: Config | null;
  readonly issues: readonly ConfigIssue[];
  /** Every file that went into it: what to watch. */
  readonly files: readonly string[];
}

/** A configuration file beyond this was not meant. */
const FILE_MAX_BYTES = 32 * 1024 * 1024;
const SECRET_MAX_BYTES = 64 * 1024;

/** Never throws: what cannot be read is an issue. */
export async function loadConfig(source: ConfigSource): Promise<LoadedConfig> {
  const { file } = source;
  const text = await readText(file, FILE_MAX_BYTES);
  if (!text.ok) {
    const issue: ConfigIssue = {
      severity: 'error',
      file,
      line: 0,
      column: 0,
      path: '',
      message: text.problem,
    };
    return { config: null, issues: [issue], files: [file] };
  }
  const { config, issues, issueAt } = parseConfig(text.value, file, source.environment);
  if (config === null) return { config: null, issues, files: [file] };
  const files = [file];
  const secrets = new Map<string, string>();
  const problems: ConfigIssue[] = [];
  for (const secret of secretFiles(config)) {
    files.push(secret.file);
    const content = await readText(secret.file, SECRET_MAX_BYTES);
    if (!content.ok) problems.push(issueAt(secret.path, content.problem));
    else if (content.value.trim() === '')
      problems.push(issueAt(secret.path, `the file ${secret.file} is empty; expected a secret in it`));
    else secrets.set(secret.file, content.value);
  }
  if (problems.length > 0) return { config: null, issues: [...issues, ...problems], files };
  return { config: withSecrets(config, secrets), issues, files };
}

async function readText(
  file: string,
  bytesMax: number,
): Promise<{ ok: true; value: string } | { ok: false; problem: string }> {
  try {
    const bytes = await readFile(file);
    if (bytes.length > bytesMax)
      return { ok: false, problem: `the file ${file} has ${bytes.length} bytes, more than ${bytesMax}` };
    return { ok: true, value: new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes) };
  } catch (error) {
    return { ok: false, problem: readProblem(file, error) };
  }
}

function readProblem(file: string, error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : null;
  if (code === 'ENOENT') return `there is no file ${file}`;
  if (code === 'EISDIR') return `${file} is a folder; expected a file`;
  if (code === 'EACCES') return `the file ${file} may not be read by this user`;
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return `the file ${file} is not UTF-8 text`;
  return `the file ${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`;
}
