/** A declared upstream, its files read in, to what the data plane keeps pools for. Pure. */
import { compileUpstreamTls } from './compile-tls.ts';
import type { UpstreamConfig } from './schema-upstream.ts';
import type { Upstream } from './snapshot.ts';

export function compileUpstream(name: string, { tls, ...upstream }: UpstreamConfig): Upstream {
  return { name, ...upstream, tls: tls === undefined ? null : compileUpstreamTls(tls) };
}
