/**
 * A mistake in the configuration and where it is. Pure. A message says what was found and what was meant; it
 * never holds a secret.
 */

export type ConfigPath = readonly (string | number)[];

export interface ConfigIssue {
  /** An error refuses the configuration; a warning is told and changes nothing. */
  readonly severity: 'error' | 'warning';
  /** The file as it was named, or the environment variable. */
  readonly file: string;
  /** 1-based; 0 when there is no place in a file. */
  readonly line: number;
  readonly column: number;
  /** `experiments.ranking.variants`, or '' for the whole file. */
  readonly path: string;
  readonly message: string;
}

/** `file:line:column: path: message`, or without what is not known. */
export function formatIssue(issue: ConfigIssue): string {
  const place = issue.line === 0 ? issue.file : `${issue.file}:${issue.line}:${issue.column}`;
  const path = issue.path === '' ? '' : `${issue.path}: `;
  return `${place}: ${issue.severity === 'warning' ? 'warning: ' : ''}${path}${issue.message}`;
}

/** `['routes', 0, 'match']` -> `routes[0].match`; keys that need it are quoted. */
export function formatPath(path: ConfigPath): string {
  let text = '';
  for (const key of path) {
    if (typeof key === 'number') text += `[${key}]`;
    else if (/^[A-Za-z0-9_$-]+$/.test(key)) text += text === '' ? key : `.${key}`;
    else text += `[${JSON.stringify(key)}]`;
  }
  return text;
}

/** Whether a value at this path must never be shown, logged or hashed. */
export function isSecretPath(path: ConfigPath): boolean {
  const [section, key, inner, last] = path;
  if (section === 'segments') return inner === 'key' || inner === 'values';
  if (section === 'stickyKeys') return inner === 'key';
  if (section === 'exposures')
    return key === 'key' || last === 'key' || last === 'token' || last === 'password';
  if (section === 'audit') return key === 'key';
  if (section === 'admin' && last === 'token') return true;
  return (section === 'admin' || section === 'tracing') && key === 'token';
}
