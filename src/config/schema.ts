/**
 * The shape of the configuration file, as one zod schema: the single source of the `Config` type, of the JSON
 * Schema that editors complete from, and of `config/reference.md`. What goes beyond the shape of one value
 * (references, sums, uniqueness) is in `validate.ts`.
 */
import { z } from 'zod';
import { auditSchema } from './schema-audit.ts';
import { cacheSchema } from './schema-cache.ts';
import { classifySchema } from './schema-classify.ts';
import { decisionsSchema } from './schema-decisions.ts';
import { dnsSchema } from './schema-dns.ts';
import { experimentName, experimentSchema, upstreamName } from './schema-experiment.ts';
import { exposuresSchema } from './schema-exposures.ts';
import { failuresSchema } from './schema-failures.ts';
import { faultSchema } from './schema-fault.ts';
import { identitySchema, stickyKeysSchema } from './schema-identity.ts';
import { holdoutSchema, layersSchema } from './schema-layer.ts';
import { overloadSchema, rateLimitSchema } from './schema-overload.ts';
import { deadlinesSchema, failoverSchema, retriesSchema, retryBudgetSchema } from './schema-retry.ts';
import { blueprintsSchema } from './schema-rollout.ts';
import { segmentName, segmentSchema } from './schema-segment.ts';
import {
  accessLogSchema,
  adminSchema,
  drainSchema,
  forwardingSchema,
  limitsSchema,
  propagationSchema,
  timeoutsSchema,
} from './schema-settings.ts';
import { listenerTlsSchema } from './schema-tls.ts';
import { tokensSchema } from './schema-tokens.ts';
import { tracingSchema } from './schema-tracing.ts';
import { trustSchema } from './schema-trust.ts';
import { upstreamSchema } from './schema-upstream.ts';
import {
  hostMatch,
  listenAddress,
  method,
  NAME_HELP,
  NAME_PATTERN,
  name,
  pathMatch,
  text,
} from './schema-values.ts';
import { webhooksSchema } from './schema-webhook.ts';

// A parser compiled for each object is worth its time and memory where much is read; this reads a file now and then.
z.config({ jitless: true });

const direction = z.enum(['inbound', 'outbound']);

const listener = z.strictObject({
  name: name(NAME_PATTERN, NAME_HELP).describe('For logs and metrics; unique.'),
  address: listenAddress().describe('host:port, or unix:/path.'),
  direction: direction
    .prefault('inbound')
    .describe('inbound: in front of the service; outbound: for the calls it makes.'),
  connectionsMax: z
    .int()
    .min(1)
    .max(1_000_000)
    .prefault(10_000)
    .describe('Connections at one time; the next is turned away at once.'),
  proxyProtocol: z
    .boolean()
    .prefault(false)
    .describe(
      'Every connection begins with a PROXY protocol header (v1 or v2) that tells the client’s address; one that does not is closed.',
    ),
  socketMode: z
    .string()
    .regex(/^0?[0-7]{3}$/, 'expected three octal digits such as "660"')
    .optional()
    .describe('File mode of a unix socket. Default: what the umask leaves.'),
  tls: listenerTlsSchema.optional(),
  trust: trustSchema.optional(),
});

/** One value or a list of them. */
function oneOrMany<T extends z.ZodType>(item: T) {
  return z
    .union([item, z.array(item).min(1).max(100)])
    .transform((value): z.output<T>[] => (Array.isArray(value) ? value : [value as z.output<T>]));
}

const routeMatch = z.strictObject({
  host: oneOrMany(hostMatch()).optional().describe('Exact, or *.suffix. Default: any.'),
  path: pathMatch().prefault('/*').describe('Exact (/health), prefix (/api/*) or pattern (/users/{id}).'),
  method: oneOrMany(method()).optional().describe('Default: any.'),
});

const route = z.strictObject({
  name: name(NAME_PATTERN, NAME_HELP).describe('For logs, metrics and breakers; unique.'),
  direction: direction.prefault('inbound').describe('Which listeners it belongs to.'),
  match: routeMatch.prefault({}).describe('Which requests take it. Default: all.'),
  upstream: upstreamName().optional().describe('May be left out when there is only one upstream.'),
  experiments: z
    .array(experimentName())
    .max(100)
    .prefault([])
    .describe('Experiments that take part on this route.'),
  streaming: z
    .boolean()
    .prefault(false)
    .describe(
      'Answers are streams or long polls: how long they take is no fault, so slow-call budgets and timeouts.firstByte, stall and request do not apply; timeouts.tunnelIdle does.',
    ),
  cache: cacheSchema.prefault({}),
  retries: retriesSchema.optional(),
  failover: failoverSchema.prefault({}),
  failures: failuresSchema.optional(),
  fault: faultSchema.optional(),
  rateLimit: rateLimitSchema.optional(),
});

export const configSchema = z.strictObject({
  $schema: z.string().optional().describe('For editors; ignored.'),
  version: z.literal(1).describe('Version of this format.'),
  workers: z
    .union([z.literal('auto'), z.int().min(1).max(128)])
    .prefault(1)
    .describe('Processes that share the listeners; auto: one for each CPU.'),
  nodeInternals: z
    .boolean()
    .prefault(true)
    .describe(
      'Plain sockets are read and written by way of Node internals that are checked first. false: only the public API.',
    ),
  service: name(NAME_PATTERN, NAME_HELP)
    .prefault('service')
    .describe('The service this sidecar stands in front of.'),
  listeners: z
    .array(listener)
    .min(1)
    .max(100)
    .optional()
    .describe('Default: inbound on 0.0.0.0:15106, and outbound on 127.0.0.1:15101 when a route is outbound.'),
  upstreams: z.record(upstreamName(), upstreamSchema).describe('By name.'),
  routes: z
    .array(route)
    .max(100_000)
    .optional()
    .describe('The most specific match wins. May be left out when there is only one upstream.'),
  experiments: z.record(experimentName(), experimentSchema).prefault({}).describe('By name.'),
  blueprints: blueprintsSchema.optional(),
  segments: z
    .record(segmentName(), segmentSchema)
    .prefault({})
    .describe('By name, for targeting rules to use.'),
  layers: layersSchema.prefault({}),
  holdout: holdoutSchema.optional(),
  protect: z
    .array(name(NAME_PATTERN, NAME_HELP))
    .max(1000)
    .prefault([])
    .describe('Routes on which an experiment needs allowProtected; under overload they are shed last.'),
  requireMetadata: z
    .union([z.boolean(), z.literal('warn')])
    .prefault('warn')
    .describe(
      'What is said of an experiment outside draft without owner, hypothesis, successCriteria or rollbackPlan: true: an error; warn: a warning; false: nothing.',
    ),
  classify: classifySchema.prefault({}),
  timeouts: timeoutsSchema.prefault({}).describe('How long to wait for what.'),
  deadlines: deadlinesSchema.prefault({}).describe('Fields that say how long a request may take.'),
  retryBudget: retryBudgetSchema.prefault({}).describe('How many retries an upstream gets.'),
  limits: limitsSchema.prefault({}).describe('How large a message may be.'),
  forwarding: forwardingSchema.prefault({}).describe('What is added to forwarded requests.'),
  propagation: propagationSchema.prefault({}).describe('How variants are carried, forced and shown.'),
  tokens: tokensSchema.optional(),
  identity: identitySchema.prefault({}).describe('How it is known who sends a request.'),
  stickyKeys: stickyKeysSchema.prefault([]),
  accessLog: accessLogSchema.prefault({}).describe('A line for every exchange.'),
  exposures: exposuresSchema.prefault({}).describe('Records for the analysis.'),
  tracing: tracingSchema.optional(),
  decisions: decisionsSchema
    .optional()
    .describe('A record of decisions, for fairlead replay. Default: none.'),
  admin: adminSchema.prefault({}).describe('The admin API and the probes.'),
  audit: auditSchema
    .optional()
    .describe('A record of every change that cannot be changed unseen. Default: in memory only.'),
  dns: dnsSchema.prefault({}),
  overload: overloadSchema.optional(),
  webhooks: webhooksSchema,
  drain: drainSchema.prefault({}).describe('What happens at SIGTERM.'),
  stateFile: text(4096)
    .optional()
    .describe('Where changes made at run time are kept. Without it they are lost at exit.'),
});

/** Top-level keys that are ignored: a place for YAML anchors, as in compose files. */
export const EXTENSION_PATTERN = '^x-';

/** The declared configuration with its defaults filled in: numbers in ms, bytes and ppm, nothing resolved yet. */
export type Config = z.output<typeof configSchema>;
export type RouteConfig = z.output<typeof route>;
export type ListenerConfig = z.output<typeof listener>;

/** The JSON Schema (draft-07, which editors support best) of the file as it is written. */
export function configJsonSchema(): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(configSchema, {
    io: 'input',
    target: 'draft-7',
    unrepresentable: 'any',
  });
  return {
    $schema,
    $id: 'urn:fairlead:config:1',
    title: 'Fairlead configuration',
    ...rest,
    patternProperties: { [EXTENSION_PATTERN]: {} },
  };
}
