/**
 * The shape of a declared targeting rule: what may stand in one, and what may stand together. Pure data; what a rule
 * comes to is in `targeting.ts`.
 */

/**
 * One rule: a group of rules, a look at the request with one test, or the name of a segment that is made of rules.
 * Header names are compared without case; cookie, query and path-parameter names exactly.
 */
export interface TargetingRule {
  /** Every one of these holds. */
  readonly all?: readonly TargetingRule[] | undefined;
  /** At least one of these holds. */
  readonly any?: readonly TargetingRule[] | undefined;
  /** A rule: it does not hold. `true`: turns the answer of this rule round, also for a value that is absent. */
  readonly not?: boolean | TargetingRule | undefined;

  readonly header?: string | undefined;
  readonly cookie?: string | undefined;
  readonly query?: string | undefined;
  readonly pathParameter?: string | undefined;
  /** RFC 6901 pointer into the claims of the caller's token. */
  readonly claim?: string | undefined;
  readonly clientIdentity?: true | undefined;
  readonly clientAddress?: true | undefined;
  readonly method?: true | undefined;
  readonly path?: true | undefined;
  /** Of a claim: false takes one that nobody has verified. Default: true. */
  readonly verified?: boolean | undefined;

  readonly equals?: string | undefined;
  readonly in?: readonly string[] | undefined;
  readonly prefix?: string | undefined;
  readonly suffix?: string | undefined;
  readonly contains?: string | undefined;
  /** RE2 syntax; must match the whole value. */
  readonly matches?: string | undefined;
  /** Of a test of text: compare without case. */
  readonly ignoreCase?: boolean | undefined;
  readonly exists?: boolean | undefined;
  readonly gt?: number | undefined;
  readonly gte?: number | undefined;
  readonly lt?: number | undefined;
  readonly lte?: number | undefined;
  /** Two numbers, both included. */
  readonly between?: readonly number[] | undefined;
  /** ISO 8601. */
  readonly before?: string | undefined;
  readonly after?: string | undefined;
  /** A range as npm writes it. */
  readonly semver?: string | undefined;
  /** Addresses and networks. */
  readonly cidr?: readonly string[] | undefined;
  /** The value is one of this segment's, or, of a segment made of rules, alone: its rules hold. */
  readonly segment?: string | undefined;
}

export const SUBJECTS = [
  'header',
  'cookie',
  'query',
  'pathParameter',
  'claim',
  'clientIdentity',
  'clientAddress',
  'method',
  'path',
] as const;

const TEXT_TESTS = ['equals', 'in', 'prefix', 'suffix', 'contains', 'matches'] as const;

export const TESTS = [
  ...TEXT_TESTS,
  'exists',
  'gt',
  'gte',
  'lt',
  'lte',
  'between',
  'before',
  'after',
  'semver',
  'cidr',
  'segment',
] as const;

/** What is wrong with the keys that a rule has, as a sentence; null: nothing. */
export function shapeProblem(rule: TargetingRule): string | null {
  const has = (key: keyof TargetingRule): boolean => rule[key] !== undefined;
  const subjects = SUBJECTS.filter(has);
  const tests = TESTS.filter(has);
  const groups = groupsOf(rule);
  const extra = (['ignoreCase', 'verified'] as const).filter(has);
  if (groups.length > 0) {
    const beside = [...groups, ...subjects, ...tests, ...extra];
    if (beside.length === 1) return null;
    return `found ${beside.join(' and ')} in one rule; a rule is all, any or not of others, or looks at the request itself`;
  }
  if (subjects.length === 0 && tests.length === 1 && tests[0] === 'segment' && extra.length === 0)
    return null;
  if (subjects.length !== 1)
    return `found ${listed(subjects, 'none')}; a rule looks at exactly one of ${SUBJECTS.join(', ')}`;
  if (tests.length !== 1)
    return `found ${listed(tests, 'no test')}; a rule has exactly one of ${TESTS.join(', ')}`;
  if (has('ignoreCase') && !TEXT_TESTS.some(has))
    return `ignoreCase is for ${TEXT_TESTS.join(', ')}, and this rule has ${tests[0]}`;
  if (has('verified') && !has('claim'))
    return `verified is for claims, and this rule looks at ${subjects[0]}`;
  return null;
}

function groupsOf(rule: TargetingRule): ('all' | 'any' | 'not')[] {
  const groups: ('all' | 'any' | 'not')[] = [];
  if (rule.all !== undefined) groups.push('all');
  if (rule.any !== undefined) groups.push('any');
  if (typeof rule.not === 'object') groups.push('not');
  return groups;
}

function listed(names: readonly string[], none: string): string {
  return names.length === 0 ? none : names.join(' and ');
}
