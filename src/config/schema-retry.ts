/** The shape of what happens when an attempt fails: retries, the return to the fallback, and deadlines. */
import { z } from 'zod';
import { FAILURE_WORDS, type Listed } from '../resilience/failure.ts';
import { headerName, percent, positiveDuration, positivePercent } from './schema-values.ts';

/** What is tried again, or elsewhere, where nothing else is said. */
const DEFAULT_FAILURES = ['connect', 'reset', 'timeout', 'malformed', 502, 503, 504] as const;

const STATUS_MIN = 400;
const STATUS_MAX = 599;
const WHOLE_CLASS = '5xx';

const failure = z
  .union([z.enum(FAILURE_WORDS), z.literal(WHOLE_CLASS), z.int().min(STATUS_MIN).max(STATUS_MAX)])
  .transform((value): Listed[] => (value === WHOLE_CLASS ? serverErrors() : [value]));

function serverErrors(): number[] {
  return Array.from({ length: 100 }, (_, index) => 500 + index);
}

const failures = () =>
  z
    .array(failure)
    .max(50)
    .prefault([...DEFAULT_FAILURES])
    .transform((lists) => lists.flat());

const backOffSchema = z.strictObject({
  base: positiveDuration().prefault('25ms').describe('The first wait is anything up to this.'),
  max: positiveDuration()
    .prefault('250ms')
    .describe('The longest wait; each wait may be twice as long as the one before.'),
});

export const retriesSchema = z
  .union([
    z.literal(false),
    z.strictObject({
      attempts: z
        .int()
        .min(1)
        .max(10)
        .prefault(2)
        .describe('Attempts at one upstream together, the first included.'),
      on: failures().describe(
        'What is tried again: connect, reset, timeout, malformed, statuses, 5xx. Never a request that may have been carried out and is not idempotent.',
      ),
      perTry: positiveDuration()
        .optional()
        .describe('How long an attempt may take to begin to answer. Default: as timeouts.firstByte says.'),
      backOff: backOffSchema.prefault({}).describe('How long to wait before the next attempt.'),
      hedge: z
        .strictObject({
          after: positiveDuration().describe('How long the first may take to begin to answer.'),
        })
        .optional()
        .describe(
          'GET, HEAD, OPTIONS, TRACE and QUERY go to a second endpoint as well when the first is late; the first answer is used.',
        ),
    }),
  ])
  .describe(
    'Attempts after the first. Default: one more when nothing was sent, or when a pooled connection was dead. false: none.',
  );

export const failoverSchema = z
  .union([
    z.literal(false),
    z.strictObject({
      on: failures().describe(
        'What makes the fallback serve this request: connect, reset, timeout, malformed, statuses, 5xx.',
      ),
      after: positiveDuration()
        .optional()
        .describe(
          'How long a variant may take to begin to answer, retries included. Default: half of the time that the request may take, if that is limited.',
        ),
      budget: positivePercent()
        .prefault('100%')
        .describe('Share of the requests to other variants that may be served so, over ten seconds.'),
    }),
  ])
  .describe(
    'When a variant fails that has an upstream of its own, the fallback serves the same request. false: never.',
  );

export const retryBudgetSchema = z.strictObject({
  ratio: percent()
    .prefault('20%')
    .describe('Retries to an upstream, as a share of the requests to it in the last ten seconds.'),
  minPerSecond: z
    .int()
    .min(0)
    .max(100_000)
    .prefault(3)
    .describe('And so many a second, whatever the requests are.'),
});

export const deadlinesSchema = z.strictObject({
  header: headerName()
    .optional()
    .describe(
      'The header that says how long a request may take (1500, 1500ms, 1.5s) and is sent on with what is left of it: x-envoy-expected-rq-timeout-ms. Default: none.',
    ),
  grpc: z.boolean().prefault(true).describe('Heed grpc-timeout, and send it on with what is left of it.'),
});

export type RetriesConfig = z.output<typeof retriesSchema>;
export type FailoverConfig = z.output<typeof failoverSchema>;
export type RetryBudgetConfig = z.output<typeof retryBudgetSchema>;
export type DeadlinesConfig = z.output<typeof deadlinesSchema>;
