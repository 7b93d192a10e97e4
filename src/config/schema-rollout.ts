/** The part of the configuration schema that describes rollouts: steps, what holds them, and templates of both. */
import { z } from 'zod';
import {
  duration,
  headerName,
  longDuration,
  method,
  NAME_HELP,
  NAME_PATTERN,
  name,
  percent,
  positiveDuration,
  positivePercent,
  text,
  timestamp,
} from './schema-values.ts';

/** More is a rollout that nobody follows. */
export const STEPS_MAX = 100;
const GUARDRAILS_MAX = 20;
const PROBES_MAX = 20;

const analysisGuardrail = z.strictObject({
  analysis: text(63).describe('A guardrail of the `analysis` of the experiment, by its name.'),
});

const countedGuardrail = z
  .strictObject({
    metric: z
      .enum(['errors', 'slow', 'latency', 'regressions'])
      .describe(
        'The share of the requests that failed, that were slow (as the breaker has it), or that took longer than above; regressions: of the mirrored ones, those whose answers differ.',
      ),
    above: positiveDuration()
      .optional()
      .describe('For latency: one of the bounds of fairlead_request_duration_seconds, such as 250ms.'),
    margin: percent()
      .optional()
      .describe('How many points higher than that of control the share of the candidate may be.'),
    limit: positivePercent().optional().describe('How high the share of the candidate may be at all.'),
  })
  .superRefine(({ metric, above, margin, limit }, context) => {
    const add = (message: string) => context.addIssue({ code: 'custom', message });
    if (margin === undefined && limit === undefined) add('give a margin, a limit or both');
    if ((metric === 'latency') !== (above !== undefined))
      add(metric === 'latency' ? 'say above which time: above: 250ms' : 'above is for latency alone');
  });

const guardrails = () =>
  z
    .array(z.union([countedGuardrail, analysisGuardrail]))
    .max(GUARDRAILS_MAX)
    .describe('Breached, it goes back. Default: errors, at most 1 point more than control.');

const gate = () => z.enum(['auto', 'manual']).describe('manual: a person ends each step. Default: auto.');

const settings = {
  bake: duration().optional().describe('Each step is watched for so long at least. Default: 5m.'),
  requests: z
    .int()
    .min(0)
    .max(1_000_000_000)
    .optional()
    .describe('And for so many requests of the candidate. Default: 100.'),
  gate: gate().optional(),
  guardrails: guardrails().optional(),
};

const step = z.union([
  positivePercent(),
  z.strictObject({
    share: positivePercent().describe('What the candidate gets.'),
    at: timestamp().optional().describe('It does not begin before.'),
    ...settings,
  }),
]);

const firstShare = () => positivePercent().describe('The first step.');
const lastShare = () => positivePercent().prefault('100%').describe('The last step.');

const probe = z.strictObject({
  method: method().prefault('GET').describe('GET or HEAD.'),
  path: text(2000).regex(/^\//, 'expected a path that begins with /').describe('With its query.'),
  headers: z.record(headerName(), text(4096)).prefault({}).describe('Sent with it.'),
  status: z
    .int()
    .min(200)
    .max(599)
    .optional()
    .describe('What both must answer. Default: the same as each other.'),
});

const HOOKS = [
  'confirm-rollout',
  'pre-rollout',
  'rollout',
  'confirm-traffic-increase',
  'confirm-promotion',
  'post-rollout',
  'rollback',
  'event',
] as const;

const rolloutFields = {
  steps: z
    .array(step)
    .min(1)
    .max(STEPS_MAX)
    .optional()
    .describe('Shares of the candidate, each above the one before. Default: 1%, 5%, 20%, 50%, 100%.'),
  linear: z
    .strictObject({ from: firstShare(), by: positivePercent().describe('Points a step.'), to: lastShare() })
    .optional()
    .describe('Steps that are equally far apart, in place of steps.'),
  exponential: z
    .strictObject({
      from: firstShare(),
      factor: z.number().min(1.1).max(100).prefault(2).describe('Each step is so many times the one before.'),
      to: lastShare(),
    })
    .optional()
    .describe('Steps that are so many times the one before, in place of steps.'),
  ...settings,
  alpha: positivePercent()
    .optional()
    .describe('How often it may go back, or go on, by chance alone, over all its steps. Default: 5%.'),
  onBreach: z
    .enum(['at-once', 'gradual'])
    .optional()
    .describe('What a breach does: 0% at once, or one step down at a time. Default: at-once.'),
  stepDown: longDuration().optional().describe('With gradual: between two steps down. Default: 30s.'),
  preflight: z
    .strictObject({
      probes: z.array(probe).max(PROBES_MAX).prefault([]).describe('Sent to both, which must answer alike.'),
      timeout: positiveDuration().prefault('5s').describe('Of one connection or probe.'),
    })
    .optional()
    .describe('What must be so before the first step.'),
  hooks: z
    .array(
      z.strictObject({
        type: z.enum(HOOKS).describe('When it is called, by the names of Flagger.'),
        webhook: name(NAME_PATTERN, NAME_HELP).describe('One of webhooks.'),
      }),
    )
    .max(50)
    .optional()
    .describe('Webhooks that are asked or told.'),
};

export const rolloutSchema = z.union([
  text(200).describe('A blueprint and its version: careful@2.'),
  z.strictObject({
    blueprint: text(200)
      .optional()
      .describe('A blueprint and its version, careful@2; what is said here wins.'),
    ...rolloutFields,
  }),
]);

export const blueprintsSchema = z
  .record(
    name(NAME_PATTERN, NAME_HELP),
    z.strictObject({
      version: z.int().min(1).max(1_000_000).describe('Rollouts name it, so that none changes unseen.'),
      ...rolloutFields,
    }),
  )
  .describe('Templates of rollouts, by name.');

export type RolloutConfig = z.output<typeof rolloutSchema>;
export type BlueprintConfig = z.output<typeof blueprintsSchema>[string];
export type RolloutFields = Omit<BlueprintConfig, 'version'>;
export type GuardrailConfig = z.output<typeof countedGuardrail>;
export type AnalysisGuardrailConfig = z.output<typeof analysisGuardrail>;
export type ProbeConfig = z.output<typeof probe>;
