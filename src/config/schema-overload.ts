/** The parts of the configuration schema about too many requests: what may be under way, come in, and be given up. */
import { z } from 'zod';
import { parseRate, RATE_PATTERN } from './rate.ts';
import { unitSchema } from './schema-unit.ts';
import { percent, positiveDuration, readString, size } from './schema-values.ts';
import { PERCENT_PATTERN, SIZE_PATTERN } from './units.ts';

const CONCURRENCY_MAX = 100_000;
const MIB = 1024 * 1024;
const TIB = 2 ** 40;

const calls = () => z.int().min(1).max(CONCURRENCY_MAX);

const adaptive = z.strictObject({
  initial: calls().prefault(20).describe('The limit at first.'),
  min: calls().prefault(20).describe('It is never less than this.'),
  max: calls().prefault(200).describe('It is never more than this.'),
  queue: z
    .int()
    .min(1)
    .max(1000)
    .prefault(4)
    .describe('How many requests may queue at the upstream: what the limit grows by.'),
  tolerance: z
    .number()
    .min(1)
    .max(100)
    .prefault(1.5)
    .describe('Requests may take this many times as long as usual before the limit shrinks.'),
});

export const concurrencySchema = z
  .union([calls(), z.literal('adaptive'), adaptive])
  .transform((value) => {
    if (typeof value === 'number') return { kind: 'fixed' as const, max: value };
    return { kind: 'adaptive' as const, ...(value === 'adaptive' ? adaptive.parse({}) : value) };
  })
  .describe(
    'Requests that may be under way: a number, or adaptive, which finds one by how long they take. What is beyond it is answered 503 at once; of a variant, it gets the fallback.',
  );

const rate = () => readString(parseRate, 'a rate such as 100/s or 600/m', RATE_PATTERN);

const rateLimitFields = {
  rate: rate().describe('Requests that may come in: per s, m, h or d.'),
  burst: z
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .describe('How many may come at once after a pause. Default: those of one second, and at least one.'),
  by: z
    .union([z.literal('all'), z.literal('unit'), unitSchema])
    .prefault('all')
    .describe(
      'all: for all together. unit: for each unit of the experiment, on a route of its first one. Or the sources of what each is counted by, as in unit; requests without any of them share one.',
    ),
  entries: z
    .int()
    .min(8)
    .max(10_000_000)
    .prefault(100_000)
    .describe(
      'Units that are remembered, 24 bytes each; with more that are busy, the least busy ones begin anew.',
    ),
};

export const rateLimitSchema = z
  .strictObject(rateLimitFields)
  .describe('How many requests may come in; what is beyond it is answered 429 at once.');

export const variantRateLimitSchema = z
  .strictObject({
    ...rateLimitFields,
    over: z
      .enum(['fallback', 'refuse'])
      .prefault('fallback')
      .describe('What is beyond it gets the fallback variant, or 429. The fallback itself has only 429.'),
  })
  .describe('How many requests may come in for this variant, on all routes together.');

export const overloadSchema = z
  .strictObject({
    eventLoopDelay: positiveDuration()
      .optional()
      .describe('Shed when the event loop is later than this, on average. Default: it is not looked at.'),
    memory: readString<MemoryConfig>(
      (text) => {
        const isShare = text.includes('%');
        const result = (isShare ? percent() : size(16 * MIB, TIB)).safeParse(text);
        if (!result.success) return { ok: false, problem: result.error.issues[0]!.message };
        const value = result.data;
        if (isShare && value === 0) return { ok: false, problem: 'found 0%; it must be more than 0%' };
        return { ok: true, value: isShare ? { kind: 'share', ppm: value } : { kind: 'bytes', bytes: value } };
      },
      'a share such as 90% or a size such as 400MiB',
      `${PERCENT_PATTERN}|${SIZE_PATTERN}`,
    )
      .optional()
      .describe(
        'Shed when more than this is resident. A share is of the container’s limit or else of the machine, and of what the JavaScript heap may have. Default: it is not looked at.',
      ),
  })
  .describe(
    'When the sidecar has too much to do, it sheds the least important requests first. Left out: never.',
  );

export type MemoryConfig =
  | { readonly kind: 'share'; readonly ppm: number }
  | { readonly kind: 'bytes'; readonly bytes: number };

export type ConcurrencyConfig = z.output<typeof concurrencySchema>;
export type RateLimitConfig = z.output<typeof rateLimitSchema>;
export type VariantRateLimitConfig = z.output<typeof variantRateLimitSchema>;
export type OverloadConfig = z.output<typeof overloadSchema>;
