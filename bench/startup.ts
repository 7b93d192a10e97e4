/** How long from the start of the process to its first answer, and how much memory does it take, idle and warm? */
import { request } from 'node:http';
import { absentPeers, fairleadAndTwin, nativePeers, slowPeers } from './peers/all.ts';
import type { Candidate } from './peers/candidate.ts';
import { type Answer, ratioText, spreadText, type Target } from './support/answer.ts';
import { Ledger, orderOf, type Row, type Shot } from './support/ledger.ts';
import { rssBytes, sleep, start } from './support/processes.ts';
import { chosen, type Effort, type Extent, extent, type Question } from './support/question.ts';
import { PROXY_CORES, startResponder } from './support/rig.ts';
import { runWrk } from './support/wrk.ts';

const FULL: Extent = { rounds: 5, blocks: 1, shotSeconds: 2, warmSeconds: 0 };
const FIRST_ANSWER_WITHIN_MS = 15_000;
const POLL_MS = 1;
const IDLE_MS = 500;
const RSS_WARM_MAX_MB = 90;

export const startup: Question = {
  name: 'startup',
  seconds(effort) {
    const { rounds, shotSeconds } = extent(effort, FULL);
    return rounds * candidates(effort).length * (shotSeconds + IDLE_MS / 1000 + 0.7);
  },
  async answer(effort, say) {
    const all = candidates(effort).map((one) => ({ ...one, isSlow: false }));
    const ledger = new Ledger(all);
    const responder = await startResponder();
    const { rounds } = extent(effort, FULL);
    try {
      for (let round = 0; round < rounds; round++) {
        say(`round ${round + 1}/${rounds}`);
        for (const one of orderOf(all, round)) ledger.add(one.name, round, await startOnce(one, effort));
      }
    } finally {
      await responder.stop();
    }
    return answerOf(ledger.rows(), effort);
  },
};

let all: Candidate[] | null = null;

function candidates(effort: Effort): Candidate[] {
  all ??= [...nativePeers(), ...fairleadAndTwin(), ...slowPeers()];
  return chosen(all, effort);
}

async function startOnce(candidate: Candidate, effort: Effort): Promise<Shot> {
  const { port, env, command } = candidate;
  const { shotSeconds } = extent(effort, FULL);
  const startedAt = performance.now();
  const process = await start(command, {
    cores: PROXY_CORES,
    port: null,
    ...(env === undefined ? {} : { env }),
  });
  try {
    while (!(await answers(port))) {
      if (performance.now() - startedAt > FIRST_ANSWER_WITHIN_MS)
        throw new Error(`${candidate.name} does not answer`);
      await sleep(POLL_MS);
    }
    const startMs = performance.now() - startedAt;
    await sleep(IDLE_MS);
    const idleMB = rssBytes(process.pid) / 1e6;
    const { errors } = await runWrk(port, { seconds: shotSeconds, connections: effort.connections });
    return { values: { startMs, idleMB, warmMB: rssBytes(process.pid) / 1e6 }, errors };
  } finally {
    await process.stop();
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const call = request({ port, host: '127.0.0.1', path: '/api/items', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    call.once('error', () => resolve(false));
    call.end();
  });
}

function answerOf(rows: readonly Row[], effort: Effort): Answer {
  const { shotSeconds } = extent(effort, FULL);
  const base = rows[0]!.name;
  return {
    title: 'Start and memory',
    tables: [
      {
        caption: `From the start of the process to its first 200, and resident memory ${IDLE_MS} ms later and after ${shotSeconds} s at full load:`,
        head: ['proxy', 'start, ms', `ratio to ${base}`, 'RSS idle, MB', 'RSS warm, MB'],
        rows: rows.map((row) => [
          row.name,
          spreadText(row.values.startMs!.value, 0),
          ratioText(row.values.startMs!.ratio),
          spreadText(row.values.idleMB!.value, 1),
          spreadText(row.values.warmMB!.value, 1),
        ]),
      },
    ],
    targets: [target(rows)],
    notes: [
      'The process is seen from outside, in steps of a millisecond; pages that two processes of one proxy share count twice.',
      ...absentPeers(),
    ],
    data: rows,
  };
}

function target(rows: readonly Row[]): Target {
  const ours = rows.find((row) => row.name === 'fairlead');
  return {
    text: 'resident memory, warm',
    limit: RSS_WARM_MAX_MB,
    unit: ' MB',
    measured: ours?.values.warmMB?.value.median ?? null,
  };
}
