/** RFC 6901: `/address/city`, the place of a value in JSON. Pure. */

/** Characters of a pointer and steps in it. */
const POINTER_MAX = 1024;
const STEPS_MAX = 32;

/** The steps of a pointer, or null when it is none. `/` alone is the member with the empty name; '' is not accepted. */
export function parsePointer(text: string): readonly string[] | null {
  if (!text.startsWith('/') || text.length > POINTER_MAX || /~(?![01])/.test(text)) return null;
  const steps = text
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  return steps.length > STEPS_MAX ? null : steps;
}

/** What is there, or undefined. Only own members count, and of a list only places as they are written: `0`, not `00`. */
export function atPointer(tree: unknown, steps: readonly string[]): unknown {
  let value = tree;
  for (const step of steps) {
    if (typeof value !== 'object' || value === null) return undefined;
    if (Array.isArray(value) && !/^(?:0|[1-9]\d*)$/.test(step)) return undefined;
    if (!Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  return value;
}
