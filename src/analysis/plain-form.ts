/**
 * How accumulators are written down, to be kept or sent: plain JSON with a version. What is read back may come from
 * another version or a damaged file, so it is checked, and refused whole. Pure.
 */

/** The version of every form. A form that changes its meaning gets the next one, and the old one is refused. */
export const FORM_VERSION = 1;

/**
 * The named fields of a form, all finite numbers.
 *
 * @throws RangeError when it is of another version or kind, or a field is none.
 */
export function readNumbers(form: unknown, kind: string, names: readonly string[]): number[] {
  const fields = readForm(form, kind);
  return names.map((name) => {
    const value = fields[name];
    if (typeof value !== 'number' || !Number.isFinite(value))
      throw new RangeError(`${kind}: ${name} is not a number.`);
    return value;
  });
}

/** @throws RangeError when it is no object, or of another version or kind. */
export function readForm(form: unknown, kind: string): Readonly<Record<string, unknown>> {
  if (typeof form !== 'object' || form === null) throw new RangeError(`${kind}: not an object.`);
  const fields = form as Readonly<Record<string, unknown>>;
  if (fields.kind !== kind) throw new RangeError(`${kind}: of another kind.`);
  if (fields.version !== FORM_VERSION) throw new RangeError(`${kind}: not of version ${FORM_VERSION}.`);
  return fields;
}
