/**
 * Bodies of changes: what each may hold, and how a mistake in one is told. Pure but for the throw.
 */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { parseDuration, parsePercent } from '../config/units.ts';
import { AdminError } from './problem.ts';

/** Longest reason that is put on record. */
const REASON_MAX_CHARS = 500;
/** In an emergency nobody should be held up for want of a sentence, but the record says that there was none. */
const NO_REASON = 'no reason given';
const reason = z
  .string()
  .max(REASON_MAX_CHARS)
  .default('')
  .transform((text) => (text.trim() === '' ? NO_REASON : text.trim()));

export const reasonBody = z.strictObject({ reason });

/** Weights as `25%`, or as a number of per cent. */
const weight = z.union([z.string(), z.number().min(0).max(100)]).transform((value, context) => {
  const parsed = parsePercent(typeof value === 'number' ? `${value}%` : value);
  if (parsed.ok) return parsed.value;
  context.addIssue({ code: 'custom', message: parsed.problem });
  return z.NEVER;
});

export const weightsBody = z.strictObject({ weights: z.record(z.string(), weight), reason });

/** A breaker that was opened by hand closes again, at the latest after a day. */
const TRIP_MAX_MS = 24 * 60 * 60 * 1000;
const duration = z.string({ error: noDuration }).transform((value, context) => {
  const parsed = parseDuration(value);
  if (parsed.ok && parsed.value > 0 && parsed.value <= TRIP_MAX_MS) return parsed.value;
  context.addIssue({
    code: 'custom',
    message: parsed.ok ? 'must be above 0 and at most 24h' : parsed.problem,
  });
  return z.NEVER;
});

/** What there is for want of a time is forever, so this is said in words. */
function noDuration({ input }: { readonly input?: unknown }): string {
  return input === undefined ? 'is missing; say for how long, such as 10m' : 'expected a text such as 10m';
}

/** For bodies that are described elsewhere. */
export { duration as limitedTime, reason as reasonField };

export const forceBody = z.strictObject({
  state: z.enum(['open', 'closed', 'observe']),
  for: duration,
  reason,
});

export const tripBody = z.strictObject({ for: duration.default(60_000), reason });

/** The body, or a refusal that names the place. No body is an empty one. @throws AdminError */
export function readBody<T>(request: FastifyRequest, schema: z.ZodType<T>): T {
  return readAs(request.body ?? {}, schema);
}

/** What came, or a refusal that names the place. @throws AdminError */
export function readAs<T>(value: unknown, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue?.path.join('.') ?? '';
  const message = issue?.message ?? 'invalid';
  throw new AdminError(
    'request_invalid',
    path === '' ? message : `${path}: ${message}`,
    path === '' ? {} : { path },
  );
}
