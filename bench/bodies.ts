/**
 * What do large bodies cost? Downloads of 16 KB, 1 MB and 100 MB, uploads of 1 MB, and what a proxy's memory grows
 * by while a GiB passes each way.
 */
import { absentPeers, fairleadAndTwin, nativePeers } from './peers/all.ts';
import type { Candidate } from './peers/candidate.ts';
import {
  type Answer,
  errorsText,
  nameText,
  ratioOf,
  ratioText,
  spreadText,
  type Table,
  type Target,
} from './support/answer.ts';
import type { Row } from './support/ledger.ts';
import { rssBytes, sleep } from './support/processes.ts';
import { chosen, type Effort, type Extent, extent, type Question } from './support/question.ts';
import { FILES, PROXY_CORES } from './support/rig.ts';
import { measure, running, shotCount } from './support/rounds.ts';
import { type Load, runWrk, shoot } from './support/wrk.ts';

const FULL: Extent = { rounds: 7, blocks: 1, shotSeconds: 1, warmSeconds: 1 };
const GIB = 1024 ** 3;
/** As many as keep the proxy busy without measuring connections. */
const KINDS: readonly { name: string; isHeld: boolean; load: Omit<Load, 'seconds'> }[] = [
  { name: '16 KB down', isHeld: false, load: { connections: 16, path: '/files/16k' } },
  { name: '1 MB down', isHeld: true, load: { connections: 8, path: '/files/1m' } },
  { name: '100 MB down', isHeld: true, load: { connections: 4, path: '/files/100m' } },
  { name: '1 MB up', isHeld: true, load: { connections: 8, path: '/upload', bodyBytes: FILES['1m'] } },
];
const DOWN: Load = { seconds: 1, connections: 4, path: '/files/100m' };
const UP: Load = { seconds: 1, connections: 4, path: '/upload', bodyBytes: FILES['1m'] };
/** Before memory is looked at: heads, tables and the code that serves them. */
const MEMORY_WARM_SECONDS = 3;
const MEMORY_SAMPLE_MS = 50;

export const bodies: Question = {
  name: 'bodies',
  seconds(effort) {
    const { rounds, shotSeconds, warmSeconds } = extent(effort, FULL);
    const all = candidates(effort);
    const perKind = shotCount(all, rounds, 1) * (shotSeconds + 0.2) + all.length * (warmSeconds + 0.5);
    return kinds(effort).length * perKind + memoryCandidates(effort).length * 12;
  },
  async answer(effort, say) {
    const size = extent(effort, FULL);
    const results: { name: string; rows: Row[] }[] = [];
    for (const { name, load } of kinds(effort)) {
      const rows = await measure({
        candidates: candidates(effort),
        ...size,
        say: (text) => say(`${name}: ${text}`),
        warmUp: (one) => runWrk(one.port, { ...load, seconds: size.warmSeconds }),
        shoot: (one, pid) => shoot(one, pid, { ...load, seconds: size.shotSeconds }),
      });
      results.push({ name, rows });
    }
    const growth: Growth[] = [];
    for (const one of memoryCandidates(effort)) {
      say(`memory of ${one.name}`);
      growth.push(await growthOf(one, effort));
    }
    return answerOf(results, growth);
  },
};

const kinds = (effort: Effort) => (effort.isQuick ? KINDS.slice(1, 2) : KINDS);

let all: Candidate[] | null = null;

function candidates(effort: Effort): Candidate[] {
  all ??= [...nativePeers(), ...fairleadAndTwin()];
  return chosen(all, effort);
}

function memoryCandidates(effort: Effort): Candidate[] {
  if (effort.isQuick) return [];
  return candidates(effort).filter(({ name }) => name === 'haproxy' || name === 'fairlead');
}

interface Growth {
  readonly name: string;
  readonly warmMB: number;
  /** The highest seen while a GiB passed less what it was before: down, up, and both once more. */
  readonly growthMB: readonly number[];
}

async function growthOf(candidate: Candidate, effort: Effort): Promise<Growth> {
  const growthMB: number[] = [];
  let warmMB = 0;
  await running([candidate], PROXY_CORES, async (processes) => {
    const { pid } = processes.get(candidate.name)!;
    const { port } = candidate;
    await runWrk(port, { seconds: MEMORY_WARM_SECONDS, connections: effort.connections });
    await sleep(1000);
    warmMB = rssBytes(pid) / 1e6;
    for (const load of [DOWN, UP, DOWN, UP]) {
      const before = rssBytes(pid);
      growthMB.push(((await highest(pid, () => untilGib(port, load))) - before) / 1e6);
    }
  });
  return { name: candidate.name, warmMB, growthMB };
}

/** The highest memory while `work` lasts. */
async function highest(pid: number, work: () => Promise<void>): Promise<number> {
  let highest = rssBytes(pid);
  const timer = setInterval(() => {
    highest = Math.max(highest, rssBytes(pid));
  }, MEMORY_SAMPLE_MS);
  await work();
  clearInterval(timer);
  return Math.max(highest, rssBytes(pid));
}

async function untilGib(port: number, load: Load): Promise<void> {
  for (let passed = 0; passed < GIB; ) {
    const { requests, bytesRead } = await runWrk(port, load);
    const bytes = load.bodyBytes === undefined ? bytesRead : requests * load.bodyBytes;
    if (bytes === 0) throw new Error(`no body passed in ${load.seconds} s`);
    passed += bytes;
  }
}

function answerOf(
  results: readonly { name: string; rows: readonly Row[] }[],
  growth: readonly Growth[],
): Answer {
  const base = results[0]!.rows[0]!.name;
  const memory: Table = {
    caption:
      'Memory while a GiB passes (bodies of 100 MB down and 1 MB up, 4 connections; the highest, less what it was before):',
    head: ['proxy', 'warm', '1 GiB down', '1 GiB up', 'another down', 'another up'],
    rows: growth.map((one) => [
      one.name,
      ...[one.warmMB, ...one.growthMB].map((mb) => `${mb.toFixed(1)} MB`),
    ]),
  };
  return {
    title: 'Bodies',
    tables: [
      ...results.map(({ name, rows }) => tableOf(name, rows, base)),
      ...(growth.length > 0 ? [memory] : []),
    ],
    targets: targets(results, growth, base),
    notes: [
      'The twins sit far apart here: a difference that is not larger than theirs is not real.',
      ...absentPeers(),
    ],
    data: { results, growth },
  };
}

function tableOf(name: string, rows: readonly Row[], base: string): Table {
  return {
    caption: `${name}, CPU time per MB and throughput:`,
    head: ['proxy', `CPU, ratio to ${base}`, 'us/MB', 'MB/s, ratio', 'MB/s', 'errors'],
    rows: rows.map((row) => [
      nameText(row, base),
      ratioText(row.values.usPerMegabyte!.ratio),
      spreadText(row.values.usPerMegabyte!.value, 0),
      ratioText(row.values.megabytesPerSecond!.ratio),
      spreadText(row.values.megabytesPerSecond!.value, 0),
      errorsText(row),
    ]),
  };
}

function targets(
  results: readonly { name: string; rows: readonly Row[] }[],
  growth: readonly Growth[],
  base: string,
): Target[] {
  const held = results.filter(({ name }) => KINDS.find((kind) => kind.name === name)!.isHeld);
  const ours = growth.find(({ name }) => name === 'fairlead');
  return [
    ...held.map(({ name, rows }) => ({
      text: `CPU per MB, ${name}, to HAProxy's`,
      limit: 1,
      measured: base === 'haproxy' ? ratioOf(rows, 'fairlead', 'usPerMegabyte') : null,
    })),
    { text: 'memory growth over 1 GiB down', limit: 4, unit: ' MB', measured: ours?.growthMB[0] ?? null },
    { text: 'memory growth over 1 GiB up', limit: 4, unit: ' MB', measured: ours?.growthMB[1] ?? null },
  ];
}
