/**
 * Fairlead as people run it: the package's bundle, `fairlead run -c FILE`, with bench/fairlead.yaml in variations.
 * The bundle is built from the working tree once a run, and copied so that nobody builds another under our feet.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import {
  BENCH,
  CANDIDATE_SOCKET,
  CONTROL_SOCKET,
  nextPort,
  ROOT,
  scratchFile,
  writeScratch,
} from '../support/rig.ts';
import type { Candidate, UpstreamKind } from './candidate.ts';

export interface FairleadOptions {
  readonly name?: string;
  readonly upstream?: UpstreamKind;
  readonly hasAccessLog?: boolean;
  /** Without the reader of accepted sockets that is built on Node's internals. */
  readonly isPublicApiOnly?: boolean;
  readonly workers?: number;
  readonly base?: string;
  /** Changes the parsed bench/fairlead.yaml further. */
  readonly change?: (config: FairleadConfig) => void;
}

/** The part of the configuration that the benchmark touches. */
export interface FairleadConfig {
  workers?: number;
  listeners: { address: string; connectionsMax?: number }[];
  upstreams: Record<string, { endpoints: string[] }>;
  routes: { name: string; match: { path: string }; upstream: string; experiments?: string[] }[];
  experiments: Record<string, unknown>;
  accessLog: { enabled: boolean; file?: string };
  exposures: Record<string, unknown>;
  tracing?: { url: string; sample: string };
  admin: Record<string, string>;
  timeouts?: Record<string, string>;
  nodeInternals?: boolean;
}

export function fairlead(options: FairleadOptions = {}): Candidate {
  const { name = 'fairlead', base } = options;
  const port = nextPort();
  const config = parse(readFileSync(join(BENCH, 'fairlead.yaml'), 'utf8')) as FairleadConfig;
  config.listeners[0]!.address = `127.0.0.1:${port}`;
  Object.assign(config.admin, { address: `127.0.0.1:${port + 1}`, probeAddress: `127.0.0.1:${port + 2}` });
  if (options.upstream === 'unix') {
    config.upstreams.v1!.endpoints = [`unix:${CONTROL_SOCKET}`];
    config.upstreams.v2!.endpoints = [`unix:${CANDIDATE_SOCKET}`];
  }
  if (options.hasAccessLog) config.accessLog = { enabled: true, file: scratchFile(`${name}-${port}.log`) };
  if (options.workers !== undefined) config.workers = options.workers;
  if (options.isPublicApiOnly) config.nodeInternals = false;
  options.change?.(config);
  // JSON is YAML.
  const file = writeScratch(`${name}-${port}.yaml`, JSON.stringify(config));
  return {
    name,
    port,
    command: [process.execPath, join(installed(), 'bin/fairlead.js'), 'run', '-c', file],
    env: { NODE_ENV: 'production' },
    ...(base === undefined ? {} : { base }),
  };
}

/** With all that it can put on record of a request, but for the access log: analysis, exposures, tracing at 1 %. */
export function recordEverything(config: FairleadConfig): void {
  for (const experiment of Object.values(config.experiments))
    Object.assign(experiment as object, { analysis: {} });
  config.exposures = { file: '/dev/null', format: 'cloudevents' };
  // Whoever answers there, spans are sent.
  config.tracing = { url: `http://${config.upstreams.v1!.endpoints[0]}/v1/traces`, sample: '1%' };
}

/** The file of a candidate's configuration, for whoever changes it under way. */
export function configFile({ name, port }: Candidate): string {
  return scratchFile(`${name}-${port}.yaml`);
}

/** A folder like the published package: the shim, the bundle and no sources. */
function installed(): string {
  const folder = scratchFile('fairlead');
  if (existsSync(folder)) return folder;
  execFileSync(process.execPath, [join(ROOT, 'scripts/build.ts')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  for (const part of ['bin', 'dist', 'package.json'])
    cpSync(join(ROOT, part), join(folder, part), { recursive: true });
  return folder;
}
