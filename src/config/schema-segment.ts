/** The part of the configuration schema that describes segments: named sets of ids, or of rules. */
import { z } from 'zod';
import { rulesSchema } from './schema-targeting.ts';
import { NAME_HELP, NAME_PATTERN, name, text } from './schema-values.ts';

/** A file of hashed ids: its name as declared, and what is in it once it has been read. Its content is never shown. */
export interface HashedFile {
  readonly file: string;
  /** SHA-256 of the file in hex, so that another content is another configuration; '' before it is read. */
  readonly sha256: string;
  /** The table of `hashed-ids.ts`; null before it is read. */
  readonly ids: Uint32Array | null;
}

const IDS_MAX = 10_000;
const KINDS = ['values', 'hashedFile', 'rules'] as const;

export const segmentName = () => name(NAME_PATTERN, NAME_HELP);

export const segmentSchema = z
  .strictObject({
    values: z
      .array(text(1024))
      .min(1)
      .max(IDS_MAX)
      .optional()
      .describe('These ids, exactly. Never shown again, neither by the admin API nor in a log.'),
    hashedFile: text(4096)
      .transform((file): HashedFile => ({ file, sha256: '', ids: null }))
      .optional()
      .describe(
        'A file of hashed ids, relative to the configuration file: one a line, SHA-256 or, with a key, HMAC-SHA-256, in hex. Read again when it changes.',
      ),
    key: text(1024).optional().describe('Key that the ids in hashedFile were hashed with.'),
    keyFile: text(4096)
      .optional()
      .describe('The same, in a file, relative to the configuration file. Read again when it changes.'),
    rules: rulesSchema()
      .optional()
      .describe('All of these rules, as in targeting, hold. A rule names such a segment alone.'),
  })
  .superRefine((segment, context) => {
    const kinds = KINDS.filter((kind) => segment[kind] !== undefined);
    const refuse = (message: string): void => context.addIssue({ code: 'custom', message });
    if (kinds.length !== 1) {
      const what = kinds.length === 0 ? 'none' : kinds.join(' and ');
      return refuse(`found ${what}; a segment is exactly one of ${KINDS.join(', ')}`);
    }
    const isKeyed = segment.key !== undefined || segment.keyFile !== undefined;
    if (isKeyed && segment.hashedFile === undefined) refuse('a key is for a hashedFile, and there is none');
    if (segment.key !== undefined && segment.keyFile !== undefined)
      refuse('key and keyFile are both given; keep one');
  });

export type SegmentConfig = z.output<typeof segmentSchema>;
