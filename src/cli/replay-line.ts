/** A line of the decision log as `replay` reads it. Pure. */
import { z } from 'zod';
import type { Asked } from '../experiment/asked.ts';
import type { Answers } from '../experiment/recorded.ts';
import { DECISION_FORMAT, type DecisionHead } from '../telemetry/decision-log.ts';

/** One experiment of a request. */
export interface RecordedExperiment extends Answers {
  readonly experiment: string;
  readonly epoch: number;
  readonly drawn?: string | undefined;
  readonly assigned: string;
  readonly reason: string;
  readonly served: string | null;
  readonly because: string | null;
}

export interface RecordedDecision extends DecisionHead {
  readonly direction: 'inbound' | 'outbound';
  readonly excluded: 'synthetic' | 'health-check' | 'bot' | null;
  readonly experiments: readonly RecordedExperiment[];
}

const slot = z.int().min(0).max(1_000_000);
const claim = z.strictObject({
  value: z.union([z.string(), z.number(), z.boolean()]),
  isVerified: z.boolean(),
});
const asked: z.ZodType<Asked> = z.record(z.string(), z.union([z.string(), claim, z.null()]));

const experiment = z.strictObject({
  experiment: z.string(),
  epoch: z.int().min(1),
  override: z.string().nullable(),
  tool: z.strictObject({ kind: z.string(), variant: z.string() }).nullable(),
  carried: z.string().nullable(),
  kept: z.strictObject({ variant: z.string().nullable(), gate: slot }).nullable(),
  unit: z.string().nullable(),
  source: z.string().nullable(),
  holdouts: z.array(slot).max(10),
  layer: slot.nullable(),
  gate: slot.nullable(),
  split: z.union([slot, z.strictObject({ variant: z.string(), slot })]).nullable(),
  clauses: z.array(z.boolean()),
  drawn: z.string().optional(),
  assigned: z.string(),
  reason: z.string(),
  served: z.string().nullable(),
  because: z.string().nullable(),
});

const decision = z.strictObject({
  format: z.literal(DECISION_FORMAT),
  time: z.iso.datetime(),
  service: z.string(),
  rules: z.string().regex(/^[0-9a-f]{16}$/),
  hash: z.string(),
  direction: z.enum(['inbound', 'outbound']),
  route: z.string(),
  request_id: z.string(),
  excluded: z.enum(['synthetic', 'health-check', 'bot']).nullable(),
  may_override: z.boolean(),
  refused: z.string().nullable(),
  request: z.strictObject({ method: z.string(), host: z.string(), path: z.string() }).optional(),
  asked: asked.optional(),
  experiments: z.array(experiment),
});

/** Null for what is no line of a decision log. */
export function readDecision(line: string): RecordedDecision | null {
  try {
    return decision.parse(JSON.parse(line));
  } catch {
    return null;
  }
}
