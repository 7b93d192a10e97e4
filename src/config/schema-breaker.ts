/** The part of the configuration schema that describes breakers: of an experiment, and what differs for a variant. */
import { z } from 'zod';
import { positiveDuration, positivePercent } from './schema-values.ts';

const errorRate = z
  .union([z.literal('off'), positivePercent()])
  .prefault('50%')
  .transform((value) => (value === 'off' ? null : value))
  .describe('Open when at least this share of the calls in the window failed; `off` to leave it out.');

const slow = z
  .strictObject({
    threshold: positiveDuration().describe(
      'A call that takes longer is slow, from the moment it passes this.',
    ),
    rate: positivePercent()
      .prefault('50%')
      .describe('Open when at least this share of the calls in the window is slow.'),
  })
  .describe('Open on slow calls; calls still under way count as soon as they pass the threshold.');

const breakerFields = {
  window: positiveDuration().prefault('10s').describe('How far back the rates look.'),
  minimumRequests: z
    .int()
    .min(1)
    .max(1_000_000)
    .prefault(20)
    .describe('Fewer calls than this in the window never open it by a rate.'),
  errorRate,
  slow: slow.optional(),
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
    .describe('Probes that must succeed before it closes.'),
};

const INHERITED = "Default: as in the experiment's breaker.";
const INHERITED_ERROR = "Default: as in the experiment's breaker; for the fallback variant at least 50%.";
const INHERITED_SLOW = "Default: as in the experiment's breaker; for the fallback variant off.";

export const breakerOverrideSchema = z
  .strictObject({
    window: positiveDuration().optional().describe(INHERITED),
    minimumRequests: z.int().min(1).max(1_000_000).optional().describe(INHERITED),
    errorRate: z
      .union([z.literal('off'), positivePercent()])
      .optional()
      .describe(INHERITED_ERROR),
    slow: z
      .union([z.literal('off'), slow])
      .optional()
      .describe(INHERITED_SLOW),
    consecutiveFailures: z
      .union([z.literal('off'), z.int().min(1).max(1_000_000)])
      .optional()
      .describe(INHERITED),
    openFor: positiveDuration().optional().describe(INHERITED),
    openForMax: positiveDuration().optional().describe(INHERITED),
    halfOpenRequests: z.int().min(1).max(10_000).optional().describe(INHERITED),
  })
  .describe("What differs from the experiment's breaker for this variant.");

export const breakerSchema = z.strictObject(breakerFields);

export type BreakerConfig = z.output<typeof breakerSchema>;
export type BreakerOverrideConfig = z.output<typeof breakerOverrideSchema>;
