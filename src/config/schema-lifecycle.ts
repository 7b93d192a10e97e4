/**
 * The shape of an experiment's life: status, dates, what it is for and who answers for it.
 */
import { z } from 'zod';
import {
  EXPERIMENT_HELP,
  EXPERIMENT_PATTERN,
  longDuration,
  name,
  text,
  timestamp,
  VARIANT_HELP,
  VARIANT_PATTERN,
} from './schema-values.ts';

const variantName = () => name(VARIANT_PATTERN, VARIANT_HELP);

const requirement = z.strictObject({
  experiment: name(EXPERIMENT_PATTERN, EXPERIMENT_HELP).describe('The other experiment.'),
  variant: z
    .union([variantName(), z.array(variantName()).min(1).max(100)])
    .transform((value): string[] => (Array.isArray(value) ? value : [value]))
    .describe('What it must have assigned: a variant, or one of a list.'),
});

/** Keys of an experiment. */
export const lifecycleFields = {
  owner: text(200).optional().describe('Who to ask.'),
  hypothesis: text(2000).optional().describe('What the experiment is to show.'),
  successCriteria: text(2000).optional().describe('What decides whether it has shown that.'),
  rollbackPlan: text(2000).optional().describe('What to do when it goes wrong, beside killing it.'),
  status: z
    .enum(['draft', 'running', 'paused', 'killed', 'concluded'])
    .prefault('running')
    .describe(
      'draft: the fallback for everyone; paused: no new assignments, those carried in are honoured; killed: the fallback for everyone, at once; concluded: the winner for everyone.',
    ),
  winner: variantName()
    .optional()
    .describe('Who gets everyone once the experiment is concluded or has ended.'),
  startsAt: timestamp()
    .optional()
    .describe('Nobody new is assigned before. ISO 8601 with an offset: 2026-12-01T09:00:00+01:00.'),
  endsAt: timestamp().optional().describe('Nobody new is assigned from then on.'),
  onExpiry: z
    .enum(['control', 'winner'])
    .optional()
    .describe('Who gets everyone after endsAt: control is the fallback, and the default.'),
  staleAfter: z
    .union([z.literal('off'), longDuration()])
    .prefault('90d')
    .describe('Running for longer than this is reported: since startsAt, or since it was first seen.'),
  fallBackAfter: longDuration()
    .optional()
    .describe('Once it has been reported for this long it ends, as at endsAt. Default: it does not.'),
  requires: z
    .array(requirement)
    .max(10)
    .prefault([])
    .describe('Only units that other experiments have assigned these variants.'),
  allowProtected: z
    .strictObject({
      approvedBy: text(200).describe('Who has agreed.'),
      reason: text(1000).describe('Why.'),
    })
    .optional()
    .describe('Needed on a route that `protect` names; kept on record.'),
};
