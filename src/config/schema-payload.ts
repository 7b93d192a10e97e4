/**
 * What a variant means to the application: the value that an OpenFeature SDK gets for the flag instead of the
 * variant's name. Any value that JSON has but nothing; the request path never looks at it.
 */
import { z } from 'zod';
import type { Payload } from '../experiment/model.ts';
import { found } from './schema-values.ts';

/** As JSON, in bytes: an answer holds the payloads of all experiments, and is asked for again and again. */
export const PAYLOAD_MAX_BYTES = 16_384;

export const payloadSchema = z
  .unknown()
  .transform((value, context): Payload => {
    const problem = payloadProblem(value);
    if (problem === null) return value as Payload;
    context.issues.push({ code: 'custom', message: problem, input: value });
    return z.NEVER;
  })
  .meta({
    description:
      'The value of the flag for OpenFeature: text, a number, `true` or `false`, a list or a map. Default: the name of the variant.',
  });

function payloadProblem(value: unknown): string | null {
  if (value === null || value === undefined) return `${found(value)}; a payload is some value, or left out`;
  if (!isJson(value)) return 'found a number that JSON does not have, such as .nan or .inf';
  const bytes = Buffer.byteLength(JSON.stringify(value));
  return bytes > PAYLOAD_MAX_BYTES
    ? `the payload is ${bytes} bytes as JSON, more than ${PAYLOAD_MAX_BYTES}`
    : null;
}

/** The file's depth and number of values are limited before this. */
function isJson(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value === 'object' && value !== null) return Object.values(value).every(isJson);
  return true;
}

/** The kind of a flag with this value, in the words of OpenFeature. */
export function payloadKind(payload: Payload): 'boolean' | 'string' | 'number' | 'object' {
  return typeof payload as 'boolean' | 'string' | 'number' | 'object';
}
