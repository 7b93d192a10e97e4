/** The part of the configuration schema that says which endpoints of an upstream are put aside. */
import { z } from 'zod';
import { positiveDuration, positivePercent } from './schema-values.ts';

const outlier = z.strictObject({
  consecutiveFailures: z
    .union([z.literal('off'), z.int().min(1).max(1_000_000)])
    .prefault(5)
    .describe('Failures in a row: 5xx, no connection, a reset, a timeout. `off` to leave it out.'),
  errorRate: z
    .union([z.literal('off'), positivePercent()])
    .prefault('50%')
    .describe('Share of the answers in the window that failed; `off` to leave it out.'),
  slowerThan: z
    .union([z.literal('off'), z.number().min(1.5).max(1000)])
    .prefault('off')
    .describe('Times as long as the typical sibling takes, such as 3.'),
  minimumRequests: z
    .int()
    .min(1)
    .max(1_000_000)
    .prefault(20)
    .describe('With fewer answers in the window, neither errorRate nor slowerThan counts.'),
  window: positiveDuration().prefault('10s').describe('How far back they look.'),
  ejectFor: positiveDuration()
    .prefault('30s')
    .describe('How long the first time; twice as long each time after that, with jitter.'),
  ejectForMax: positiveDuration().prefault('5m').describe('The longest.'),
  ejectedMax: positivePercent()
    .prefault('50%')
    .describe('Of the endpoints, at most this share at a time; one of two or more always may.'),
});

export const outlierSchema = z
  .union([z.literal(false), outlier])
  .prefault({})
  .describe(
    'An endpoint that does worse than its siblings gets no requests for a while. Only with several endpoints. `false`: never.',
  );

export type OutlierConfig = z.output<typeof outlier>;
