/**
 * Targeting: a declared rule about a request, compiled once into a condition. Pure.
 * What a rule may look at is in `targeting-subject.ts`, what it may ask in `targeting-test.ts`.
 */
import type { RequestAttributes, TargetingClause } from './model.ts';
import type { Segment, Segments } from './segment.ts';
import { TargetingError } from './targeting-error.ts';
import { SUBJECTS, shapeProblem, type TargetingRule } from './targeting-rule.ts';
import { compileSubject } from './targeting-subject.ts';
import { compileTest, VALUE_MAX } from './targeting-test.ts';

/** How deep rules may be nested, those of the segments they name included; a rule on its own is 1. */
export const DEPTH_MAX = 8;
/** Rules in one experiment, groups and the rules of segments included: they may all be asked for one request. */
export const RULES_MAX = 1000;

const NO_SEGMENTS: Segments = new Map();

/**
 * Compile a rule. What is absent satisfies no test (so `not` is true of it); comparisons are exact.
 * Throws TargetingError for a rule that cannot be: of a wrong shape, with a pattern, a range, a date or a network that
 * is none, or with a segment that is not there or not for it. How deep and how many is for the caller to limit.
 */
export function compileTargeting(rule: TargetingRule, segments: Segments = NO_SEGMENTS): TargetingClause {
  const problem = shapeProblem(rule);
  if (problem !== null) throw new TargetingError([], problem);
  const isTurned = rule.not === true;
  const sign = isTurned ? 'not ' : '';
  if (rule.all !== undefined)
    return groupOf({ name: `${sign}all of`, isAny: false, isTurned }, clausesOf('all', rule.all, segments));
  if (rule.any !== undefined)
    return groupOf({ name: `${sign}any of`, isAny: true, isTurned }, clausesOf('any', rule.any, segments));
  if (typeof rule.not === 'object')
    return groupOf({ name: 'not', isAny: false, isTurned: true }, [clauseAt(['not'], rule.not, segments)]);
  const segment = rule.segment === undefined ? null : segmentOf(rule, segments);
  if (segment?.kind !== 'rules') return leafOf(rule, segment, isTurned);
  const name = `${sign}segment ${segment.name}`;
  // Its rules are its own affair: wherever it is named, the name says enough.
  return Object.freeze({ ...groupOf({ name, isAny: false, isTurned }, segment.clauses), text: name });
}

function clausesOf(
  key: 'all' | 'any',
  rules: readonly TargetingRule[],
  segments: Segments,
): TargetingClause[] {
  return rules.map((rule, index) => clauseAt([key, index], rule, segments));
}

/** A rule inside another: what is wrong with it is at this place of the other. */
function clauseAt(
  place: readonly (string | number)[],
  rule: TargetingRule,
  segments: Segments,
): TargetingClause {
  try {
    return compileTargeting(rule, segments);
  } catch (error) {
    if (!(error instanceof TargetingError)) throw error;
    throw new TargetingError([...place, ...error.path], error.message, { cause: error.cause });
  }
}

interface GroupKind {
  readonly name: string;
  /** One of them is enough, else all must hold. */
  readonly isAny: boolean;
  readonly isTurned: boolean;
}

function groupOf({ name, isAny, isTurned }: GroupKind, clauses: readonly TargetingClause[]): TargetingClause {
  return Object.freeze({
    text: `${name} (${clauses.map((clause) => clause.text).join('; ')})`,
    group: Object.freeze({ name, clauses: Object.freeze([...clauses]) }),
    matches(request: RequestAttributes): boolean {
      for (let i = 0; i < clauses.length; i++) {
        if (clauses[i]!.matches(request) === isAny) return isAny !== isTurned;
      }
      return isAny === isTurned;
    },
  });
}

function leafOf(
  rule: TargetingRule,
  segment: (Segment & { kind: 'ids' }) | null,
  isNegated: boolean,
): TargetingClause {
  const [subject, read] = compileSubject(rule);
  const [sentence, test] = segment === null ? compileTest(rule) : membership(segment);
  // `exists: false` is the test of presence turned round, as with `not`.
  const isTurned = isNegated !== (rule.exists === false);
  return Object.freeze({
    text: `${subject} ${isNegated ? 'not ' : ''}${sentence}`,
    matches(request: RequestAttributes): boolean {
      const value = read(request);
      return (value !== null && test(value)) !== isTurned;
    },
  });
}

function membership(segment: Segment & { kind: 'ids' }): [text: string, test: (value: string) => boolean] {
  return [`in segment ${segment.name}`, (value) => value.length <= VALUE_MAX && segment.has(value)];
}

/** The segment a rule names, if the rule can use it. */
function segmentOf(rule: TargetingRule, segments: Segments): Segment {
  const name = rule.segment ?? '';
  const segment = segments.get(name);
  if (segment === undefined)
    throw new TargetingError(['segment'], `there is no segment ${JSON.stringify(name)}`);
  const problem = misuse(rule, segment);
  if (problem !== null) throw new TargetingError(['segment'], problem);
  return segment;
}

function misuse(rule: TargetingRule, { name, kind }: Pick<Segment, 'name' | 'kind'>): string | null {
  const subject = SUBJECTS.find((key) => rule[key] !== undefined);
  if (kind === 'rules' && subject !== undefined)
    return `the segment ${JSON.stringify(name)} is made of rules, which say themselves what they look at; leave out ${subject}`;
  if (kind === 'ids' && subject === undefined)
    return `the segment ${JSON.stringify(name)} is a list of ids; say where the id is, such as header: x-user-id`;
  return null;
}
