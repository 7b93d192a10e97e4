/**
 * zod's findings as sentences with a path: what was found, what was meant. Pure.
 */
import type { z } from 'zod';
import { type ConfigPath, isSecretPath } from './issue.ts';
import { found } from './schema-values.ts';
import { didYouMean, nearest } from './suggest.ts';

type ZodIssue = z.core.$ZodIssue;

export interface Finding {
  readonly path: ConfigPath;
  /** Whether the key is what is wrong, rather than its value. */
  readonly isKey: boolean;
  readonly message: string;
}

/** @param knownKeys The keys that the schema has at a path, for "did you mean". */
export function explainFindings(
  issues: readonly ZodIssue[],
  input: unknown,
  knownKeys: (path: ConfigPath) => readonly string[],
): Finding[] {
  return issues.flatMap((issue) => explain(issue, [], input, knownKeys));
}

function explain(
  issue: ZodIssue,
  base: ConfigPath,
  input: unknown,
  knownKeys: (path: ConfigPath) => readonly string[],
): Finding[] {
  const path = [...base, ...issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key))];
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(path);
    return issue.keys.map((key) => ({
      path: [...path, key],
      isKey: true,
      message: `unknown key${suggestion(key, known, valueAt(input, path))}`,
    }));
  }
  if (issue.code === 'invalid_union' && 'errors' in issue) {
    const branch = likeliestBranch(issue.errors, valueAt(input, path));
    if (branch !== null) return branch.flatMap((inner) => explain(inner, path, input, knownKeys));
    const meant = [...new Set(issue.errors.flat().map((error) => expectation(error)))].join(', or ');
    const near = suggestedValue(valueAt(input, path), issue.errors.flat().flatMap(choicesOf));
    return [{ path, isKey: false, message: `${shown(path, input)}; expected ${meant}${near}` }];
  }
  if (issue.code === 'invalid_key') {
    const message = issue.issues[0]?.message ?? issue.message;
    return [{ path, isKey: true, message }];
  }
  return [{ path, isKey: false, message: sentence(issue, path, input) }];
}

/** The alternative the author had in mind: the one whose complaint is not about the kind of the value itself. */
function likeliestBranch(
  branches: readonly (readonly ZodIssue[])[],
  value: unknown,
): readonly ZodIssue[] | null {
  const fitting = branches.filter(
    (branch) => !branch.some((issue) => issue.path.length === 0 && isAboutKind(issue)),
  );
  if (fitting.length > 0) return fitting[0] ?? null;
  if (typeof value !== 'string') return null;
  return branches.find((branch) => branch.some((issue) => issue.code === 'custom')) ?? null;
}

function isAboutKind(issue: ZodIssue): boolean {
  return issue.code === 'invalid_type' || issue.code === 'invalid_value';
}

function sentence(issue: ZodIssue, path: ConfigPath, input: unknown): string {
  if (issue.code === 'custom' || issue.code === 'invalid_format') return issue.message;
  const value = valueAt(input, path);
  if ((issue.code === 'invalid_type' || issue.code === 'invalid_value') && value === undefined)
    return `this key is missing; expected ${expectation(issue)}`;
  if (issue.code === 'invalid_type' && !isOurs(issue))
    return `${shown(path, input)}; expected ${expectation(issue)}`;
  if (issue.code === 'invalid_value') {
    const near = suggestedValue(value, choicesOf(issue));
    return `${shown(path, input)}; expected ${expectation(issue)}${near}`;
  }
  if (issue.code === 'too_small' || issue.code === 'too_big') return boundSentence(issue, shown(path, input));
  if (isSecretPath(path)) return `${shown(path, input)}; expected text, so put it in quotes`;
  return issue.message;
}

/** Messages of our own schemas begin this way; zod's own with "Invalid input". */
function isOurs(issue: ZodIssue): boolean {
  return !issue.message.startsWith('Invalid input');
}

function boundSentence(issue: Extract<ZodIssue, { code: 'too_small' | 'too_big' }>, what: string): string {
  if (issue.origin === 'string') return issue.message;
  const limit = issue.code === 'too_small' ? `at least ${issue.minimum}` : `at most ${issue.maximum}`;
  if (issue.origin === 'array')
    return `found a list that is too ${issue.code === 'too_small' ? 'short' : 'long'}; expected ${limit} in it`;
  return `${what}; expected ${limit}`;
}

const KINDS: Readonly<Record<string, string>> = {
  array: 'a list',
  boolean: 'true or false',
  int: 'a whole number',
  number: 'a number',
  object: 'a map',
  record: 'a map',
  string: 'text',
};

function expectation(issue: ZodIssue): string {
  if (issue.code === 'invalid_value') return issue.values.map((value) => String(value)).join(' or ');
  if (issue.code === 'invalid_type') {
    const own = /; expected (.*)$/.exec(issue.message);
    return own?.[1] ?? KINDS[issue.expected] ?? issue.expected;
  }
  return issue.message;
}

function shown(path: ConfigPath, input: unknown): string {
  return isSecretPath(path) ? 'found something that is not text' : found(valueAt(input, path));
}

/** What a value may be, where that is a list. */
function choicesOf(issue: ZodIssue): string[] {
  return issue.code === 'invalid_value' ? issue.values.map(String) : [];
}

/** Nothing when none is near: the choices are in the sentence already. */
function suggestedValue(value: unknown, choices: readonly string[]): string {
  return typeof value === 'string' && nearest(value, choices) !== null ? didYouMean(value, choices) : '';
}

/** The nearest key may be there already: then the unknown one is too much. */
function suggestion(key: string, known: readonly string[], parent: unknown): string {
  const meant = nearest(key, known);
  const isGiven =
    meant !== null && typeof parent === 'object' && parent !== null && Object.hasOwn(parent, meant);
  return isGiven ? `; ${JSON.stringify(meant)} is given already` : didYouMean(key, known);
}

/** The value at a path of a plain tree, or undefined. */
export function valueAt(tree: unknown, path: ConfigPath): unknown {
  let value = tree;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string | number, unknown>)[key];
  }
  return value;
}
