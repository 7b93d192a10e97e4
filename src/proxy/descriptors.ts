/**
 * File descriptors set a limit to connections as well, and one that is not seen: out of them, the system closes what
 * it has just accepted without telling anybody. So listeners stop short of it, where a connection can still be told.
 */
import { readFileSync } from 'node:fs';
import type { Snapshot } from '../config/snapshot.ts';
import type { Log } from '../telemetry/log.ts';
import type { Listener } from './listener.ts';

/** For logs, the admin API, configuration files, upstream connections that are idle, and the runtime itself. */
const RESERVE = 64;
/** Two to control and one to the candidate. */
const REQUESTS_OF_A_MIRRORED = 3;
/** With this many descriptors, people and tools may have more connections than the few that fit into the reserve. */
const PLENTY = 4096;
/** Connections of one listener that are told that there are too many; those beyond are closed without a word. */
const TURNED_AWAY_MAX = 256;
/** Of what is not held back, one descriptor in eight is for them. */
const TURNED_AWAY_SHARE = 1 / 8;

/** Bounds listeners, before they listen, by the descriptors of this process. */
export function fitToDescriptors(listeners: readonly Listener[], snapshot: Snapshot, log: Log): void {
  const limit = descriptorsMax();
  const wanted = listeners.map(({ settings }) => settings.connectionsMax);
  const { connections, turnedAway, isEnough } = connectionLimits(wanted, upstreamsMax(snapshot), limit);
  for (const [index, listener] of listeners.entries()) {
    listener.connectionsMax = connections[index]!;
    listener.turnedAwayMax = turnedAway;
  }
  if (isEnough) return;
  const sentence = `this process may open ${limit} files, too few for the connections that listeners may have: ${wanted.join(' + ')} wanted, ${connections.join(' + ')} accepted (raise the limit, ulimit -n)`;
  log.warn({ limit, wanted, connections }, sentence);
}

/** Connections to upstreams that there may be at one time. */
function upstreamsMax({ upstreams, mirrors }: Snapshot): number {
  let sum = 0;
  for (const { endpoints, connectionsMax } of upstreams.values()) sum += endpoints.length * connectionsMax;
  for (const { concurrency } of mirrors.values()) sum += REQUESTS_OF_A_MIRRORED * concurrency;
  return sum;
}

export interface ConnectionLimits {
  /** For each listener, in their order. */
  readonly connections: readonly number[];
  /** Connections that may linger while they are told that there are too many; for each listener. */
  readonly turnedAway: number;
  /** Whether `connections` is what was wanted. */
  readonly isEnough: boolean;
}

/**
 * What listeners may accept with this many descriptors. Each connection takes one, and may take one more to an
 * upstream, of which there are `upstreams` at most.
 */
export function connectionLimits(
  wanted: readonly number[],
  upstreams: number,
  limit: number,
): ConnectionLimits {
  const { admin, probes } = sideConnections(limit);
  const free = Math.max(0, limit - RESERVE - (limit < PLENTY ? 0 : admin + probes));
  const turnedAway = Math.min(TURNED_AWAY_MAX, Math.floor((free * TURNED_AWAY_SHARE) / wanted.length));
  const left = free - turnedAway * wanted.length;
  const room = Math.floor(Math.max(left / 2, left - upstreams));
  const sum = wanted.reduce((total, connections) => total + connections, 0);
  if (sum <= room) return { connections: wanted, turnedAway, isEnough: true };
  return { connections: sharesOf(room, wanted), turnedAway, isEnough: false };
}

/** Who wants less than an equal share gets it all; the others share what is left alike. At least 1 for each. */
function sharesOf(room: number, wanted: readonly number[]): number[] {
  const shares = wanted.map(() => 0);
  const modestFirst = wanted.map((_, index) => index).sort((a, b) => wanted[a]! - wanted[b]!);
  let left = room;
  for (const [done, index] of modestFirst.entries()) {
    const equal = Math.floor(left / (wanted.length - done));
    shares[index] = Math.max(1, Math.min(wanted[index]!, equal));
    left -= shares[index]!;
  }
  return shares;
}

/** Connections to the admin API and to the probes, which must not take what the data path needs. */
export function sideConnections(limit: number): { readonly admin: number; readonly probes: number } {
  return limit < PLENTY ? { admin: 16, probes: 12 } : { admin: 256, probes: 64 };
}

/** How many descriptors this process may have; Infinity where the system does not say. */
export function descriptorsMax(): number {
  try {
    const [, soft = ''] =
      /^Max open files +([0-9]+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
    return soft === '' ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
