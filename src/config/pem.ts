/**
 * The PEM files a configuration names: which they are, where they are declared, and a copy of the configuration with
 * something else in them. Pure; reading and checking them is `control/`'s.
 */
import type { ConfigPath } from './issue.ts';
import type { Config } from './schema.ts';
import type { PemFile } from './schema-tls.ts';

/** A certificate chain with its key; the keys `certificate` and `key` are under `path`. */
export interface KeyPairUse {
  readonly path: ConfigPath;
  readonly certificate: PemFile;
  readonly key: PemFile;
  /** Chosen by the name that the client asks for. */
  readonly isByName: boolean;
}

export interface AuthoritiesUse {
  readonly path: ConfigPath;
  readonly authorities: PemFile;
}

/** Every certificate with its key, in the order of the file. */
export function keyPairs(config: Config): KeyPairUse[] {
  const uses: KeyPairUse[] = [];
  for (const [index, { tls }] of (config.listeners ?? []).entries()) {
    if (tls === undefined) continue;
    const path: ConfigPath = ['listeners', index, 'tls'];
    uses.push({ path, certificate: tls.certificate, key: tls.key, isByName: false });
    for (const [at, pair] of tls.sni.entries())
      uses.push({ path: [...path, 'sni', at], ...pair, isByName: true });
  }
  for (const [name, { tls }] of Object.entries(config.upstreams)) {
    if (tls?.certificate === undefined || tls.key === undefined) continue;
    const path: ConfigPath = ['upstreams', name, 'tls'];
    uses.push({ path, certificate: tls.certificate, key: tls.key, isByName: false });
  }
  return uses;
}

/** Every file of authorities, in the order of the file. */
export function authorities(config: Config): AuthoritiesUse[] {
  const uses: AuthoritiesUse[] = [];
  for (const [index, { tls }] of (config.listeners ?? []).entries()) {
    if (tls?.clientCa !== undefined)
      uses.push({ path: ['listeners', index, 'tls', 'clientCa'], authorities: tls.clientCa });
  }
  for (const [name, { tls }] of Object.entries(config.upstreams)) {
    if (tls?.ca !== undefined) uses.push({ path: ['upstreams', name, 'tls', 'ca'], authorities: tls.ca });
  }
  return uses;
}

/** The certificates in a PEM text, each with its own markers, in their order. */
export function certificateBlocks(pem: string): string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
}

/** A copy in which each PEM file holds what `pemOf` answers for it. */
export function withPem(config: Config, pemOf: (file: string) => string): Config {
  const read = <T extends PemFile | undefined>(file: T): T =>
    file === undefined ? file : ({ file: file.file, pem: pemOf(file.file) } as T);
  const pair = <T extends Pair>(of: T): T => ({
    ...of,
    certificate: read(of.certificate),
    key: read(of.key),
  });
  const upstreams = Object.entries(config.upstreams).map(([name, upstream]): [string, typeof upstream] => {
    const { tls } = upstream;
    return [name, tls === undefined ? upstream : { ...upstream, tls: { ...pair(tls), ca: read(tls.ca) } }];
  });
  const copy = { ...config, upstreams: Object.fromEntries(upstreams) };
  if (config.listeners === undefined) return copy;
  const listeners = config.listeners.map((listener) => {
    const { tls } = listener;
    if (tls === undefined) return listener;
    return { ...listener, tls: { ...pair(tls), sni: tls.sni.map(pair), clientCa: read(tls.clientCa) } };
  });
  return { ...copy, listeners };
}

interface Pair {
  readonly certificate?: PemFile | undefined;
  readonly key?: PemFile | undefined;
}
