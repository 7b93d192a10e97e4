/** The part of the configuration schema that describes an upstream: its endpoints and how they are used. */
import { z } from 'zod';
import { type UpstreamTlsConfig, upstreamTlsSchema } from './schema-tls.ts';
import { endpoint } from './schema-values.ts';
import type { Endpoint } from './snapshot.ts';

const ENDPOINT_CONNECTIONS_MAX = 1024;
const endpoints = () => z.array(endpoint()).min(1).max(1000);

/** Long form, or just the endpoint or endpoints. */
export const upstreamSchema = z
  .union([
    endpoint(),
    endpoints(),
    z.strictObject({
      endpoints: endpoints().describe('host:port or unix:/path.'),
      connectionsMax: z
        .int()
        .min(1)
        .max(100_000)
        .prefault(ENDPOINT_CONNECTIONS_MAX)
        .describe('Open connections per endpoint; a request beyond it is answered 503.'),
      tls: upstreamTlsSchema.optional(),
    }),
  ])
  .transform((value): UpstreamConfig => {
    if ('endpoints' in value) return value;
    return { endpoints: Array.isArray(value) ? value : [value], connectionsMax: ENDPOINT_CONNECTIONS_MAX };
  })
  .describe('A named set of endpoints.');

export interface UpstreamConfig {
  endpoints: Endpoint[];
  connectionsMax: number;
  tls?: UpstreamTlsConfig | undefined;
}
