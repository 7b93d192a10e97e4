/** The peers that are on this machine, and the sentences about those that are not. */
import { hasProgram } from '../support/processes.ts';
import { caddy } from './caddy.ts';
import type { Candidate } from './candidate.ts';
import { envoy, findEnvoy } from './envoy.ts';
import { fairlead } from './fairlead.ts';
import { haproxy } from './haproxy.ts';
import { nginx } from './nginx.ts';
import { fastifyHttpProxy, httpProxy, undici } from './node.ts';

export const HAS_HAPROXY = hasProgram('haproxy');
export const HAS_NGINX = hasProgram('nginx');
const HAS_CADDY = hasProgram('caddy');
const ENVOY = findEnvoy();

/** HAProxy first, because the first is what the others are held against. */
export function nativePeers(): Candidate[] {
  return [
    ...(HAS_HAPROXY ? [haproxy()] : []),
    ...(HAS_NGINX ? [nginx()] : []),
    ...(ENVOY === null ? [] : [envoy(ENVOY)]),
  ];
}

/** Those that cost a multiple. */
export function slowPeers(): Candidate[] {
  return [...(HAS_CADDY ? [caddy()] : []), undici(), httpProxy(), fastifyHttpProxy()];
}

/** What separates these two, the same program twice, is noise. */
export function fairleadAndTwin(): Candidate[] {
  return [fairlead(), fairlead({ name: 'fairlead-twin' })];
}

/** A sentence for each peer that is not on the machine. */
export function absentPeers(): string[] {
  const absent = [
    ...(HAS_HAPROXY ? [] : ['HAProxy']),
    ...(ENVOY === null ? ['Envoy'] : []),
    ...(HAS_CADDY ? [] : ['Caddy']),
  ];
  if (absent.length === 0) return [];
  return [`Not on this machine, and so left out: ${absent.join(', ')} (\`bench/peers.sh\` installs them).`];
}
