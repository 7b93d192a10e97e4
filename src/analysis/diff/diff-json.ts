/**
 * Where two JSON values differ, by jsondiffpatch. It is given only what differs: what is the same is left out before, which
 * takes a hundredth of the time. Lists are compared place by place: the library would look for the longest common part, which
 * takes the product of both lengths in time and memory, and these come from strangers. So lists and objects are turned into
 * objects whose members begin with `#` or `.` before: no name of theirs is one that every JavaScript object has. Pure.
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

type Members = Readonly<Record<string, unknown>>;
type Tree = readonly unknown[] | Members;

/** That it is a list, so that an empty one is no empty object. */
const IS_LIST = '#';

/** Values that are looked at: comparing so many takes some milliseconds. */
export const VALUES_MAX = 10_000;

const patcher = create();

/**
 * The places where they differ, each once.
 * @throws RangeError when there are more than `VALUES_MAX` values, or nested more deeply than can be followed
 */
export function diffJson(before: unknown, after: unknown): JsonDifference[] {
  const found: JsonDifference[] = [];
  const pair = new Pruned().differing(before, after);
  if (pair !== null) collect(patcher.diff(pair[0], pair[1]), [], found);
  return found;
}

/** Two values without what they have in common. */
class Pruned {
  #values = 0;

  /** Null: they are the same. */
  differing(before: unknown, after: unknown): readonly [Comparable, Comparable] | null {
    this.#count();
    if (before === after) return null;
    if (!isTree(before) || !isTree(after) || Array.isArray(before) !== Array.isArray(after))
      return [this.#comparable(before), this.#comparable(after)];
    // Nothing is made for what is the same, which most is.
    let pair: [Record<string, Comparable>, Record<string, Comparable>] | null = null;
    const sign = signOf(before);
    const [ofBefore, ofAfter] = [before as Members, after as Members];
    for (const key of Object.keys(before)) {
      if (!Object.hasOwn(after, key)) {
        pair ??= [{}, {}];
        pair[0][sign + key] = this.#comparable(ofBefore[key]);
        continue;
      }
      const inside = this.differing(ofBefore[key], ofAfter[key]);
      if (inside === null) continue;
      pair ??= [{}, {}];
      pair[0][sign + key] = inside[0];
      pair[1][sign + key] = inside[1];
    }
    for (const key of Object.keys(after)) {
      if (Object.hasOwn(before, key)) continue;
      pair ??= [{}, {}];
      pair[1][sign + key] = this.#comparable(ofAfter[key]);
    }
    return pair;
  }

  #comparable(value: unknown): Comparable {
    this.#count();
    if (!isTree(value)) return value as Comparable;
    const members: Record<string, Comparable> = Array.isArray(value) ? { [IS_LIST]: true } : {};
    const sign = signOf(value);
    for (const [key, member] of Object.entries(value)) members[sign + key] = this.#comparable(member);
    return members;
  }

  #count(): void {
    if (++this.#values > VALUES_MAX) throw new RangeError(`More than ${VALUES_MAX} values.`);
  }
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null;
}

function signOf(tree: Tree): string {
  return Array.isArray(tree) ? '#' : '.';
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
  if (!isTree(value)) return value;
  const members = Object.entries(value).filter(([key]) => key !== IS_LIST);
  if (Object.hasOwn(value, IS_LIST)) return members.map(([, member]) => plain(member));
  return Object.fromEntries(members.map(([key, member]) => [key.slice(1), plain(member)]));
}
