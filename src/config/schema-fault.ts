/** The shape of a fault made on purpose: on a route, on a variant, and in the admin API. */
import { z } from 'zod';
import { duration, headerName, positiveDuration, positivePercent, text, timestamp } from './schema-values.ts';

const rate = () => positivePercent().prefault('100%').describe('Share of the attempts that are hit.');

/** What the admin API takes as well. */
export const faultFields = {
  delay: z
    .strictObject({
      duration: positiveDuration().describe('How long the answer is held back.'),
      jitter: duration().prefault('0').describe('More or less by up to this.'),
      rate: rate(),
    })
    .optional()
    .describe('The upstream answers late.'),
  abort: z
    .strictObject({
      status: z.int().min(400).max(599).describe('The status it answers.'),
      rate: rate(),
    })
    .optional()
    .describe('The upstream fails; the request is not sent to it.'),
  reset: z
    .strictObject({ rate: rate() })
    .optional()
    .describe('The upstream resets the connection; the request is not sent to it.'),
  when: z
    .strictObject({
      header: headerName().describe('Only requests with this header are hit.'),
      value: text(200).optional().describe('And only with this value. Default: any.'),
    })
    .optional()
    .describe('Which requests may be hit. Default: all.'),
};

export type FaultConfig = z.output<z.ZodObject<typeof faultFields>>;

export const faultSchema = z
  .strictObject({
    ...faultFields,
    until: timestamp().optional().describe('When it ends. Default: never, which is warned of.'),
  })
  .refine(hasKind, 'a fault does something: give it a delay, an abort or a reset')
  .describe('Makes the upstream seem to fail, to see what the breakers do: docs/game-days.md.');

/** Whether it does anything. */
export function hasKind({ delay, abort, reset }: FaultConfig): boolean {
  return delay !== undefined || abort !== undefined || reset !== undefined;
}
