/** The part of the configuration schema that describes how names of endpoints are resolved. */
import { isIP } from 'node:net';
import { z } from 'zod';
import { duration, positiveDuration, readString } from './schema-values.ts';
import type { Parsed } from './units.ts';

const DNS_PORT = 53;

/** An address with or without a port; with one, an IPv6 address stands in brackets. */
function readServer(text: string): Parsed<string> {
  if (isIP(text) === 4) return { ok: true, value: `${text}:${DNS_PORT}` };
  if (isIP(text) === 6) return { ok: true, value: `[${text}]:${DNS_PORT}` };
  const [, bracketed, plain = '', portText = ''] =
    /^(?:\[([^\]]*)\]|([^:[\]]*)):([0-9]{1,5})$/.exec(text) ?? [];
  const port = Number(portText);
  const isAddress = bracketed === undefined ? isIP(plain) === 4 : isIP(bracketed) === 6;
  if (isAddress && port >= 1 && port <= 65_535) return { ok: true, value: text };
  return {
    ok: false,
    problem: `${JSON.stringify(text.slice(0, 120))} is no address of a DNS server; write 10.0.0.2, 10.0.0.2:5353 or [fd00::2]:53`,
  };
}

const server = () => readString(readServer, 'an address such as 10.0.0.2 or 10.0.0.2:5353', null);

export const dnsSchema = z
  .strictObject({
    servers: z
      .array(server())
      .min(1)
      .max(16)
      .optional()
      .describe('Addresses of the servers to ask. Default: those of /etc/resolv.conf.'),
    timeout: positiveDuration()
      .prefault('2s')
      .describe('For one question, all its tries at all servers together.'),
    minTtl: positiveDuration().prefault('1s').describe('An answer is used at least this long.'),
    maxTtl: positiveDuration().prefault('5m').describe('And at most this long before it is asked for again.'),
    family: z
      .enum(['any', 'ipv4', 'ipv6'])
      .prefault('any')
      .describe('Addresses that are asked for. any: both, and whichever can be connected is used.'),
    keepMissing: duration()
      .prefault('30s')
      .describe(
        'How long the last addresses are still used when DNS says that the name does not exist any more. While DNS does not answer at all, they are used without limit.',
      ),
  })
  .describe('How names of endpoints are resolved.');

export type DnsConfig = z.output<typeof dnsSchema>;
