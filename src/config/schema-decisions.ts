/** The part of the configuration schema that says what is recorded of decisions, for `fairlead replay`. */
import { z } from 'zod';
import { positivePercent, size, text } from './schema-values.ts';

const MIB = 1024 * 1024;

export const decisionsSchema = z.strictObject({
  file: text(4096).describe('NDJSON file to append to.'),
  sample: positivePercent().prefault('1%').describe('Share of the requests with experiments on their route.'),
  maxBytes: size(MIB, MIB * MIB)
    .prefault('64MiB')
    .describe('Before it would grow beyond this, the file becomes FILE.1, in place of the one before.'),
  units: z
    .enum(['hashed', 'plain'])
    .prefault('hashed')
    .describe(
      'plain: units, paths and what the targeting asks of requests are recorded as they are, so that hashes and clauses can be computed again. They may name people.',
    ),
  configsDir: text(4096)
    .optional()
    .describe('Folder that the rules are kept in, without secrets. Default: FILE.configs.'),
  keep: z.int().min(1).max(10_000).prefault(100).describe('Rules that are kept; the oldest go first.'),
});

export type DecisionsConfig = z.output<typeof decisionsSchema>;
