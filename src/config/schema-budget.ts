/** The part of the schema of breakers that is not about single calls: the mode, the error budget, too many openings. */
import { z } from 'zod';
import { longDuration, positivePercent } from './schema-values.ts';

export const modeSchema = z
  .enum(['enforce', 'observe'])
  .describe('observe: say what it would do, in state, metrics and log, and turn nothing away.');

const burnRule = z
  .strictObject({
    rate: z.number().min(1).max(10_000).describe('Times as fast as the budget would last.'),
    long: longDuration().describe('Over this long, so that it matters ...'),
    short: longDuration().describe('... and over this short, so that it is still going on.'),
  })
  .describe('Open when the budget burns at least this fast, over both times.');

export const budgetSchema = z
  .strictObject({
    target: positivePercent().describe('Share of the calls that must not fail, such as 99.9%.'),
    period: longDuration().prefault('30d').describe('How long the budget is for.'),
    burn: z
      .array(burnRule)
      .max(8)
      .optional()
      .describe(
        'Default: 14.4 over 1/720 and 1/8640 of the period (1h and 5m of 30d), 6 over 1/120 and 1/1440 (6h and 30m). []: only count.',
      ),
  })
  .describe(
    'An error budget: how many calls may fail, and how fast that may be used up. Kept over restarts.',
  );

export const maxTripsSchema = z
  .strictObject({
    count: z.int().min(1).max(100).describe('So many openings by itself ...'),
    within: longDuration().describe('... in so long.'),
  })
  .describe('Too many openings: the experiment is killed, and everyone gets the fallback.');

export type BudgetConfig = z.output<typeof budgetSchema>;
export type MaxTripsConfig = z.output<typeof maxTripsSchema>;
