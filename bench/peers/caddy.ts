/**
 * The job in Caddy. It has no split by a hash with weights, so one user in ten is told by the last digit of the id,
 * which is less work than the others do.
 */
import { CANDIDATE_PORT, CONTROL_PORT } from '../proxies/split.ts';
import { nextPort, scratchFile, writeScratch } from '../support/rig.ts';
import type { Candidate } from './candidate.ts';

export function caddy(): Candidate {
  const port = nextPort();
  const arm = (name: string, upstream: number): string => `reverse_proxy 127.0.0.1:${upstream} {
      header_up X-Experiment ranking=${name}
      transport http {
        keepalive_idle_conns_per_host 256
      }
    }`;
  const file = writeScratch(
    `Caddyfile-${port}`,
    `{
  admin off
  auto_https off
  log {
    level ERROR
  }
}
http://127.0.0.1:${port} {
  bind 127.0.0.1
  @candidate header_regexp X-User-Id 0$
  handle @candidate {
    ${arm('candidate', CANDIDATE_PORT)}
  }
  handle {
    ${arm('control', CONTROL_PORT)}
  }
}
`,
  );
  const home = scratchFile('caddy');
  return {
    name: 'caddy',
    port,
    command: ['caddy', 'run', '--config', file, '--adapter', 'caddyfile'],
    env: { HOME: home, XDG_DATA_HOME: home, XDG_CONFIG_HOME: home },
    isSlow: true,
  };
}
