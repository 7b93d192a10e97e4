/**
 * The part of the configuration schema that says whom a listener believes: who may send context, who may override.
 */
import { isIP } from 'node:net';
import { z } from 'zod';
import { text } from './schema-values.ts';

/** A range of addresses, as it was written and in its parts. */
export interface Cidr {
  readonly text: string;
  readonly address: string;
  readonly bits: number;
}

const cidr = () =>
  text(64)
    .meta({ examples: ['10.0.0.0/8', '2001:db8::/32'] })
    .transform((value, context): Cidr => {
      const [address = '', suffix, ...rest] = value.split('/');
      const family = isIP(address);
      const bitsMax = family === 6 ? 128 : 32;
      const bits = suffix === undefined ? bitsMax : /^[0-9]{1,3}$/.test(suffix) ? Number(suffix) : Number.NaN;
      if (family !== 0 && rest.length === 0 && bits <= bitsMax) return { text: value, address, bits };
      const message = `${JSON.stringify(value)} is no range of addresses; expected one such as 10.0.0.0/8 or 2001:db8::/32`;
      context.issues.push({ code: 'custom', message, input: value });
      return z.NEVER;
    });

const peers = z
  .strictObject({
    cidrs: z
      .array(cidr())
      .max(1000)
      .prefault([])
      .describe('Connections from these addresses; with proxyProtocol, from the clients that it tells.'),
    identities: z
      .array(text(1024))
      .max(1000)
      .prefault([])
      .describe('Client certificates with exactly this SPIFFE URI or common name.'),
    token: z.boolean().prefault(false).describe('Whoever brings it, when it is signed.'),
  })
  .describe('Any one of these is enough.');

const rule = () => z.union([z.enum(['any', 'none', 'token']), peers]);

export const trustSchema = z
  .strictObject({
    context: rule().describe(
      'Who may send variants (the header and our baggage): any, none, token (what is signed), or these. What others send is ignored and stripped.',
    ),
    overrides: rule()
      .optional()
      .describe('Who may force variants, likewise; token takes signed overrides only. Default: as context.'),
  })
  .describe('Whom this listener believes. Default: everyone.');

export type TrustRuleConfig = z.output<typeof peers> | 'any' | 'none' | 'token';
export type TrustConfig = z.output<typeof trustSchema>;
