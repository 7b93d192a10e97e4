/** The part of the configuration schema that says what is recorded of exposures, and where the records go. */
import { z } from 'zod';
import { posting, url } from './schema-post.ts';
import {
  NAME_HELP,
  NAME_PATTERN,
  name,
  percent,
  positiveDuration,
  size,
  text,
  timestamp,
} from './schema-values.ts';

const MIB = 1024 * 1024;

const unitKey = z
  .strictObject({
    id: name(NAME_PATTERN, NAME_HELP).describe('On record beside each hash; unique.'),
    key: text(4096).optional().describe('The secret. Prefer keyFile.'),
    keyFile: text(4096).optional().describe('File that holds it.'),
    from: timestamp().optional().describe('In force from then on. Default: from the beginning.'),
  })
  .superRefine(({ key, keyFile }, context) => {
    if ((key === undefined) === (keyFile === undefined))
      context.addIssue({ code: 'custom', message: 'give a key or a keyFile, one of the two' });
  });

const spool = z.strictObject({
  dir: text(4096).describe('Folder of its own; of one sidecar at a time.'),
  maxBytes: size(MIB, MIB * MIB)
    .prefault('256MiB')
    .describe('The oldest records go before there is more, and are counted as lost.'),
  segmentBytes: size(64 * 1024, 1024 * MIB)
    .prefault('8MiB')
    .describe('Of one file; what is dropped or removed at once.'),
  fsync: z
    .enum(['off', 'second', 'batch'])
    .prefault('second')
    .describe(
      'When records are made to survive a loss of power: with each write, once a second, or when the system likes. They survive the end of the process in any case.',
    ),
});

const sinkName = () => name(NAME_PATTERN, NAME_HELP).describe('For logs and metrics; unique.');

const batchEvents = () =>
  z.int().min(1).max(10_000).prefault(500).describe('Events that are sent at once, at most.');

const fileSink = z.strictObject({
  name: sinkName(),
  kind: z.literal('file'),
  file: text(4096).describe('File to append to, one event a line.'),
});

const postSink = z.strictObject({
  name: sinkName(),
  kind: z
    .enum(['http', 'otlp'])
    .describe('http: CloudEvents, in batches; otlp: OpenTelemetry log records, as JSON.'),
  url: url().describe('Where they are posted. With otlp such as http://127.0.0.1:4318/v1/logs.'),
  ...posting,
  batchEvents: batchEvents(),
});

const kafkaSink = z.strictObject({
  name: sinkName(),
  kind: z.literal('kafka'),
  brokers: z.array(text(255)).min(1).max(50).describe('host:port of brokers to begin with.'),
  topic: text(249).describe('It must exist, unless the brokers create topics by themselves.'),
  tls: z.boolean().prefault(false).describe('With the authorities of Node.'),
  username: text(255).optional().describe('For SASL/PLAIN or SCRAM.'),
  password: text(4096).optional().describe('Prefer passwordFile.'),
  passwordFile: text(4096).optional().describe('File that holds the password.'),
  mechanism: z
    .enum(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'])
    .prefault('SCRAM-SHA-512')
    .describe('Of SASL.'),
  timeout: positiveDuration().prefault('10s').describe('Of one attempt.'),
  batchEvents: batchEvents(),
});

const sink = z.discriminatedUnion('kind', [fileSink, postSink, kafkaSink]);

export const exposuresSchema = z.strictObject({
  enabled: z.boolean().prefault(true).describe('One record for each unit that is given a variant.'),
  file: text(4096).optional().describe('NDJSON file to append to. Default: standard output.'),
  format: z
    .enum(['ndjson', 'cloudevents'])
    .optional()
    .describe(
      'ndjson: the fields alone; cloudevents: events with ids. With a spool always cloudevents. Default: ndjson.',
    ),
  key: text(4096).optional().describe('Secret that unit ids are hashed with. Prefer keyFile.'),
  keyFile: text(4096).optional().describe('File that holds the key.'),
  unitKeys: z
    .array(unitKey)
    .max(50)
    .prefault([])
    .describe('Keys with names, each in force from its time on, instead of one key.'),
  units: z
    .enum(['hashed', 'plain'])
    .prefault('hashed')
    .describe('plain: unit ids are recorded as they are. They may name people.'),
  dedupeEntries: z
    .int()
    .min(0)
    .max(10_000_000)
    .prefault(100_000)
    .describe('Remembered (experiment, unit, variant); each is recorded once.'),
  dedupeWindow: positiveDuration().prefault('1h').describe('And again after this long.'),
  spool: spool
    .optional()
    .describe('Records are kept on disk until every sink has acknowledged them. Default: none.'),
  sinks: z.array(sink).max(10).prefault([]).describe('Where the spool is sent; each gets everything.'),
  lossLimit: percent()
    .prefault('1%')
    .describe(
      'When more than this share of an hour is lost, what is said about experiments is not to be trusted.',
    ),
});

export type ExposuresConfig = z.output<typeof exposuresSchema>;
export type SinkConfig = z.output<typeof sink>;
