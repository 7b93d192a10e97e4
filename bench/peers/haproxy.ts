/** The yardstick: the job in HAProxy, one thread unless told, per-backend counts as it always has them. */
import { CANDIDATE_PORT, CONTROL_PORT } from '../proxies/split.ts';
import { CANDIDATE_SOCKET, CONTROL_SOCKET, nextPort, writeScratch } from '../support/rig.ts';
import type { Candidate, UpstreamKind } from './candidate.ts';

export interface HaproxyOptions {
  readonly name?: string;
  readonly upstream?: UpstreamKind;
  readonly threads?: number;
  readonly connectionsMax?: number;
  readonly base?: string;
}

export function haproxy(options: HaproxyOptions = {}): Candidate {
  const { name = 'haproxy', upstream = 'tcp', threads = 1, connectionsMax = 4000, base } = options;
  const port = nextPort();
  const [control, candidate] =
    upstream === 'tcp'
      ? [`127.0.0.1:${CONTROL_PORT}`, `127.0.0.1:${CANDIDATE_PORT}`]
      : [`unix@${CONTROL_SOCKET}`, `unix@${CANDIDATE_SOCKET}`];
  const file = writeScratch(
    `${name}-${port}.cfg`,
    `
global
  nbthread ${threads}
  maxconn ${connectionsMax}
  no strict-limits
  # The default closes idle upstream connections when many files are open, which would flatter the others.
  tune.pool-high-fd-ratio 95
defaults
  mode http
  option forwardfor
  http-reuse always
  timeout connect 2s
  timeout client 600s
  timeout server 60s
frontend in
  bind 127.0.0.1:${port}
  acl candidate req.hdr(x-user-id),xxh32,mod(100) lt 10
  http-request set-header x-experiment ranking=candidate if candidate
  http-request set-header x-experiment ranking=control unless candidate
  use_backend v2 if candidate
  default_backend v1
backend v1
  server v1 ${control}
backend v2
  server v2 ${candidate}
`,
  );
  return {
    name,
    port,
    command: ['haproxy', '-db', '-q', '-f', file],
    ...(base === undefined ? {} : { base }),
  };
}
