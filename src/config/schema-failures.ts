/** The shape of what counts as a failure. */
import { z } from 'zod';
import { FAILURE_KINDS } from '../resilience/failure-rule.ts';
import { found, headerName, text } from './schema-values.ts';

const CLASSES = ['2xx', '3xx', '4xx', '5xx'] as const;

const listed = z.union([z.enum(FAILURE_KINDS), z.enum(CLASSES), z.int().min(200).max(599)], {
  error: (issue) =>
    `${found(issue.input)}; expected ${FAILURE_KINDS.join(', ')}, a class such as 5xx or a status such as 429`,
});

const FIELDS_MAX = 8;

export const failuresSchema = z
  .strictObject({
    on: z
      .array(listed)
      .max(50)
      .prefault(['connect', 'reset', 'timeout', 'malformed', '5xx'])
      .describe(
        'Ways of not answering, and statuses. clientAbort: the client did not wait for the answer. Unless listed, 4xx and clientAbort are no failures.',
      ),
    headers: z
      .record(headerName(), text(200))
      .refine((headers) => Object.keys(headers).length <= FIELDS_MAX, `at most ${FIELDS_MAX} headers`)
      .prefault({})
      .describe('An answer with one of these fields is a failure; `*` is any value.'),
  })
  .describe('What counts as a failure of the upstream.');

export type FailuresConfig = z.output<typeof failuresSchema>;
