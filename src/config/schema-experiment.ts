/**
 * The part of the configuration schema that describes experiments, their variants, targeting and breakers.
 */
import { z } from 'zod';
import { algorithmSchema } from './schema-algorithm.ts';
import { bridgeFields } from './schema-bridge.ts';
import { layerFields } from './schema-layer.ts';
import { lifecycleFields } from './schema-lifecycle.ts';
import { payloadSchema } from './schema-payload.ts';
import { stickySchema } from './schema-sticky.ts';
import { targetingSchema } from './schema-targeting.ts';
import { unitSchema } from './schema-unit.ts';
import {
  EXPERIMENT_HELP,
  EXPERIMENT_PATTERN,
  NAME_HELP,
  NAME_PATTERN,
  name,
  percent,
  positiveDuration,
  positivePercent,
  text,
  VARIANT_HELP,
  VARIANT_PATTERN,
} from './schema-values.ts';

export const experimentName = () => name(EXPERIMENT_PATTERN, EXPERIMENT_HELP);
export const variantName = () => name(VARIANT_PATTERN, VARIANT_HELP);
export const upstreamName = () => name(NAME_PATTERN, NAME_HELP);

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

const breakerOverride = z
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

const variant = z.strictObject({
  weight: percent()
    .optional()
    .describe('Share of the enrolled units. The fallback may leave it out and gets the rest.'),
  upstream: upstreamName()
    .optional()
    .describe("Where this variant's requests go. Default: the route's own upstream."),
  breaker: z
    .union([z.literal(false), breakerOverride])
    .optional()
    .describe('`false`: no breaker for this variant.'),
  payload: payloadSchema.optional(),
});

export const experimentSchema = z.strictObject({
  ...lifecycleFields,
  ...layerFields,
  // A NUL ends the salt in the key that is hashed.
  salt: text(200)
    .regex(/^[^\0]*$/, 'found a text with a NUL in it; a salt has none')
    .optional()
    .describe('Key of the hash: a new salt deals everyone anew. Default: the name.'),
  unit: unitSchema.optional(),
  sticky: stickySchema.optional(),
  unknownVariant: z
    .enum(['baseline', 'refuse'])
    .prefault('baseline')
    .describe(
      'A request carries a variant that is not here. baseline: it gets the fallback and carries its variant on; refuse: 501.',
    ),
  traffic: percent().prefault('100%').describe('Share of the units that take part at all.'),
  targeting: targetingSchema,
  variants: z.record(variantName(), variant).describe('Two or more, by name.'),
  fallback: variantName().optional().describe('The safe variant. Default: control.'),
  algorithm: algorithmSchema.optional(),
  ...bridgeFields,
  breaker: z
    .union([z.literal(false), breakerSchema])
    .prefault({})
    .describe('One breaker for each route and variant with these settings. `false`: none.'),
});

export type ExperimentConfig = z.output<typeof experimentSchema>;
export type BreakerConfig = z.output<typeof breakerSchema>;
export type BreakerOverrideConfig = z.output<typeof breakerOverride>;
