/** What is measured: a program that does the benchmark's job, and how it is started. */

import { type Started, start } from '../support/processes.ts';
import { PROXY_CORES } from '../support/rig.ts';

export interface Candidate {
  readonly name: string;
  readonly port: number;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The candidate that this one is held against; the first of the run unless given. */
  readonly base?: string;
  /** So far behind that few rounds tell: it takes part in every third. */
  readonly isSlow?: boolean;
}

/** Where a proxy's requests go. */
export type UpstreamKind = 'tcp' | 'unix';

/** Starts a candidate on the proxies' core, or on the given ones. */
export function startCandidate(candidate: Candidate, cores: string = PROXY_CORES): Promise<Started> {
  const { command, port, env } = candidate;
  return start(command, { cores, port, ...(env === undefined ? {} : { env }) });
}
