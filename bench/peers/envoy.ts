/**
 * The job in Envoy, one worker thread: no access log, limits of its circuit breakers out of the way, statistics per
 * cluster and so per variant as it always has them.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CANDIDATE_PORT, CONTROL_PORT } from '../proxies/split.ts';
import { hasProgram } from '../support/processes.ts';
import { BENCH, nextPort, writeScratch } from '../support/rig.ts';
import type { Candidate } from './candidate.ts';

const FETCHED = join(BENCH, '.peers/envoy');
const TYPES = 'type.googleapis.com/envoy.extensions.filters';
const UNLIMITED = 1_000_000;

/** Where Envoy is: as peers.sh fetched it, or on the PATH; null: nowhere. */
export function findEnvoy(): string | null {
  if (existsSync(FETCHED)) return FETCHED;
  return hasProgram('envoy') ? 'envoy' : null;
}

/** Envoy reads JSON as well as YAML. */
export function envoy(program: string): Candidate {
  const port = nextPort();
  const file = writeScratch(`envoy-${port}.json`, JSON.stringify(configuration(port)));
  const command = [program, '-c', file, '--concurrency', '1', '--disable-hot-restart', '-l', 'error'];
  return { name: 'envoy', port, command };
}

function configuration(port: number): unknown {
  const manager = {
    '@type': `${TYPES}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'in',
    use_remote_address: true,
    generate_request_id: false,
    stream_idle_timeout: '0s',
    route_config: { name: 'all', virtual_hosts: [{ name: 'all', domains: ['*'], routes: [route()] }] },
    http_filters: [
      {
        name: 'envoy.filters.http.router',
        typed_config: { '@type': `${TYPES}.http.router.v3.Router`, suppress_envoy_headers: true },
      },
    ],
  };
  const filter = { name: 'envoy.filters.network.http_connection_manager', typed_config: manager };
  return {
    static_resources: {
      listeners: [{ name: 'in', address: address(port), filter_chains: [{ filters: [filter] }] }],
      clusters: [cluster('control', CONTROL_PORT), cluster('candidate', CANDIDATE_PORT)],
    },
  };
}

function route(): unknown {
  const arm = (name: string, weight: number): unknown => ({
    name,
    weight,
    request_headers_to_add: [
      {
        header: { key: 'x-experiment', value: `ranking=${name}` },
        append_action: 'OVERWRITE_IF_EXISTS_OR_ADD',
      },
    ],
  });
  return {
    match: { prefix: '/' },
    route: {
      timeout: '0s',
      hash_policy: [{ header: { header_name: 'x-user-id' } }],
      weighted_clusters: { use_hash_policy: true, clusters: [arm('control', 90), arm('candidate', 10)] },
    },
  };
}

function cluster(name: string, port: number): unknown {
  const limits = {
    max_connections: UNLIMITED,
    max_pending_requests: UNLIMITED,
    max_requests: UNLIMITED,
    max_retries: UNLIMITED,
  };
  return {
    name,
    type: 'STATIC',
    connect_timeout: '2s',
    circuit_breakers: { thresholds: [limits] },
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address(port) } }] }],
    },
  };
}

function address(port: number): unknown {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}
