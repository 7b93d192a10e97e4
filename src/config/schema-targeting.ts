/**
 * The part of the configuration schema that describes targeting rules and the segments they name. What a rule comes to
 * is checked by compiling it, in `validate-targeting.ts`.
 */
import { z } from 'zod';
import { shapeProblem, type TargetingRule } from '../experiment/targeting-rule.ts';
import { cookieName, found, headerName, text } from './schema-values.ts';

const TEXT_MAX = 1024;
const LIST_MAX = 10_000;
const NETWORKS_MAX = 1000;
const RANGE_MAX = 256;
/** Rules in one list; how many there may be in all is a matter of `validate-targeting.ts`. */
const GROUP_MAX = 1000;

const pointer = () =>
  text(TEXT_MAX).regex(/^(?:\/(?:[^~/]|~[01])*)+$/, {
    error: (issue) => `${JSON.stringify(issue.input)} is no JSON pointer; write /sub or /groups/0`,
  });

const count = () => z.number({ error: (issue) => `${found(issue.input)}; expected a number` });
const date = () => text(64);

/** A list of rules that says something. */
export const rulesSchema = () => z.array(targetingRule).min(1).max(GROUP_MAX);

/** Of several keys at most one subject and one test: `shapeProblem` says which go together. */
const targetingRule: z.ZodType<TargetingRule, unknown> = z
  .strictObject({
    get all() {
      return rulesSchema().optional().describe('Every one of these rules holds.');
    },
    get any() {
      return rulesSchema().optional().describe('At least one of these rules holds.');
    },
    get not() {
      return z
        .union([z.boolean(), targetingRule])
        .optional()
        .describe('A rule: it does not hold. true: turn the answer of this rule round.');
    },
    header: headerName().optional().describe('Look at this request header.'),
    cookie: cookieName().optional().describe('Look at this cookie.'),
    query: text(128).optional().describe('Look at this query parameter.'),
    pathParameter: text(128)
      .optional()
      .describe("Look at what stands for this {name} in the path of the request's route."),
    claim: pointer()
      .optional()
      .describe("Look at this claim of the caller's token, as a JSON pointer: /sub, /groups/0."),
    verified: z
      .boolean()
      .optional()
      .describe('Of a claim. false: also one that nobody has verified. Default: true.'),
    clientIdentity: z
      .literal(true)
      .optional()
      .describe('Look at the identity in the client certificate: SPIFFE URI or common name.'),
    clientAddress: z.literal(true).optional().describe("Look at the client's IP address."),
    method: z.literal(true).optional().describe('Look at the method.'),
    path: z.literal(true).optional().describe('Look at the path, without the query.'),
    in: z.array(text(TEXT_MAX)).min(1).max(LIST_MAX).optional().describe('Equal to one of these.'),
    equals: z
      .string({ error: (issue) => `${found(issue.input)}; expected text, so put it in quotes` })
      .max(TEXT_MAX)
      .optional()
      .describe('Equal to this.'),
    prefix: text(TEXT_MAX).optional().describe('Begins with this.'),
    suffix: text(TEXT_MAX).optional().describe('Ends with this.'),
    contains: text(TEXT_MAX).optional().describe('Has this in it.'),
    matches: text(TEXT_MAX)
      .optional()
      .describe('The whole value matches this RE2 pattern (no look-around, no back-references).'),
    ignoreCase: z.boolean().optional().describe('Of a test of text: compare without case. Default: false.'),
    exists: z.boolean().optional().describe('true: it is there, be it empty. false: it is not.'),
    gt: count().optional().describe('A number greater than this.'),
    gte: count().optional().describe('A number that is this or greater.'),
    lt: count().optional().describe('A number less than this.'),
    lte: count().optional().describe('A number that is this or less.'),
    between: z
      .array(count())
      .length(2)
      .optional()
      .describe('A number from the first to the second, both included.'),
    before: date()
      .optional()
      .describe('A date before this: ISO 8601, or seconds or milliseconds since 1970.'),
    after: date().optional().describe('A date after this: ISO 8601, or seconds or milliseconds since 1970.'),
    semver: text(RANGE_MAX)
      .optional()
      .describe('A version in this range, as npm writes ranges: ">=1.2.0 <2.0.0", "^1.2.0".'),
    cidr: z
      .array(text(64))
      .min(1)
      .max(NETWORKS_MAX)
      .optional()
      .describe('An IP address in one of these networks: 10.0.0.0/8, 2001:db8::/32.'),
    segment: text(63)
      .optional()
      .describe('One of the ids of this segment; alone in a rule: the rules of this segment hold.'),
  })
  .superRefine((value, context) => {
    // A key that is misspelt is told by itself, and not also as one that is missing.
    const message = context.issues.length > 0 ? null : shapeProblem(value);
    if (message !== null) context.addIssue({ code: 'custom', message });
  })
  .meta({ id: 'targetingRule' });

export const targetingSchema = z
  .array(targetingRule)
  .max(GROUP_MAX)
  .prefault([])
  .describe('All of these must hold.');
