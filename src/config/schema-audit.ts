/** The part of the configuration schema that says where the audit trail is kept, and who may use the admin API. */
import { z } from 'zod';
import { NAME_HELP, NAME_PATTERN, name, size, text } from './schema-values.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

export const auditSchema = z
  .strictObject({
    file: text(4096).describe(
      'NDJSON file; each record holds the hash of the one before. One sidecar at a time.',
    ),
    maxBytes: size(16 * KIB, 256 * MIB)
      .prefault('16MiB')
      .describe(
        'Then it is renamed, with the number of its first record behind the name, and another begins.',
      ),
    keep: z.int().min(1).max(1000).prefault(10).describe('Renamed files that are kept; the oldest go.'),
    key: text(4096).optional().describe('Secret that records are sealed with (HMAC-SHA256). Prefer keyFile.'),
    keyFile: text(4096)
      .optional()
      .describe('File that holds it. Without a key, whoever can write to the file can make another chain.'),
  })
  .superRefine(({ key, keyFile }, context) => {
    if (key !== undefined && keyFile !== undefined)
      context.addIssue({ code: 'custom', message: 'key and keyFile are both given; keep one' });
  });

/** From the least to the most: each may do what the ones before it may. */
export const ROLES = ['viewer', 'operator', 'admin'] as const;
/** And one beside them, for applications: it may post events and nothing else. */
export const ALL_ROLES = ['reporter', ...ROLES] as const;
export type Role = (typeof ALL_ROLES)[number];

export const adminTokensSchema = z
  .array(
    z
      .strictObject({
        name: name(NAME_PATTERN, NAME_HELP).describe(
          'Whose it is, for the audit. Several of one name are one person: the old one and the new one.',
        ),
        role: z.enum(ALL_ROLES).describe('What it may do: docs/roles.md has the table.'),
        token: text(4096).optional().describe('The secret. Prefer tokenFile.'),
        tokenFile: text(4096).optional().describe('File that holds it.'),
      })
      .superRefine(({ token, tokenFile }, context) => {
        if ((token === undefined) === (tokenFile === undefined))
          context.addIssue({ code: 'custom', message: 'give a token or a tokenFile, one of the two' });
      }),
  )
  .max(200);

export type AuditConfig = z.output<typeof auditSchema>;
export type AdminTokenConfig = z.output<typeof adminTokensSchema>[number];
