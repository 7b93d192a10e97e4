/** How names are resolved, as declared, to what the data plane reads. Pure. */
import type { DnsConfig } from './schema-dns.ts';

export interface DnsSettings {
  /** `address:port`; empty: those of the system. */
  readonly servers: readonly string[];
  /** For one question. */
  readonly timeoutMs: number;
  readonly minTtlMs: number;
  readonly maxTtlMs: number;
  readonly family: 'any' | 'ipv4' | 'ipv6';
  /** How long the addresses of a name that exists no more stay in use. */
  readonly keepMissingMs: number;
}

export function compileDns(config: DnsConfig): DnsSettings {
  return {
    servers: config.servers ?? [],
    timeoutMs: config.timeout,
    minTtlMs: config.minTtl,
    maxTtlMs: Math.max(config.minTtl, config.maxTtl),
    family: config.family,
    keepMissingMs: config.keepMissing,
  };
}
