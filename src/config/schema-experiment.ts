/**
 * The part of the configuration schema that describes experiments, their variants and targeting.
 */
import { z } from 'zod';
import { algorithmSchema } from './schema-algorithm.ts';
import { analysisSchema } from './schema-analysis.ts';
import { breakerOverrideSchema, breakerSchema } from './schema-breaker.ts';
import { bridgeFields } from './schema-bridge.ts';
import { failuresSchema } from './schema-failures.ts';
import { faultSchema } from './schema-fault.ts';
import { layerFields } from './schema-layer.ts';
import { lifecycleFields } from './schema-lifecycle.ts';
import { mirrorSchema } from './schema-mirror.ts';
import { concurrencySchema, variantRateLimitSchema } from './schema-overload.ts';
import { payloadSchema } from './schema-payload.ts';
import { rolloutSchema } from './schema-rollout.ts';
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
  text,
  VARIANT_HELP,
  VARIANT_PATTERN,
} from './schema-values.ts';

export const experimentName = () => name(EXPERIMENT_PATTERN, EXPERIMENT_HELP);
export const variantName = () => name(VARIANT_PATTERN, VARIANT_HELP);
export const upstreamName = () => name(NAME_PATTERN, NAME_HELP);

const variant = z.strictObject({
  weight: percent()
    .optional()
    .describe('Share of the enrolled units. The fallback may leave it out and gets the rest.'),
  upstream: upstreamName()
    .optional()
    .describe("Where this variant's requests go. Default: the route's own upstream."),
  breaker: z
    .union([z.literal(false), breakerOverrideSchema])
    .optional()
    .describe('`false`: no breaker for this variant.'),
  payload: payloadSchema.optional(),
  fault: faultSchema.optional(),
  concurrency: concurrencySchema.optional(),
  rateLimit: variantRateLimitSchema.optional(),
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
  failures: failuresSchema.optional(),
  analysis: analysisSchema.optional(),
  mirror: mirrorSchema
    .optional()
    .describe(
      'A share of the requests is sent to the candidate as well, to compare answers. See docs/mirroring.md.',
    ),
  rollout: rolloutSchema
    .optional()
    .describe('How the candidate gets its share, by evidence. See docs/rollout.md.'),
});

export type ExperimentConfig = z.output<typeof experimentSchema>;
