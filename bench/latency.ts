/**
 * How much latency does each proxy add at half of what HAProxy can do? Open loop, Poisson arrivals, measured from
 * the instant a request was due. `direct` is the upstream without a proxy: what a proxy adds is its quantile less
 * direct's in the same round.
 */

import { absentPeers, fairleadAndTwin, HAS_HAPROXY, nativePeers } from './peers/all.ts';
import type { Candidate } from './peers/candidate.ts';
import { haproxy } from './peers/haproxy.ts';
import { CONTROL_PORT } from './proxies/split.ts';
import { type Answer, errorsText, ratioText, spreadText, type Target } from './support/answer.ts';
import { Ledger, orderOf, type Row } from './support/ledger.ts';
import { failuresText, OpenLoop, type OpenLoopResult } from './support/open-loop.ts';
import { type Run, runUndisturbed } from './support/open-loop-shot.ts';
import type { Started } from './support/processes.ts';
import { chosen, type Effort, type Extent, extent, type Question } from './support/question.ts';
import { PROXY_CORES } from './support/rig.ts';
import { running } from './support/rounds.ts';
import { spread } from './support/statistics.ts';
import { runWrk } from './support/wrk.ts';

const FULL: Extent = { rounds: 7, blocks: 1, shotSeconds: 4, warmSeconds: 2 };
const QUANTILES = ['p50', 'p90', 'p99', 'p999'] as const;
const QUANTILE_NAMES = { p50: 'p50', p90: 'p90', p99: 'p99', p999: 'p99.9' } as const;
const LIMITS = { p50: 1.1, p90: 1.1, p99: 1.5, p999: null } as const;
const LOAD_RATIO = 0.5;
const RATE_STEP = 500;
/** What the proxy adds is not said to be less than the clock can tell. */
const ADDED_MIN_US = 1;
/** At the start of each shot. */
const UNMEASURED_SECONDS = 0.5;

const DIRECT = { name: 'direct', port: CONTROL_PORT };

export const latency: Question = {
  name: 'latency',
  seconds(effort) {
    const { rounds, shotSeconds, warmSeconds } = extent(effort, FULL);
    const all = candidates(effort).length + 1;
    return rounds * all * (shotSeconds + UNMEASURED_SECONDS + 0.1) + all * (warmSeconds + 0.6) + 5;
  },
  async answer(effort, say) {
    const ledger = new Ledger([{ name: yardstick(effort) }, DIRECT, ...candidates(effort)]);
    let rate = 0;
    await running(candidates(effort), PROXY_CORES, async (processes) => {
      rate = await halfOfSaturation(candidates(effort), effort);
      say(`${rate} requests/s`);
      await rounds(effort, rate, processes, ledger, say);
    });
    return answerOf(ledger.rows(), yardstick(effort), rate, effort);
  },
};

let all: Candidate[] | null = null;

function candidates(effort: Effort): Candidate[] {
  all ??= [
    ...nativePeers(),
    ...(HAS_HAPROXY ? [haproxy({ name: 'haproxy-twin' })] : []),
    ...fairleadAndTwin(),
  ];
  return chosen(all, effort);
}

function yardstick(effort: Effort): string {
  return candidates(effort)[0]!.name;
}

/** Half of the requests a second that the yardstick answers at most. Warms everybody up as well. */
async function halfOfSaturation(all: readonly Candidate[], effort: Effort): Promise<number> {
  const { connections } = effort;
  const { warmSeconds } = extent(effort, FULL);
  for (const one of all) await runWrk(one.port, { seconds: warmSeconds, connections });
  const shots: number[] = [];
  for (let i = 0; i < 3; i++) shots.push((await runWrk(all[0]!.port, { seconds: 1, connections })).requests);
  return Math.round((spread(shots).median * LOAD_RATIO) / RATE_STEP) * RATE_STEP;
}

async function rounds(
  effort: Effort,
  rate: number,
  processes: ReadonlyMap<string, Started>,
  ledger: Ledger,
  say: (text: string) => void,
): Promise<void> {
  const { connections } = effort;
  const targets = [DIRECT, ...candidates(effort)];
  const loops = new Map<string, OpenLoop>();
  const { rounds: count, shotSeconds } = extent(effort, FULL);
  try {
    for (const { name, port } of targets) {
      const options = { port, rate, seconds: shotSeconds, warm: UNMEASURED_SECONDS, connections };
      loops.set(name, await OpenLoop.open(options));
    }
    for (let round = 0; round < count; round++) {
      say(`round ${round + 1}/${count}`);
      const results = new Map<string, Run>();
      for (const { name } of orderOf(targets, round)) {
        const result = await runUndisturbed(loops.get(name)!, processes.get(name)?.pid ?? null);
        if (result.failed > 0) say(`${name}: ${failuresText(result)}`);
        results.set(name, result);
      }
      const direct = results.get(DIRECT.name)!;
      for (const [name, result] of results) {
        const values = valuesOf(result, direct);
        ledger.add(name, round, { values, errors: result.failed, isDisturbed: result.isDisturbed });
      }
    }
  } finally {
    await Promise.all([...loops.values()].map((loop) => loop.close()));
  }
}

function valuesOf(result: OpenLoopResult, direct: OpenLoopResult): Record<string, number> {
  const values: Record<string, number> = { lagP99: result.lagUs.p99 };
  for (const quantile of QUANTILES) {
    values[quantile] = result.latencyUs[quantile];
    values[`added-${quantile}`] = Math.max(
      result.latencyUs[quantile] - direct.latencyUs[quantile],
      ADDED_MIN_US,
    );
  }
  return values;
}

function answerOf(rows: readonly Row[], base: string, rate: number, effort: Effort): Answer {
  const proxies = rows.filter((row) => row.name !== DIRECT.name);
  const direct = rows.find((row) => row.name === DIRECT.name)!;
  const values = (row: Row, key: string): string => spreadText(row.values[key]!.value, 0);
  return {
    title: 'Added latency at half load',
    tables: [
      {
        caption: `Added latency at ${rate} requests/s in microseconds (open loop, ${effort.connections} connections; median of the rounds and quartiles; \`direct\` is the whole latency without a proxy):`,
        head: ['proxy', 'p50', 'p90', 'p99', 'p99.9', 'generator late, p99', 'errors'],
        rows: [
          [
            direct.name,
            ...QUANTILES.map((q) => values(direct, q)),
            values(direct, 'lagP99'),
            errorsText(direct),
          ],
          ...proxies.map((row) => [
            row.name,
            ...QUANTILES.map((q) => values(row, `added-${q}`)),
            values(row, 'lagP99'),
            errorsText(row),
          ]),
        ],
      },
      {
        caption: `The same as a ratio to ${base}'s within each round:`,
        head: ['proxy', 'p50', 'p90', 'p99', 'p99.9'],
        rows: proxies.map((row) => [
          row.name,
          ...QUANTILES.map((q) => ratioText(row.values[`added-${q}`]!.ratio)),
        ]),
      },
    ],
    targets: base === 'haproxy' ? QUANTILES.flatMap((quantile) => targetOf(rows, quantile)) : [],
    notes: [
      `${rate} requests/s is half of what ${base} answered in this run with wrk.`,
      'Proxies that cannot answer twice that rate (Caddy and those on node:http) are left out: their queues would be measured.',
      ...absentPeers(),
    ],
    data: rows,
  };
}

function targetOf(rows: readonly Row[], quantile: (typeof QUANTILES)[number]): Target[] {
  const limit = LIMITS[quantile];
  const [our, their] = ['fairlead', 'haproxy'].map((name) => rows.find((row) => row.name === name));
  const ours = our?.values[`added-${quantile}`];
  const theirs = their?.values[`added-${quantile}`];
  if (limit === null || ours === undefined || theirs === undefined) return [];
  const twin = rows.find((row) => row.name === 'haproxy-twin')?.values[`added-${quantile}`];
  // HAProxy's own spread: between rounds, and between two that are the same.
  const betweenTwins = twin === undefined ? 0 : Math.abs(twin.value.median - theirs.value.median);
  const noise = Math.max(theirs.value.q3 - theirs.value.q1, betweenTwins);
  const difference = Math.abs(ours.value.median - theirs.value.median);
  return [
    {
      text: `added latency ${QUANTILE_NAMES[quantile]}, to HAProxy's`,
      limit,
      measured: ours.ratio.median,
      isUnresolved: noise > difference || [our, their].some((row) => row!.disturbed * 2 > row!.shots),
    },
  ];
}
