/**
 * Configuration text to `Config`, or to a list of mistakes with their places. Pure; never throws for what a file
 * may hold.
 */
import { applyEnvironment, type Environment } from './environment.ts';
import { type ConfigIssue, type ConfigPath, formatPath } from './issue.ts';
import { knownKeysAt } from './json-schema.ts';
import { explainFindings } from './message.ts';
import { type Config, configSchema, EXTENSION_PATTERN } from './schema.ts';
import { validate } from './validate.ts';
import { parseYaml } from './yaml.ts';

/** Where a path of the configuration came from, for mistakes that are found later. */
export type IssueAt = (
  path: ConfigPath,
  message: string,
  options?: { isKey?: boolean; severity?: ConfigIssue['severity'] },
) => ConfigIssue;

export interface ParseResult {
  /** Null when there is an error. */
  readonly config: Config | null;
  /** In the order of the file; warnings too. */
  readonly issues: readonly ConfigIssue[];
  readonly issueAt: IssueAt;
}

/**
 * @param file How the file is named in messages; it is not opened.
 * @param environment `FAIRLEAD_` settings, which win over the file. Default: none.
 */
export function parseConfig(text: string, file: string, environment: Environment = {}): ParseResult {
  const yaml = parseYaml(text);
  const overlay = applyEnvironment(yaml.value, environment);
  const issueAt: IssueAt = (path, message, { isKey = false, severity = 'error' } = {}) => {
    const variable = overlay.variableAt(path);
    const shared = { severity, path: formatPath(path), message };
    if (variable !== null) return { ...shared, file: variable, line: 0, column: 0 };
    return { ...shared, file, ...yaml.locate(path, isKey ? 'key' : 'value') };
  };
  if (yaml.problems.length > 0) {
    const issues = yaml.problems.map(
      (problem): ConfigIssue => ({ severity: 'error', file, path: '', ...problem }),
    );
    return { config: null, issues, issueAt };
  }
  const issues = overlay.problems.map(
    ({ variable, path, message }): ConfigIssue => ({
      severity: 'error',
      file: variable,
      line: 0,
      column: 0,
      path: formatPath(path),
      message,
    }),
  );
  if (overlay.value === null) {
    issues.push(issueAt([], 'the file is empty; the smallest has version: 1 and upstreams'));
    return { config: null, issues, issueAt };
  }
  const parsed = configSchema.safeParse(withoutExtensions(overlay.value));
  if (!parsed.success) {
    for (const finding of explainFindings(parsed.error.issues, overlay.value, knownKeysAt)) {
      issues.push(issueAt(finding.path, finding.message, { isKey: finding.isKey }));
    }
    return { config: null, issues: inOrder(issues), issueAt };
  }
  issues.push(...validate(parsed.data, issueAt));
  const isValid = !issues.some((issue) => issue.severity === 'error');
  return { config: isValid ? parsed.data : null, issues: inOrder(issues), issueAt };
}

function withoutExtensions(tree: unknown): unknown {
  if (typeof tree !== 'object' || tree === null || Array.isArray(tree)) return tree;
  const pattern = new RegExp(EXTENSION_PATTERN);
  return Object.fromEntries(Object.entries(tree).filter(([key]) => !pattern.test(key)));
}

function inOrder(issues: readonly ConfigIssue[]): ConfigIssue[] {
  return issues.toSorted((left, right) => left.line - right.line || left.column - right.column);
}
