/**
 * Reading the configuration: the file, the secrets and certificates it names, the environment. Answers what was found, valid or not;
 * decides nothing and keeps nothing.
 */
import { type Clock, systemClock } from '../base/clock.ts';
import type { Environment } from '../config/environment.ts';
import { identityKeyIssues } from '../config/identity-keys.ts';
import type { ConfigIssue } from '../config/issue.ts';
import { keyFiles, withKeyFiles } from '../config/key-files.ts';
import { type IssueAt, parseConfig } from '../config/parse.ts';
import { authorities, keyPairs, withPem } from '../config/pem.ts';
import type { Config } from '../config/schema.ts';
import { type SecretFile, secretFiles, withSecrets } from '../config/secrets.ts';
import { tokenFiles, tokenKeyIssues, withTokenText } from '../config/tokens.ts';
import { certificateIssues } from './certificates.ts';
import { readText } from './read-file.ts';
import { readSegments } from './segments.ts';

export interface ConfigSource {
  /** The configuration file. */
  readonly file: string;
  readonly environment: Environment;
  /** For how long certificates are valid; the system's unless given. */
  readonly clock?: Clock;
}

export interface LoadedConfig {
  /** With its secrets and PEM files read in; null when there is an error. */
  readonly config: Config | null;
  readonly issues: readonly ConfigIssue[];
  /** Every file that went into it: what to watch. */
  readonly files: readonly string[];
}

/** A configuration file beyond this was not meant. */
const FILE_MAX_BYTES = 32 * 1024 * 1024;
const SECRET_MAX_BYTES = 64 * 1024;
/** A system's whole list of authorities has a quarter of this. */
const PEM_MAX_BYTES = 1024 * 1024;

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
  const secrets = await readAll(
    [...secretFiles(config), ...tokenFiles(config), ...keyFiles(config)],
    { bytesMax: SECRET_MAX_BYTES, what: 'a secret' },
    issueAt,
  );
  const pems = await readAll(pemFiles(config), { bytesMax: PEM_MAX_BYTES, what: 'PEM' }, issueAt);
  const segments = await readSegments(config, file, issueAt);
  const files = [...new Set([file, ...secrets.files, ...pems.files, ...segments.files])];
  const problems = [...secrets.problems, ...pems.problems, ...segments.problems];
  if (problems.length > 0) return { config: null, issues: [...issues, ...problems], files };
  const textOf = (name: string): string => secrets.contents.get(name)!;
  const withKeys = withKeyFiles(
    withTokenText(withSecrets(segments.config, secrets.contents), textOf),
    textOf,
  );
  const complete = withPem(withKeys, (name) => pems.contents.get(name)!);
  const found = [
    ...certificateIssues(complete, issueAt, (source.clock ?? systemClock).wallMs()),
    ...tokenKeyIssues(complete, issueAt),
    ...identityKeyIssues(complete, issueAt),
  ];
  const isUsable = !found.some((issue) => issue.severity === 'error');
  return { config: isUsable ? complete : null, issues: [...issues, ...found], files };
}

function pemFiles(config: Config): SecretFile[] {
  return [
    ...keyPairs(config).flatMap(({ path, certificate, key }) => [
      { path: [...path, 'certificate'], file: certificate.file },
      { path: [...path, 'key'], file: key.file },
    ]),
    ...authorities(config).map(({ path, authorities: { file } }) => ({ path, file })),
  ];
}

async function readAll(
  wanted: readonly SecretFile[],
  { bytesMax, what }: { readonly bytesMax: number; readonly what: string },
  issueAt: IssueAt,
) {
  const contents = new Map<string, string>();
  const problems: ConfigIssue[] = [];
  for (const { file, path } of wanted) {
    const content = await readText(file, bytesMax);
    if (!content.ok) problems.push(issueAt(path, content.problem));
    else if (content.value.trim() === '')
      problems.push(issueAt(path, `the file ${file} is empty; expected ${what} in it`));
    else contents.set(file, content.value);
  }
  return { files: wanted.map(({ file }) => file), contents, problems };
}
