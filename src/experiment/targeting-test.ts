/**
 * What a targeting rule asks of a value that is present, compiled once. Pure.
 *
 * A value that is not of the kind that is asked for (no number, no date, no version, no address) satisfies no test;
 * no test throws. User-written patterns are RE2 (re2js): linear in the value, so that no request can make one run away.
 */
import { isIP } from 'node:net';
import { RE2JS } from 're2js';
import Range from 'semver/classes/range.js';
import { Networks } from '../base/networks.ts';
import { dateMs, isoDateMs } from './targeting-date.ts';
import { TargetingError } from './targeting-error.ts';
import type { TargetingRule } from './targeting-rule.ts';

export type Test = (value: string) => boolean;
type Compiled = readonly [text: string, test: Test];

/** Longest pattern, in characters: a compiled one takes memory in proportion, for as long as it is configured. */
export const PATTERN_MAX = 1024;
/**
 * Longest value, in characters, that a pattern or a segment is tried on; a longer one does not match. Linear is not
 * free: the worst pattern within PATTERN_MAX that we found takes 50 ms for 2,000 characters and 0.5 s for 60,000.
 */
export const VALUE_MAX = 2048;
/** Longest number, in characters. */
const NUMBER_MAX = 64;
/** Longest version, in characters: that of the semver package. */
const VERSION_MAX = 256;
/** The form of a version; what the semver package has against one in this form, it says by an exception, which is slow. */
const VERSION = /^v?\d+\.\d+\.\d+(?:-[\w.-]+)?(?:\+[\w.-]+)?$/;
/** Values of a list that its sentence shows. */
const SHOWN_MAX = 10;

/**
 * The one test of a rule that is no segment, and its sentence. Of `exists`, either way, the test is that of presence.
 * Throws TargetingError.
 */
export function compileTest(rule: TargetingRule): Compiled {
  if (rule.exists !== undefined) return [rule.exists ? 'present' : 'absent', () => true];
  if (rule.semver !== undefined) return versionTest(rule.semver);
  if (rule.cidr !== undefined) return networkTest(rule.cidr);
  return numberTest(rule) ?? dateTest(rule) ?? textTest(rule);
}

function textTest(rule: TargetingRule): Compiled {
  const ignoreCase = rule.ignoreCase === true;
  const fold = ignoreCase ? (text: string) => text.toLowerCase() : (text: string) => text;
  const [text, test] = foldedTest(rule, fold);
  return ignoreCase ? [`${text} (any case)`, (value) => test(fold(value))] : [text, test];
}

/** The test for values that `fold` has been applied to. */
function foldedTest(rule: TargetingRule, fold: (text: string) => string): Compiled {
  if (rule.matches !== undefined) return patternTest(rule.matches, rule.ignoreCase === true);
  if (rule.in !== undefined) {
    const values = new Set(rule.in.map(fold));
    return [`in [${shown(rule.in)}]`, (value) => values.has(value)];
  }
  const { equals, prefix, suffix, contains } = rule;
  if (prefix !== undefined) {
    const folded = fold(prefix);
    return [`prefix ${prefix}`, (value) => value.startsWith(folded)];
  }
  if (suffix !== undefined) {
    const folded = fold(suffix);
    return [`suffix ${suffix}`, (value) => value.endsWith(folded)];
  }
  if (contains !== undefined) {
    const folded = fold(contains);
    return [`contains ${contains}`, (value) => value.includes(folded)];
  }
  const folded = fold(equals ?? '');
  return [`equals ${equals ?? ''}`, (value) => value === folded];
}

function patternTest(text: string, ignoreCase: boolean): Compiled {
  if (text.length > PATTERN_MAX) {
    const message = `pattern is ${text.length} characters long, the limit is ${PATTERN_MAX}`;
    throw new TargetingError(['matches'], message);
  }
  let pattern: RE2JS;
  try {
    pattern = RE2JS.compile(text, ignoreCase ? RE2JS.CASE_INSENSITIVE : 0);
  } catch (cause) {
    throw new TargetingError(['matches'], `pattern is not RE2: ${messageOf(cause)}`, { cause });
  }
  return [`matches ${text}`, (value) => value.length <= VALUE_MAX && pattern.testExact(value)];
}

function numberTest(rule: TargetingRule): Compiled | null {
  const { gt, gte, lt, lte, between } = rule;
  if (gt !== undefined) return [`greater than ${gt}`, (value) => numberOf(value) > gt];
  if (gte !== undefined) return [`at least ${gte}`, (value) => numberOf(value) >= gte];
  if (lt !== undefined) return [`less than ${lt}`, (value) => numberOf(value) < lt];
  if (lte !== undefined) return [`at most ${lte}`, (value) => numberOf(value) <= lte];
  if (between === undefined) return null;
  const [from = Number.NaN, to = Number.NaN] = between;
  if (!(from <= to))
    throw new TargetingError(['between'], `from ${from} to ${to} there is nothing; the smaller comes first`);
  return [
    `between ${from} and ${to}`,
    (value) => {
      const number = numberOf(value);
      return number >= from && number <= to;
    },
  ];
}

/** Decimal, with a sign, a point and an exponent if it likes; NaN, which satisfies no comparison, for all else. */
function numberOf(value: string): number {
  if (value.length > NUMBER_MAX || !/^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i.test(value))
    return Number.NaN;
  const number = Number(value);
  return Number.isFinite(number) ? number : Number.NaN;
}

function dateTest({ before, after }: TargetingRule): Compiled | null {
  if (before !== undefined) {
    const limitMs = configuredMs('before', before);
    return [`before ${isoText(limitMs)}`, (value) => dateMs(value) < limitMs];
  }
  if (after === undefined) return null;
  const limitMs = configuredMs('after', after);
  return [`after ${isoText(limitMs)}`, (value) => dateMs(value) > limitMs];
}

function configuredMs(key: 'before' | 'after', text: string): number {
  const ms = isoDateMs(text);
  if (Number.isNaN(ms)) {
    const message = `${JSON.stringify(text)} is no date; write 2026-03-01 or 2026-03-01T08:00:00Z`;
    throw new TargetingError([key], message);
  }
  return ms;
}

function isoText(ms: number): string {
  return new Date(ms).toISOString();
}

function versionTest(text: string): Compiled {
  let range: Range;
  try {
    range = new Range(text);
  } catch (cause) {
    const message = `${JSON.stringify(text)} is no range of versions; write ">=1.2.0 <2.0.0" or "^1.2.0"`;
    throw new TargetingError(['semver'], message, { cause });
  }
  const test: Test = (value) => value.length <= VERSION_MAX && VERSION.test(value) && range.test(value);
  return [`version in ${text}`, test];
}

function networkTest(networks: readonly string[]): Compiled {
  const list = new Networks();
  for (const [index, text] of networks.entries()) addNetwork(list, text, ['cidr', index]);
  return [`in network [${shown(networks)}]`, (value) => list.has(value)];
}

/** An address alone is a network of one. */
function addNetwork(list: Networks, text: string, path: readonly (string | number)[]): void {
  const [, address = '', bits] = /^([0-9a-f:.]+)(?:\/(\d{1,3}))?$/i.exec(text) ?? [];
  const family = isIP(address);
  const most = family === 4 ? 32 : 128;
  const prefix = bits === undefined ? most : Number(bits);
  if (family === 0 || prefix > most) {
    const message = `${JSON.stringify(text)} is no network; write 10.0.0.0/8 or 2001:db8::/32`;
    throw new TargetingError(path, message);
  }
  list.add(address, prefix);
}

function shown(values: readonly string[]): string {
  if (values.length <= SHOWN_MAX) return values.join(', ');
  return `${values.slice(0, SHOWN_MAX).join(', ')} and ${values.length - SHOWN_MAX} more`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
