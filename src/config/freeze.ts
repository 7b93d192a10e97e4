/**
 * Deep freezing, so that a Snapshot cannot change under a request that began with it. Pure but for the freezing.
 */

/** Freezes plain objects, arrays and maps all the way down; class instances freeze themselves. */
export function deepFreeze<T>(value: T): T {
  freezeInto(value, new Set());
  return value;
}

function freezeInto(value: unknown, seen: Set<object>): void {
  if (typeof value !== 'object' || value === null || seen.has(value)) return;
  seen.add(value);
  if (value instanceof Map) {
    for (const entry of value.values()) freezeInto(entry, seen);
    freezeMap(value);
    return;
  }
  if (hasItems(value)) freezeInto(value.all, seen);
  if (!isPlain(value)) return;
  for (const inner of Object.values(value)) freezeInto(inner, seen);
  Object.freeze(value);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return Array.isArray(value) || prototype === Object.prototype || prototype === null;
}

/** A route table: frozen itself, but its routes are ours to freeze. */
function hasItems(value: object): value is { all: readonly unknown[] } {
  return !isPlain(value) && 'all' in value && Array.isArray(value.all);
}

function refuse(): never {
  throw new TypeError('a Snapshot is immutable');
}

/** `Object.freeze` does not reach a Map's entries. */
function freezeMap(map: Map<unknown, unknown>): void {
  Object.defineProperties(map, {
    set: { value: refuse },
    delete: { value: refuse },
    clear: { value: refuse },
  });
  Object.freeze(map);
}
