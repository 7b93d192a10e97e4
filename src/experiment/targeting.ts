/**
 * Targeting: a declared rule about a request, compiled once into a condition.
 * User-written patterns are RE2 (re2js): linear in the value, so that no request can make one run away.
 */
import { RE2JS } from 're2js';
import type { RequestAttributes, TargetingClause } from './model.ts';

/** What a rule looks at. Header names are compared without case; cookie and query names exactly. */
export type TargetingSubject =
  | { readonly header: string }
  | { readonly cookie: string }
  | { readonly query: string }
  | { readonly clientIdentity: true }
  | { readonly method: true }
  | { readonly path: true };

/** What it must be. `matches` is RE2 syntax and must match the whole value. */
export type TargetingTest =
  | { readonly in: readonly string[] }
  | { readonly equals: string }
  | { readonly prefix: string }
  | { readonly matches: string };

/** One rule. `not` turns its answer round, also for a value that is absent. */
export type TargetingRule = TargetingSubject & TargetingTest & { readonly not?: boolean | undefined };

/** Longest pattern, in characters: a compiled one takes memory in proportion, for as long as it is configured. */
export const PATTERN_MAX = 1024;
/**
 * Longest value, in characters, that a pattern is tried on; a longer one does not match. Linear is not free: the
 * worst pattern within PATTERN_MAX that we found takes 50 ms for 2,000 characters and 0.5 s for 60,000.
 */
export const VALUE_MAX = 2048;

type Read = (request: RequestAttributes) => string | null;
type Test = (value: string) => boolean;

/**
 * Compile a rule. What is absent satisfies no test (so `not` is true of it); comparisons are exact.
 * Throws RangeError for a pattern that is too long or that RE2 cannot do (look-around, back-references).
 */
export function compileTargeting(rule: TargetingRule): TargetingClause {
  const [subject, read] = compileSubject(rule);
  const [sentence, test] = compileTest(rule);
  const isNegated = rule.not === true;
  return Object.freeze({
    text: `${subject} ${isNegated ? 'not ' : ''}${sentence}`,
    matches(request: RequestAttributes): boolean {
      const value = read(request);
      return (value !== null && test(value)) !== isNegated;
    },
  });
}

function compileSubject(rule: TargetingSubject): [text: string, read: Read] {
  if ('header' in rule) {
    const name = rule.header.toLowerCase();
    return [`header ${name}`, (request) => request.header(name)];
  }
  if ('cookie' in rule) return [`cookie ${rule.cookie}`, (request) => request.cookie(rule.cookie)];
  if ('query' in rule) return [`query ${rule.query}`, (request) => request.query(rule.query)];
  if ('clientIdentity' in rule) return ['client identity', (request) => request.clientIdentity];
  if ('method' in rule) return ['method', (request) => request.method];
  return ['path', (request) => request.path];
}

function compileTest(rule: TargetingTest): [text: string, test: Test] {
  if ('in' in rule) {
    const values = new Set(rule.in);
    return [`in [${rule.in.join(', ')}]`, (value) => values.has(value)];
  }
  if ('equals' in rule) return [`equals ${rule.equals}`, (value) => value === rule.equals];
  if ('prefix' in rule) return [`prefix ${rule.prefix}`, (value) => value.startsWith(rule.prefix)];
  const pattern = compilePattern(rule.matches);
  return [`matches ${rule.matches}`, (value) => value.length <= VALUE_MAX && pattern.testExact(value)];
}

function compilePattern(pattern: string): RE2JS {
  if (pattern.length > PATTERN_MAX) {
    throw new RangeError(`pattern is ${pattern.length} characters long, the limit is ${PATTERN_MAX}`);
  }
  try {
    return RE2JS.compile(pattern);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new RangeError(`pattern is not RE2: ${why}`, { cause });
  }
}
