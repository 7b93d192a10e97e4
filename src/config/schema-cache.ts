/** The shape of what a route tells caches about answers that depend on a variant. */
import { z } from 'zod';
import { headerName } from './schema-values.ts';

export const cacheSchema = z
  .strictObject({
    vary: z
      .union([z.enum(['auto', 'off']), z.array(headerName()).min(1).max(32)])
      .prefault('auto')
      .describe(
        'The Vary of answers to GET and HEAD that may be stored. auto: every header that the variant may depend on; off: none; or these.',
      ),
    private: z
      .boolean()
      .prefault(false)
      .describe(
        'Add Cache-Control: private to such answers, unless they say private or no-store themselves.',
      ),
    keyHint: headerName()
      .optional()
      .describe(
        'A header for the variants served, on the request to the upstream and on the answer: x-cache-key-variant.',
      ),
  })
  .describe('What caches are told about answers that depend on a variant.');

export type CacheConfig = z.output<typeof cacheSchema>;
