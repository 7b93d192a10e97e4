/** The part of the configuration schema that describes breakers: of an experiment, and what differs for a variant. */
import { z } from 'zod';
import { budgetSchema, maxTripsSchema, modeSchema } from './schema-budget.ts';
import { confidence, latencyLimits, rateLimits } from './schema-limit.ts';
import { positiveDuration } from './schema-values.ts';

const errorRate = () => z.union([z.literal('off'), rateLimits()]);

const slow = z
  .strictObject({
    threshold: positiveDuration().describe(
      'A call that takes longer is slow, from the moment it passes this.',
    ),
    rate: rateLimits()
      .prefault('50%')
      .describe('Open when at least this share of the calls in the window is slow; or against the control.'),
    stall: z
      .union([z.literal('off'), positiveDuration()])
      .optional()
      .describe(
        'Open when `minimumRequests` calls hang, the first for this long, and nothing that began after it was answered in time. Default: the threshold and 100ms.',
      ),
  })
  .describe('Open on slow calls; calls still under way count as soon as they pass the threshold.');

/** Keys of the quantiles, and the share of calls that may take longer. */
export const QUANTILE_SHARES = { p50: 0.5, p90: 0.1, p95: 0.05, p99: 0.01, 'p99.9': 0.001 } as const;

export type QuantileName = keyof typeof QUANTILE_SHARES;

const quantile = (percent: string) =>
  latencyLimits()
    .optional()
    .describe(
      `Open when it is beyond doubt that fewer than ${percent} of the calls take no longer than this, or than the control's with this much more.`,
    );

const breakerFields = {
  window: positiveDuration().prefault('10s').describe('How far back the rates look.'),
  minimumRequests: z
    .int()
    .min(1)
    .max(1_000_000)
    .prefault(20)
    .describe(
      'Fewer calls than this in the window never open it by a rate; against the control, both need them.',
    ),
  errorRate: errorRate()
    .prefault('50%')
    .describe(
      'Open when at least this share of the calls in the window failed, or against the control: `control + 1%`, `2 x control`; a list of both for both. `off` to leave it out.',
    ),
  slow: slow.optional(),
  p50: quantile('50%'),
  p90: quantile('90%'),
  p95: quantile('95%'),
  p99: quantile('99%'),
  'p99.9': quantile('99.9%'),
  confidence: confidence()
    .prefault('99.999%')
    .describe(
      'How sure it must be of a quantile, or of being worse than the control, before it opens. What is left is the chance, in each window, that one exactly at its limit is opened.',
    ),
  sharedOutage: z
    .enum(['hold', 'trip'])
    .prefault('hold')
    .describe(
      'A limit of its own is reached while the control is about as bad. hold: it stays closed, since the control would be no better; trip: it opens.',
    ),
  consecutiveFailures: z
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .describe('Open after this many failures in a row. Off unless given.'),
  openFor: positiveDuration()
    .prefault('5s')
    .describe('How long it stays open at first; doubled, with jitter, while its probes fail.'),
  openForMax: positiveDuration()
    .prefault('60s')
    .describe('The longest it stays open before it probes again.'),
  halfOpenRequests: z
    .int()
    .min(1)
    .max(10_000)
    .prefault(5)
    .describe('Probes that must succeed before it closes; one at first, then more at one time.'),
  mode: modeSchema.prefault('enforce'),
  budget: budgetSchema.optional(),
  maxTrips: maxTripsSchema.optional(),
};

const INHERITED = "Default: as in the experiment's breaker.";
const INHERITED_ERROR = "Default: as in the experiment's breaker; for the fallback variant at least 50%.";
const INHERITED_BUDGET =
  "Default: as in the experiment's breaker; for the fallback variant it is only counted.";
const INHERITED_TRIPS = "Default: as in the experiment's breaker; for the fallback variant off.";
const INHERITED_SLOW = "Default: as in the experiment's breaker; for the fallback variant off.";

const ownQuantile = () =>
  z
    .union([z.literal('off'), latencyLimits()])
    .optional()
    .describe(INHERITED_SLOW);

export const breakerOverrideSchema = z
  .strictObject({
    window: positiveDuration().optional().describe(INHERITED),
    minimumRequests: z.int().min(1).max(1_000_000).optional().describe(INHERITED),
    errorRate: errorRate().optional().describe(INHERITED_ERROR),
    slow: z
      .union([z.literal('off'), slow])
      .optional()
      .describe(INHERITED_SLOW),
    p50: ownQuantile(),
    p90: ownQuantile(),
    p95: ownQuantile(),
    p99: ownQuantile(),
    'p99.9': ownQuantile(),
    confidence: confidence().optional().describe(INHERITED),
    sharedOutage: z.enum(['hold', 'trip']).optional().describe(INHERITED),
    consecutiveFailures: z
      .union([z.literal('off'), z.int().min(1).max(1_000_000)])
      .optional()
      .describe(INHERITED),
    openFor: positiveDuration().optional().describe(INHERITED),
    openForMax: positiveDuration().optional().describe(INHERITED),
    halfOpenRequests: z.int().min(1).max(10_000).optional().describe(INHERITED),
    mode: modeSchema.optional().describe(INHERITED),
    budget: z
      .union([z.literal('off'), budgetSchema])
      .optional()
      .describe(INHERITED_BUDGET),
    maxTrips: z
      .union([z.literal('off'), maxTripsSchema])
      .optional()
      .describe(INHERITED_TRIPS),
  })
  .describe("What differs from the experiment's breaker for this variant.");

export const breakerSchema = z.strictObject(breakerFields);

export type BreakerConfig = z.output<typeof breakerSchema>;
export type BreakerOverrideConfig = z.output<typeof breakerOverrideSchema>;
