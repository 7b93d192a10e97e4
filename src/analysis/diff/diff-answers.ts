/**
 * Where two answers to the same request differ: whether there is one, status, fields, and the body, by its places if it is
 * JSON. Places are folded and shortened, so that there are few and none of them is somebody's id. Pure.
 */
import { diffJson } from './diff-json.ts';

/** What one upstream answered. */
export interface Answer {
  /** 0: none came. */
  readonly status: number;
  /** Why none came: an error code; '' when one did. */
  readonly problem: string;
  /** By lower-case name; those that say how the body is framed are left out. */
  readonly headers: ReadonlyMap<string, string>;
  /** Null: it is longer than what is looked into, or in a coding that cannot be read. */
  readonly body: string | null;
  /** Of the body: two with the same are taken for the same. */
  readonly hash: string;
  readonly bytes: number;
  /** From when it was sent to the end of the answer. */
  readonly ms: number;
}

export interface CompareRules {
  /** Lower-case names of the fields that are compared; null: all but those that are left out. */
  readonly headers: readonly string[] | null;
  /** Lower-case names. */
  readonly ignoreHeaders: readonly string[];
  /** Places in JSON, in steps; `*` is any one step. What is below them is left out as well. */
  readonly ignorePaths: readonly (readonly string[])[];
}

export interface Difference {
  /** `status`, `header content-type`, `body /items/x/price` with `*` in the place of x. */
  readonly path: string;
  /** As JSON has it; undefined: there is nothing. */
  readonly control: unknown;
  readonly other: unknown;
}

/** Fields that say when and by whom and not what, or what the body says better. */
export const VOLATILE_HEADERS: readonly string[] = [
  'age',
  'connection',
  'date',
  'etag',
  'expires',
  'keep-alive',
  'last-modified',
  'server-timing',
  'traceparent',
  'tracestate',
  'via',
  'x-fairlead-variant',
  'x-experiment-reason',
  'x-request-id',
];

/** Of two answers, so many places are looked at. */
const DIFFERENCES_MAX = 100;
const STEPS_SHOWN = 12;
/** A name of a member and not an id: letters first, no long run of digits, not long. */
const NAME = /^(?!.*\d{4})[A-Za-z_$][\w$.-]{0,39}$/;

/** The places where they differ, each once; at most 100. */
export function compareAnswers(control: Answer, other: Answer, rules: CompareRules): Difference[] {
  // Which of them fails is no difference between those that do.
  if (control.status === 0 || other.status === 0)
    return (control.status === 0) === (other.status === 0)
      ? []
      : [{ path: 'answer', control: wordFor(control), other: wordFor(other) }];
  const found: Difference[] = [];
  if (control.status !== other.status)
    found.push({ path: 'status', control: control.status, other: other.status });
  found.push(...headerDifferences(control, other, rules), ...bodyDifferences(control, other, rules));
  return found.slice(0, DIFFERENCES_MAX);
}

function wordFor({ status, problem }: Answer): string {
  return status === 0 ? problem : 'answered';
}

function headerDifferences(control: Answer, other: Answer, rules: CompareRules): Difference[] {
  const names = rules.headers ?? new Set([...control.headers.keys(), ...other.headers.keys()]);
  const found: Difference[] = [];
  for (const name of names) {
    if (rules.headers === null && VOLATILE_HEADERS.includes(name)) continue;
    if (rules.ignoreHeaders.includes(name)) continue;
    const [before, after] = [comparedValue(control, name), comparedValue(other, name)];
    const shown = NAME.test(name) ? name : '*';
    if (before !== after) found.push({ path: `header ${shown}`, control: before, other: after });
  }
  return found;
}

/** Of cookies the names: what they say is somebody's. */
function comparedValue({ headers }: Answer, name: string): string | undefined {
  const value = headers.get(name);
  if (value === undefined || name !== 'set-cookie') return value;
  return [...value.matchAll(/(?:^|\n)\s*([^=;\s]+)=/g)].map((match) => match[1]).join(', ');
}

function bodyDifferences(control: Answer, other: Answer, rules: CompareRules): Difference[] {
  if (control.hash === other.hash && control.bytes === other.bytes) return [];
  const places = jsonDifferences(control.body, other.body, rules);
  if (places !== null) return places;
  const path = 'body';
  return [{ path, control: sizeOf(control), other: sizeOf(other) }];
}

function sizeOf({ bytes }: Answer): string {
  return `${bytes} bytes`;
}

/** Null: one of them is no JSON, or too large to be compared by its places. */
function jsonDifferences(
  control: string | null,
  other: string | null,
  { ignorePaths }: CompareRules,
): Difference[] | null {
  if (control === null || other === null) return null;
  const byPath = new Map<string, Difference>();
  try {
    for (const { steps, before, after } of diffJson(JSON.parse(control), JSON.parse(other))) {
      if (ignorePaths.some((pattern) => isBelow(steps, pattern))) continue;
      const path = `body ${pathOf(steps)}`.trimEnd();
      if (!byPath.has(path)) byPath.set(path, { path, control: before, other: after });
    }
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return null;
    throw error;
  }
  return [...byPath.values()];
}

function isBelow(steps: readonly string[], pattern: readonly string[]): boolean {
  return (
    steps.length >= pattern.length && pattern.every((step, index) => step === '*' || step === steps[index])
  );
}

/** A pointer (RFC 6901) in which `*` is a place of a list, or a name that looks like an id. */
function pathOf(steps: readonly string[]): string {
  const shown = steps.slice(0, STEPS_SHOWN).map((step) => `/${NAME.test(step) ? step : '*'}`);
  return `${shown.join('')}${steps.length > STEPS_SHOWN ? '/...' : ''}`;
}
