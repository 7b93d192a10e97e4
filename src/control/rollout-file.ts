/** Rollouts as the state file keeps them. */
import { z } from 'zod';
import type { RolloutState } from '../analysis/rollout/rollout-state.ts';

const count = z.int().min(0);
const share = z.int().min(0).max(1_000_000);
const time = z.number().min(0);
const text = z.string().max(4_000);
const phase = z.enum([
  'baking',
  'gate',
  'paused',
  'rolling-back',
  'promotion-failed',
  'promoted',
  'rolled-back',
]);
const place = { phase, step: count, sharePpm: share };
const arm = z.object({ requests: count, hits: z.record(z.string(), count) });

const rollout = z.object({
  version: z.literal(1),
  id: text,
  plan: text,
  candidate: text,
  beforePpm: share,
  startedAtMs: time,
  sinceMs: time,
  watchedMs: time,
  idleMs: time,
  counts: z.object({ control: arm, candidate: arm }),
  reason: text,
  etaMs: time.nullable(),
  wants: z.enum(['confirm-traffic-increase', 'confirm-promotion']).nullable(),
  previous: z.object(place).nullable(),
  ...place,
}) satisfies z.ZodType<RolloutState>;

/** What cannot be read of it is lost, and nothing else with it. */
export const savedRolloutsSchema = z.record(z.string(), rollout).catch({}).default({});

export type SavedRollouts = ReadonlyMap<string, RolloutState>;
