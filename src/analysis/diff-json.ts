/**
 * Where two JSON values differ, by jsondiffpatch. Lists are compared place by place: the library would look for the longest
 * common part, which takes the product of both lengths in time and memory, and these come from strangers. So lists and
 * objects are turned into objects whose members begin with `#` or `.` before: no name of theirs is one that every
 * JavaScript object has. Pure.
 */
import { create, type Delta } from 'jsondiffpatch';

/** A place where two values differ; undefined: there is nothing. */
export interface JsonDifference {
  /** Names of members and numbers of places, from the root. */
  readonly steps: readonly string[];
  readonly before: unknown;
  readonly after: unknown;
}

/** A value as it is compared. */
type Comparable = string | number | boolean | null | { readonly [key: string]: Comparable };

/** That it is a list, so that an empty one is no empty object. */
const IS_LIST = '#';

/** Values in one tree: comparing two of so many takes some ten milliseconds. */
export const VALUES_MAX = 10_000;

const patcher = create();

/**
 * The places where they differ, each once.
 * @throws RangeError when there are more than `VALUES_MAX` values in one, or nested more deeply than can be followed
 */
export function diffJson(before: unknown, after: unknown): JsonDifference[] {
  const found: JsonDifference[] = [];
  const delta = patcher.diff(comparable(before, { values: 0 }), comparable(after, { values: 0 }));
  collect(delta, [], found);
  return found;
}

function comparable(value: unknown, tree: { values: number }): Comparable {
  if (++tree.values > VALUES_MAX) throw new RangeError(`More than ${VALUES_MAX} values.`);
  if (typeof value !== 'object' || value === null) return value as Comparable;
  const isList = Array.isArray(value);
  const members: Record<string, Comparable> = isList ? { [IS_LIST]: true } : {};
  const sign = isList ? '#' : '.';
  for (const [key, member] of Object.entries(value)) members[sign + key] = comparable(member, tree);
  return members;
}

function collect(delta: Delta, steps: readonly string[], found: JsonDifference[]): void {
  if (delta === undefined) return;
  if (Array.isArray(delta)) {
    const [first, second] = delta;
    if (delta.length === 1) found.push({ steps, before: undefined, after: plain(first) });
    else if (delta.length === 3) found.push({ steps, before: plain(first), after: undefined });
    else found.push({ steps, before: plain(first), after: plain(second) });
    return;
  }
  // A list on one side and an object on the other have no member in common.
  const other = (delta as Readonly<Record<string, readonly unknown[]>>)[IS_LIST];
  if (other !== undefined) {
    const isListNow = other.length === 1;
    found.push({ steps, before: isListNow ? {} : [], after: isListNow ? [] : {} });
    return;
  }
  for (const [key, member] of Object.entries(delta)) collect(member, [...steps, key.slice(1)], found);
}

/** What `comparable` was made of. */
function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([key]) => key !== IS_LIST);
  if (Object.hasOwn(value, IS_LIST)) return members.map(([, member]) => plain(member));
  return Object.fromEntries(members.map(([key, member]) => [key.slice(1), plain(member)]));
}
