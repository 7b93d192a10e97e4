/**
 * The part of the configuration schema that chooses how a unit becomes a variant. One map for all algorithms, so
 * that editors and "did you mean" know every option; which of them an algorithm has is in `validate-algorithm.ts`.
 */
import { z } from 'zod';
import { COMPATIBLE_ALGORITHMS } from '../experiment/algorithms/bucketing.ts';
import { found, text, VARIANT_HELP, VARIANT_PATTERN } from './schema-values.ts';

export const NATIVE_ALGORITHM = 'fairlead1';
const NAMES = [NATIVE_ALGORITHM, ...COMPATIBLE_ALGORITHMS] as const;

/** Longest group, key, salt or seed. */
const TEXT_MAX = 200;
/** Ranges of one filter or shard, buckets, splits: the systems' own interfaces make a handful. */
const LIST_MAX = 1000;
/** flagd's limit, and far above what the others use. */
const WEIGHT_MAX = 2_147_483_647;
/** A launchdarkly bucket's weight is a share of this. */
export const LAUNCHDARKLY_TOTAL = 100_000;
/** The hash has 32 bits. */
const SHARDS_MAX = 2 ** 32;

const byVariant = <T extends z.ZodType>(value: T) =>
  z.record(z.string().regex(VARIANT_PATTERN, `a name of a variant has ${VARIANT_HELP}`), value);

/** Two numbers of [0, 1], as GrowthBook writes them. */
const unitRange = z
  .array(z.number().min(0).max(1))
  .length(2)
  .superRefine(([from = 0, to = 0], context) => {
    if (from > to)
      context.addIssue({ code: 'custom', message: `the range begins at ${from}, after its end ${to}` });
  });

const hashVersion = z.union([z.literal(1), z.literal(2)]);

const filter = z.strictObject({
  seed: text(TEXT_MAX).describe("Seed of the filter's own hash."),
  hashVersion: hashVersion.prefault(2).describe('1 or 2.'),
  ranges: z.array(unitRange).min(1).max(LIST_MAX).describe('Who is in one of these passes.'),
});

const namespace = z.strictObject({
  id: text(TEXT_MAX).describe('Name of the namespace.'),
  range: unitRange.describe('The share of the namespace that this experiment has.'),
});

const bucket = z.strictObject({
  variant: text(63).describe('Who gets the bucket; a variant may have several.'),
  weight: z.int().min(0).max(LAUNCHDARKLY_TOTAL).describe('Out of 100000.'),
  untracked: z
    .boolean()
    .prefault(false)
    .describe('Its units are not part of the experiment; only for the fallback.'),
});

const shardRange = z
  .strictObject({
    start: z.int().min(0).max(SHARDS_MAX).describe('First shard.'),
    end: z.int().min(0).max(SHARDS_MAX).describe('First shard that is no longer in it.'),
  })
  .superRefine(({ start, end }, context) => {
    if (start > end)
      context.addIssue({ code: 'custom', message: `the range begins at ${start}, after its end ${end}` });
  });

const shard = z.strictObject({
  salt: text(TEXT_MAX).describe("Salt of the shard's hash."),
  ranges: z.array(shardRange).min(1).max(LIST_MAX).describe('The unit must be in one of these.'),
});

const split = z.strictObject({
  variant: text(63).describe('Who is in all shards gets this one; the first split that fits wins.'),
  shards: z.array(shard).max(16).describe('None: everyone.'),
});

const options = z
  .strictObject({
    name: z
      .enum(NAMES)
      .describe('The system whose cohorts are kept; fairlead1 is our own and the only one with no options.'),
    groupId: text(TEXT_MAX).optional().describe("unleash: of the strategy. Default: the experiment's name."),
    variantGroupId: text(TEXT_MAX)
      .optional()
      .describe("unleash: of the variants, which for a flag's own is the flag's name. Default: the groupId."),
    rollout: z
      .boolean()
      .prefault(false)
      .describe(
        'unleash, growthbook: a flag without variants, on for a share of the units; the two variants are on and off.',
      ),
    weights: byVariant(z.number().min(0).max(WEIGHT_MAX))
      .optional()
      .describe("unleash, growthbook, flagd: the system's own numbers, in place of every variant's weight."),
    seed: z
      .union([z.int(), z.string().max(TEXT_MAX)], {
        error: (issue) => `${found(issue.input)}; expected text or a whole number`,
      })
      .optional()
      .describe(
        "growthbook: seed of the hash, default the experiment's name. launchdarkly: seed of an experiment. flagd: what stands before the unit in place of the flag's key.",
      ),
    ranges: byVariant(unitRange)
      .optional()
      .describe('growthbook: the hashes of every variant, in place of weights and traffic.'),
    namespace: namespace.optional().describe('growthbook: only units inside the range of a namespace.'),
    filters: z
      .array(filter)
      .min(1)
      .max(16)
      .optional()
      .describe('growthbook: only units that pass all of these.'),
    flagKey: text(TEXT_MAX).optional().describe("flagd: the flag's key. Default: the experiment's name."),
    key: text(TEXT_MAX).optional().describe("launchdarkly: the flag's key. Default: the experiment's name."),
    salt: text(TEXT_MAX).optional().describe("launchdarkly: the flag's salt."),
    buckets: z
      .array(bucket)
      .min(1)
      .max(LIST_MAX)
      .optional()
      .describe("launchdarkly: the rollout's buckets in its order, in place of every variant's weight."),
    totalShards: z.int().min(1).max(SHARDS_MAX).optional().describe('eppo: default 10000.'),
    splits: z
      .array(split)
      .min(1)
      .max(LIST_MAX)
      .optional()
      .describe("eppo: the allocation's splits in its order, in place of every variant's weight."),
  })
  .describe('An algorithm with its options.');

export const algorithmSchema = z
  .union([z.enum(NAMES), options])
  .transform(
    (value): AlgorithmConfig => (typeof value === 'string' ? { name: value, rollout: false } : value),
  )
  .describe(
    'How a unit becomes a variant. Default: fairlead1. The others keep the cohorts of the system they are named after; see docs/migrating.md.',
  );

export type AlgorithmConfig = z.output<typeof options>;
