/**
 * The part of the configuration schema that describes timeouts, limits, forwarding, propagation, records, the
 * admin listener and draining: settings that every service can leave at their defaults.
 */
import { z } from 'zod';
import { adminTokensSchema, ROLES } from './schema-audit.ts';
import {
  cookieName,
  duration,
  headerName,
  hostMatch,
  optionalListenAddress,
  positiveDuration,
  size,
  text,
} from './schema-values.ts';

const KIB = 1024;
const TIB = 2 ** 40;

export const timeoutsSchema = z.strictObject({
  requestHead: positiveDuration()
    .prefault('10s')
    .describe('From the first byte of a request to the end of its head: 408.'),
  idle: positiveDuration()
    .prefault('75s')
    .describe('A kept-alive client connection without a request: closed.'),
  stall: duration().prefault('60s').describe('A body without a byte of progress: 408 or 504. 0: never.'),
  tunnelIdle: duration()
    .prefault('1h')
    .describe('A tunnel (WebSocket) without a byte in either direction: closed. 0: never.'),
  tunnelMax: duration().prefault('0').describe('A tunnel this old is closed in an orderly way. 0: never.'),
  halfClosed: duration()
    .prefault('1s')
    .describe('A client that closed its sending side: its answer must begin within this. 0: no limit.'),
  connect: positiveDuration().prefault('2s').describe('Connecting to an endpoint: 504.'),
  firstByte: duration()
    .prefault('30s')
    .describe("From the request's last byte to the response's first: 504. 0: never."),
  request: duration()
    .prefault('0')
    .describe('The whole exchange: 504, or cut when the response has begun. 0: never.'),
  upstreamIdle: positiveDuration()
    .prefault('4s')
    .describe(
      'A pooled upstream connection without a request: closed. Keep it below the upstream’s own idle timeout.',
    ),
});

export const limitsSchema = z.strictObject({
  head: size(KIB, 1024 * KIB)
    .prefault('64KiB')
    .describe('Request line and fields: 431.'),
  target: size(64, 1024 * KIB)
    .prefault('8KiB')
    .describe('The request target: 414.'),
  fields: z.int().min(8).max(10_000).prefault(100).describe('Fields in a head: 431.'),
  body: size(0, TIB * 1024)
    .prefault('0')
    .describe('The request body: 413. 0: no limit.'),
  replay: size(0, 16 * 1024 * KIB)
    .prefault('64KiB')
    .describe(
      'Body bytes of an idempotent request that are kept for another attempt; one with more gets none once they are sent.',
    ),
});

export const forwardingSchema = z.strictObject({
  forwardedFor: z
    .enum(['append', 'set', 'off'])
    .prefault('append')
    .describe("X-Forwarded-For: add the client's address, replace what came in, or leave it alone."),
  forwardedProto: z
    .enum(['keep', 'set', 'off'])
    .prefault('keep')
    .describe('X-Forwarded-Proto: keep what came in or else set it, always set it, or leave it alone.'),
  forwardedHost: z.enum(['keep', 'set', 'off']).prefault('keep').describe('X-Forwarded-Host, likewise.'),
  via: z.boolean().prefault(true).describe('Add Via.'),
  requestId: z.boolean().prefault(true).describe('Create x-request-id when it is absent.'),
  traceparent: z.boolean().prefault(true).describe('Create traceparent when it is absent.'),
});

export const propagationSchema = z.strictObject({
  header: headerName().prefault('x-experiment').describe('The header that carries the variants.'),
  overrideHeader: headerName()
    .prefault('x-experiment-override')
    .describe('The header that forces a variant.'),
  overrideCookie: cookieName().prefault('fairlead_override').describe('The cookie that forces a variant.'),
  explainHeader: headerName()
    .prefault('x-experiment-explain')
    .describe('The header that asks for the reason on the response.'),
  tokenHeader: headerName()
    .prefault('x-experiment-token')
    .describe('The header that carries signed variants.'),
  sign: z
    .boolean()
    .prefault(false)
    .describe('Sign what requests carry on, so that a listener with trust.context token believes it.'),
  internalHosts: z
    .array(hostMatch())
    .max(1000)
    .optional()
    .describe(
      'Hosts that outbound calls carry context to; exact, or *.suffix. To all others nothing of ours goes. Default: every host.',
    ),
  baggage: z.boolean().prefault(true).describe('Read and write W3C baggage members as well.'),
  responseVariant: z.boolean().prefault(false).describe('Put x-fairlead-variant on responses.'),
  join: z
    .enum(['auto', 'on', 'off'])
    .prefault('auto')
    .describe(
      'Calls that carry nothing get the variants of the request with the same trace id or x-request-id. auto: when there is an outbound listener.',
    ),
  joinEntries: z
    .int()
    .min(16)
    .max(10_000_000)
    .prefault(100_000)
    .describe('Requests that are remembered for it; the oldest goes first.'),
  joinBytes: size(64 * KIB, TIB)
    .prefault('32MiB')
    .describe('Bytes they may take.'),
  joinTtl: positiveDuration().prefault('60s').describe('How long after its request a call is joined.'),
});

export const accessLogSchema = z.strictObject({
  enabled: z.boolean().prefault(true).describe('One JSON line for each exchange.'),
  file: text(4096).optional().describe('File to append to. Default: standard output.'),
});

export const adminSchema = z.strictObject({
  address: optionalListenAddress()
    .prefault('127.0.0.1:15100')
    .describe('The admin API; keep it on loopback. `off`: none.'),
  probeAddress: optionalListenAddress()
    .prefault('0.0.0.0:15120')
    .describe('Only /metrics, /livez, /readyz and /startupz. `off`: none.'),
  token: text(4096)
    .optional()
    .describe('Bearer token for changes. Prefer tokenFile. Without one, changes are refused.'),
  tokenFile: text(4096).optional().describe('File that holds the token.'),
  tokens: adminTokensSchema
    .prefault([])
    .describe('Tokens of people and tools, each with a role. admin.token is one with the role admin.'),
  readRole: z
    .enum(ROLES)
    .optional()
    .describe(
      'Reading needs a token of this role or more. Default: it is open to whoever reaches the address.',
    ),
});

export const drainSchema = z.strictObject({
  delay: duration().prefault('0').describe('After SIGTERM: not ready, but still accepting.'),
  timeout: duration().prefault('30s').describe('Then requests in flight have this long.'),
});
