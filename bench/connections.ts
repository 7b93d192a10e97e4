/**
 * What does an open connection cost? 1,000 and 10,000 keep-alive connections, each of which has sent a request;
 * memory per connection, and latency while one in twenty of them is in use.
 */
import { execFileSync } from 'node:child_process';
import { absentPeers, HAS_HAPROXY, HAS_NGINX } from './peers/all.ts';
import type { Candidate } from './peers/candidate.ts';
import { fairlead } from './peers/fairlead.ts';
import { haproxy } from './peers/haproxy.ts';
import { nginx } from './peers/nginx.ts';
import { type Answer, errorsText, ratioText, spreadText, type Table, type Target } from './support/answer.ts';
import { Ledger, orderOf, type Row } from './support/ledger.ts';
import { OpenLoop } from './support/open-loop.ts';
import { runUndisturbed } from './support/open-loop-shot.ts';
import { rssBytes, sleep } from './support/processes.ts';
import { chosen, type Effort, type Extent, extent, type Question } from './support/question.ts';
import { PROXY_CORES } from './support/rig.ts';
import { running } from './support/rounds.ts';
import { runWrk } from './support/wrk.ts';

const FULL: Extent = { rounds: 5, blocks: 1, shotSeconds: 2, warmSeconds: 2 };
const SIZES = [1000, 10_000] as const;
const ACTIVE_RATIO = 0.05;
const RATE = 5000;
/** A connection may need one to an upstream as well, and Fairlead accepts no more than it could serve. */
const FILES_EACH = 2;
/** Files that a proxy has open beside. */
const FILES_BESIDE = 500;
const SIZE_STEP = 500;
/** The event loop and the collector come to rest before memory is read. */
const REST_MS = 1500;
const CONNECTIONS_MAX = 12_000;

interface Size {
  readonly connections: number;
  readonly rows: readonly Row[];
  readonly bytesEach: ReadonlyMap<string, number>;
}

export const connections: Question = {
  name: 'connections',
  seconds(effort) {
    const all = candidates(effort).length;
    const { rounds, shotSeconds, warmSeconds } = extent(effort, FULL);
    const opening = warmSeconds + (2 * REST_MS) / 1000 + 1;
    return sizes(effort).length * (rounds * all * (shotSeconds + 0.1) + all * opening);
  },
  async answer(effort, say) {
    const results: Size[] = [];
    for (const count of sizes(effort)) {
      results.push(await measureSize(count, effort, (text) => say(`${count} connections: ${text}`)));
    }
    return answerOf(results, effort);
  },
};

/** The sizes, or what of them this machine's limit lets in. */
function sizes(effort: Effort): readonly number[] {
  const possible = Math.floor((filesMax() - FILES_BESIDE) / FILES_EACH / SIZE_STEP) * SIZE_STEP;
  return (effort.isQuick ? SIZES.slice(0, 1) : SIZES).map((count) => Math.min(count, possible));
}

let all: Candidate[] | null = null;

function candidates(effort: Effort): Candidate[] {
  const change = (config: {
    listeners: { connectionsMax?: number }[];
    timeouts?: Record<string, string>;
  }): void => {
    config.listeners[0]!.connectionsMax = CONNECTIONS_MAX;
    // Connections of a size stay open for longer than the default of 75 s.
    config.timeouts = { idle: '10m' };
  };
  all ??= [
    ...(HAS_HAPROXY ? [haproxy({ connectionsMax: CONNECTIONS_MAX })] : []),
    ...(HAS_NGINX ? [nginx()] : []),
    fairlead({ change }),
    fairlead({ name: 'fairlead-twin', change }),
  ];
  return chosen(all, effort);
}

/** How many files a process may have open here. */
function filesMax(): number {
  const text = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim();
  return text === 'unlimited' ? Number.POSITIVE_INFINITY : Number(text);
}

async function measureSize(count: number, effort: Effort, say: (text: string) => void): Promise<Size> {
  const all = candidates(effort);
  const ledger = new Ledger(all);
  const bytesEach = new Map<string, number>();
  const { rounds, shotSeconds, warmSeconds } = extent(effort, FULL);
  await running(all, PROXY_CORES, async (processes) => {
    const loops = new Map<string, OpenLoop>();
    try {
      for (const { name, port } of all) {
        say(`opening to ${name}`);
        const { pid } = processes.get(name)!;
        await runWrk(port, { seconds: warmSeconds, connections: effort.connections });
        await sleep(REST_MS);
        const before = rssBytes(pid);
        const options = {
          port,
          rate: RATE,
          seconds: shotSeconds,
          connections: count,
          active: Math.round(count * ACTIVE_RATIO),
        };
        loops.set(name, await OpenLoop.open(options));
        await sleep(REST_MS);
        bytesEach.set(name, (rssBytes(pid) - before) / count);
      }
      for (let round = 0; round < rounds; round++) {
        say(`round ${round + 1}/${rounds}`);
        for (const { name } of orderOf(all, round)) {
          const { latencyUs, failed, isDisturbed } = await runUndisturbed(
            loops.get(name)!,
            processes.get(name)!.pid,
          );
          const { p50, p99 } = latencyUs;
          ledger.add(name, round, { values: { p50, p99 }, errors: failed, isDisturbed });
        }
      }
    } finally {
      await Promise.all([...loops.values()].map((loop) => loop.close()));
    }
  });
  return { connections: count, rows: ledger.rows(), bytesEach };
}

function answerOf(results: readonly Size[], effort: Effort): Answer {
  return {
    title: 'Open connections',
    tables: results.map(tableOf),
    targets: results.map(targetOf),
    notes: [
      ...(sizes(effort).every((count) => (SIZES as readonly number[]).includes(count))
        ? []
        : [
            `A process may open only ${filesMax()} files here (\`ulimit -Hn\`), too few for ${SIZES.at(-1)} connections and as many to upstreams; the largest number is what fits.`,
          ]),
      'Memory of the process; what the kernel keeps for a socket is the same for all.',
      ...absentPeers(),
    ],
    data: results.map(({ bytesEach, ...rest }) => ({ ...rest, bytesEach: Object.fromEntries(bytesEach) })),
  };
}

function tableOf({ connections: count, rows, bytesEach }: Size): Table {
  const base = rows[0]!.name;
  return {
    caption: `${count} open connections, ${Math.round(count * ACTIVE_RATIO)} of them in use (${RATE} requests/s, open loop, latency in microseconds):`,
    head: ['proxy', 'memory per connection', 'p50', 'p99', `p99, ratio to ${base}`, 'errors'],
    rows: rows.map((row) => [
      row.name,
      `${(bytesEach.get(row.name)! / 1000).toFixed(1)} KB`,
      spreadText(row.values.p50!.value, 0),
      spreadText(row.values.p99!.value, 0),
      ratioText(row.values.p99!.ratio),
      errorsText(row),
    ]),
  };
}

function targetOf({ connections: count, bytesEach }: Size): Target {
  const bytes = bytesEach.get('fairlead');
  return {
    text: `memory per connection, ${count} open`,
    limit: 6,
    unit: ' KB',
    measured: bytes === undefined ? null : bytes / 1000,
  };
}
