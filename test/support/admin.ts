/** An admin API over the real control plane, a config file of its own and a data plane that is made up. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { Audit } from '../../src/admin/audit.ts';
import type { AdminBreaker, DataPlaneView, ForceKind } from '../../src/admin/ports.ts';
import type { RolloutPort } from '../../src/admin/rollouts.ts';
import { buildAdmin, buildProbes } from '../../src/admin/server.ts';
import { type Clock, systemRandom } from '../../src/base/clock.ts';
import { DescribedIdentity } from '../../src/cli/described-identity.ts';
import { liveExplainer } from '../../src/cli/explain-live.ts';
import { Analysis } from '../../src/control/analysis.ts';
import { BreakerHistory } from '../../src/control/breaker-history.ts';
import { ConfigHistory } from '../../src/control/config-history.ts';
import { DrainedEndpoints } from '../../src/control/drained-endpoints.ts';
import { ExperimentResults } from '../../src/control/experiment-results.ts';
import { FaultRegistry } from '../../src/control/fault-registry.ts';
import type { RolloutView } from '../../src/control/rollouts.ts';
import { ControlState } from '../../src/control/state.ts';
import type { Log } from '../../src/telemetry/log.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import type { MirrorView } from '../../src/telemetry/mirror-view.ts';
import type { TakeRecord, Tapping, TapQuery } from '../../src/telemetry/tap.ts';
import { MadeUpSource } from './collected.ts';

export const TOKEN = 'correct-horse-battery-staple';

let passedMs = 0;
/** 2023-11-14T22:13:20Z, and it stands still unless a test says otherwise. */
const CLOCK: Clock = { now: () => passedMs, wallMs: () => 1_700_000_000_000 + passedMs };

const CONFIG = `
version: 1
requireMetadata: false
service: checkout
upstreams:
  v1: 127.0.0.1:9001
  v2: 127.0.0.1:9002
routes:
  - { name: api, match: { path: /* }, upstream: v1, experiments: [ranking] }
experiments:
  ranking:
    owner: search-team
    salt: ranking-1
    variants:
      control: {}
      candidate: { weight: 10%, upstream: v2 }
      other: { weight: 5%, upstream: v2 }
exposures: { key: exposures-secret }
`;

/** A data plane with one breaker and one upstream, whose life is set by hand. */
export class FakePlane implements DataPlaneView {
  isStarted = true;
  isStopping = false;
  readonly calls: unknown[][] = [];
  breaker: AdminBreaker = {
    name: 'api/ranking/candidate',
    state: 'closed',
    mode: 'enforce',
    reason: 'never opened',
  };

  isReady(): boolean {
    return this.isStarted && !this.isStopping;
  }

  breakers() {
    return [this.breaker];
  }

  isOpen(name: string): boolean {
    return this.breaker.name === name && this.breaker.state === 'open';
  }

  shedding: { level: number; upTo: string | null; reason: string } | null = null;

  overload() {
    return { shedding: this.shedding, concurrency: [], rateLimits: [] };
  }

  upstreams() {
    return [{ name: 'v1', endpoints: [{ id: '127.0.0.1:9001', active: 3, idle: 1 }] }];
  }

  force(name: string, kind: ForceKind, forMs: number, reason: string): boolean {
    this.calls.push(['force', name, kind, forMs, reason]);
    const state = kind === 'observe' ? this.breaker.state : kind;
    this.breaker = { ...this.breaker, state, mode: `forced-${kind}`, reason };
    return true;
  }

  reset(name: string, reason: string): boolean {
    this.calls.push(['reset', name, reason]);
    this.breaker = { ...this.breaker, state: 'closed', mode: 'enforce', reason };
    return true;
  }

  inFlight(): number {
    return 7;
  }

  /** What mirroring has found. */
  mirrored: readonly MirrorView[] = [];

  /** Those that are open. */
  readonly taps: { readonly query: TapQuery; readonly take: TakeRecord; dropped: number }[] = [];

  readonly tap: Tapping = (query, take) => {
    const tap = { query, take, dropped: 0 };
    this.taps.push(tap);
    return {
      takeDropped: () => {
        const { dropped } = tap;
        tap.dropped = 0;
        return dropped;
      },
      close: () => void this.taps.splice(this.taps.indexOf(tap), 1),
    };
  };
}

/** That nobody can tell anything. */
const rolloutsOf = (all: RolloutView[]): RolloutPort => ({
  list: () => all,
  start: async () => ({ ok: false, message: 'there is none', hint: '' }),
  act: () => ({ ok: false, message: 'there is none', hint: '' }),
});

export interface AdminBench {
  readonly app: FastifyInstance;
  readonly probes: FastifyInstance;
  readonly plane: FakePlane;
  readonly control: ControlState;
  readonly metrics: Metrics;
  /** What results are made from. */
  readonly analysed: MadeUpSource;
  readonly moves: BreakerHistory;
  readonly audit: Audit;
  /** None unless a test puts some there. */
  readonly rollouts: RolloutView[];
  /** Sentences of the service log, with their level. */
  readonly sentences: string[];
  /** Replaces the config file; nothing is reloaded. `admin` is put beside the token. */
  writeConfig(text: string, admin?: string): void;
  /** Lets time pass. */
  advance(ms: number): void;
  close(): Promise<void>;
}

/** @param token null: none is configured */
export async function newAdminBench(token: string | null = TOKEN): Promise<AdminBench> {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-admin-'));
  const file = join(folder, 'fairlead.yaml');
  passedMs = 0;
  const text = (body: string, admin = '') =>
    `${body}admin: { ${[token === null ? '' : `token: ${token}`, admin].filter(Boolean).join(', ')} }\n`;
  writeFileSync(file, text(CONFIG));
  const sentences: string[] = [];
  const say = (level: string) => (_facts: object, sentence: string) =>
    void sentences.push(`${level}: ${sentence}`);
  const log: Log = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };
  const audit = new Audit(log, CLOCK);
  const control = await ControlState.open({
    file,
    environment: {},
    clock: CLOCK,
    onEvent: (event) => audit.onControlEvent(event),
  });
  const plane = new FakePlane();
  const analysed = new MadeUpSource();
  const metrics = new Metrics({ version: '0.1.0', node: 'v24', isProcessIncluded: false });
  const identity = new DescribedIdentity(CLOCK);
  const explain = liveExplainer(CLOCK, systemRandom);
  const faults = new FaultRegistry({
    clock: CLOCK,
    onChange: (all) => plane.calls.push(['inject', all]),
    onEvent: (event) => audit.onControlEvent(event),
  });
  const drained = new DrainedEndpoints((all) => plane.calls.push(['drain-endpoints', all]));
  const moves = new BreakerHistory(CLOCK);
  const rollouts: RolloutView[] = [];
  const app = await buildAdmin({
    drained,
    rollouts: rolloutsOf(rollouts),
    results: new ExperimentResults({ source: analysed, snapshot: () => control.snapshot, clock: CLOCK }),
    mirrors: {
      views: async () => plane.mirrored,
      forget: (name) => void plane.calls.push(['forget-mirror', name]),
    },
    live: {
      breakers: moves,
      config: new ConfigHistory(control, CLOCK),
      counts: async () => [await metrics.live()],
      tap: plane.tap,
      version: '0.1.0',
    },
    analysis: new Analysis({ clock: CLOCK, random: systemRandom, log }),
    control,
    dataPlane: plane,
    identity,
    explain,
    faults,
    metrics,
    audit,
    log,
    clock: CLOCK,
    connectionsMax: 16,
  });
  const probes = await buildProbes({ dataPlane: plane, metrics, log, connectionsMax: 16 });
  return {
    app,
    probes,
    plane,
    control,
    metrics,
    analysed,
    moves,
    audit,
    rollouts,
    sentences,
    writeConfig: (body, admin) => writeFileSync(file, text(body, admin)),
    advance: (ms) => {
      passedMs += ms;
    },
    close: async () => {
      faults.close();
      await app.close();
      await probes.close();
      await control.flush();
      rmSync(folder, { recursive: true });
    },
  };
}

/** The config of the bench with something replaced. */
export function configWith(found: string, replacement: string): string {
  if (!CONFIG.includes(found)) throw new Error(`the bench's config has no ${found}`);
  return CONFIG.replace(found, replacement);
}
