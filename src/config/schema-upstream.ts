/** The part of the configuration schema that describes an upstream: its endpoints and how they are used. */
import { z } from 'zod';
import { healthSchema } from './schema-health.ts';
import { outlierSchema } from './schema-outlier.ts';
import { concurrencySchema } from './schema-overload.ts';
import { upstreamTlsSchema } from './schema-tls.ts';
import { unitSchema } from './schema-unit.ts';
import { duration, endpoint, percent, positiveDuration } from './schema-values.ts';

const ENDPOINT_CONNECTIONS_MAX = 1024;
const endpoints = () => z.array(endpoint()).min(1).max(1000);

const connection = z
  .strictObject({
    requestsMax: z
      .int()
      .min(1)
      .max(1_000_000_000)
      .optional()
      .describe('Requests on one connection, or up to a tenth fewer. Default: any number.'),
    maxAge: positiveDuration()
      .optional()
      .describe('How old a connection gets, or up to a tenth less. Default: any age.'),
  })
  .describe('When a connection has done its work: it is closed once it is idle.');

const settings = z.strictObject({
  balance: z
    .enum(['leastRequest', 'roundRobin', 'peakEwma', 'ringHash'])
    .prefault('leastRequest')
    .describe(
      'Which endpoint is next. leastRequest: of two, the one with fewer requests under way; peakEwma: of two, the one that would answer sooner; roundRobin: in turn; ringHash: the one that the hashKey belongs to.',
    ),
  hashKey: unitSchema
    .optional()
    .describe(
      'With ringHash: requests with the same value go to the same endpoint. The first source that is present; without any it is as with leastRequest.',
    ),
  connectionsMax: z
    .int()
    .min(1)
    .max(100_000)
    .prefault(ENDPOINT_CONNECTIONS_MAX)
    .describe(
      'Open connections per endpoint, and so requests under way; what is beyond it waits, or is answered 503.',
    ),
  pendingMax: z
    .int()
    .min(0)
    .max(100_000)
    .prefault(0)
    .describe('Requests that wait for a connection, per endpoint; the next one is answered 503.'),
  pendingTimeout: positiveDuration().prefault('1s').describe('How long one waits, then it is answered 503.'),
  connection: connection.prefault({}),
  slowStart: duration()
    .prefault('0')
    .describe(
      'An endpoint that has come or come back gets a tenth of its share and then more, until after this it has all.',
    ),
  drainTimeout: duration()
    .prefault('10m')
    .describe(
      'What is under way at an endpoint that was taken out may go on for so long, then it is cut; 0: for ever.',
    ),
  outlier: outlierSchema,
  panicBelow: percent()
    .prefault('30%')
    .describe(
      'With a smaller share of endpoints to use than this, all are used: something else is wrong than the endpoints.',
    ),
  resolve: z
    .enum(['all', 'one'])
    .prefault('all')
    .describe(
      'What a name stands for. all: each of its addresses is an endpoint; one: it is one endpoint, and each new connection goes to the first address of the latest answer.',
    ),
  health: healthSchema.optional(),
  concurrency: concurrencySchema.optional(),
  tls: upstreamTlsSchema.optional(),
});

/** What an upstream is that says nothing but its endpoints. */
const DEFAULTS = settings.parse({});

/** Long form, or just the endpoint or endpoints. */
export const upstreamSchema = z
  .union([
    endpoint(),
    endpoints(),
    z.strictObject({
      endpoints: endpoints().describe('host:port, unix:/path or srv:_http._tcp.NAME.'),
      ...settings.shape,
    }),
  ])
  .transform((value) =>
    'endpoints' in value ? value : { ...DEFAULTS, endpoints: Array.isArray(value) ? value : [value] },
  )
  .describe('A named set of endpoints.');

export type UpstreamConfig = z.output<typeof upstreamSchema>;
