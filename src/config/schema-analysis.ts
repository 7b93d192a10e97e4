/** The part of the configuration schema that says what is collected of an experiment, and what of it is judged. */
import { z } from 'zod';
import { headerName, name, positivePercent, text } from './schema-values.ts';

/** Metrics that need nothing from the service. */
export const BUILT_IN = ['errors', 'latency', 'p50', 'p90', 'p95', 'p99', 'p99.9', 'bytes'] as const;
export type BuiltIn = (typeof BUILT_IN)[number];

/** Each gets its part of alpha; with more of them hardly anything can be said. */
const METRICS_MAX = 20;

export const METRIC_PATTERN = /^[a-z][a-z0-9_.-]{0,62}$/;
const METRIC_HELP = 'lower-case letters, digits, _ . - and at most 63 of them, the first a letter';

const metric = z.strictObject({
  name: name(METRIC_PATTERN, METRIC_HELP).describe(
    `${BUILT_IN.join(', ')}: these need nothing else. Or a name for a header, a trailer or an event.`,
  ),
  header: headerName().optional().describe('Its values are what this field of a response holds.'),
  trailer: headerName().optional().describe('Its values are what this field behind a response holds.'),
  event: z.literal(true).optional().describe('Its values are posted to /v1/events, each with the unit.'),
  per: z
    .enum(['value', 'request', 'unit'])
    .optional()
    .describe("What a unit's values are added up and divided by. Default: value; of events unit."),
  unit: z
    .enum(['share', 'ms', 'bytes', 'number'])
    .optional()
    .describe('Of one of your own. share: a unit counts once, however often it comes. Default: number.'),
  role: z
    .enum(['goal', 'guardrail'])
    .optional()
    .describe(
      'goal: better or worse; guardrail: passed or breached. Default: errors guardrail, others goal.',
    ),
  better: z.enum(['lower', 'higher']).optional().describe('Default: lower. Of one of your own, say it.'),
  margin: z
    .union([z.number().min(0), text(40)])
    .optional()
    .describe('A difference up to this does not matter: 1%, 20ms, 4KiB or a number, by the unit.'),
  weight: z
    .number()
    .min(0.01)
    .max(100)
    .optional()
    .describe('Its part of alpha beside the others. Default: 1.'),
  over: z
    .enum(['units', 'requests'])
    .optional()
    .describe('What is compared. Default: units, since requests of one unit are alike; quantiles: requests.'),
  by: z
    .enum(['assigned', 'served'])
    .optional()
    .describe('served: by the variant that answered, over requests alone. Default: assigned.'),
  tunedFor: z
    .int()
    .min(100)
    .max(1_000_000_000)
    .optional()
    .describe('Units or requests at which its interval is narrowest. Default: 5000.'),
});

export const analysisSchema = z
  .strictObject({
    alpha: positivePercent()
      .optional()
      .describe('The probability that anything said of its metrics is ever wrong. Default: 5%.'),
    metrics: z
      .array(z.union([z.enum(BUILT_IN), metric]))
      .min(1)
      .max(METRICS_MAX)
      .optional()
      .describe('Default: errors as a guardrail with a margin of 1%, latency as a goal with one of 10ms.'),
  })
  .describe('Collect numbers for each variant and judge them: see docs/collection.md.');

export type AnalysisConfig = z.output<typeof analysisSchema>;
export type MetricConfig = z.output<typeof metric>;
