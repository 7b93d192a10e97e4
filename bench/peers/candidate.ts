/** What is measured: a program that does the benchmark's job, and how it is started. */

import type { Entrant } from '../support/ledger.ts';
import { type Started, start } from '../support/processes.ts';
import { PROXY_CORES } from '../support/rig.ts';

export interface Candidate extends Entrant {
  readonly port: number;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Where a proxy's requests go. */
export type UpstreamKind = 'tcp' | 'unix';

/** Starts a candidate on the proxies' core, or on the given ones. */
export function startCandidate(candidate: Candidate, cores: string = PROXY_CORES): Promise<Started> {
  const { command, port, env } = candidate;
  return start(command, { cores, port, ...(env === undefined ? {} : { env }) });
}
