/**
 * How much CPU time does one request cost each proxy? All proxies run at once on core 0 and wrk loads one after the
 * other from core 1 until it is full.
 */
import { absentPeers, fairleadAndTwin, HAS_HAPROXY, nativePeers, slowPeers } from './peers/all.ts';
import type { Candidate } from './peers/candidate.ts';
import { fairlead, recordEverything } from './peers/fairlead.ts';
import { haproxy } from './peers/haproxy.ts';
import {
  type Answer,
  errorsText,
  nameText,
  ratioOf,
  ratioText,
  spreadText,
  type Target,
} from './support/answer.ts';
import type { Row } from './support/ledger.ts';
import { chosen, type Effort, type Extent, extent, type Question } from './support/question.ts';
import { measure, shotCount } from './support/rounds.ts';
import { runWrk, shoot } from './support/wrk.ts';

const FULL: Extent = { rounds: 9, blocks: 3, shotSeconds: 1, warmSeconds: 2 };

export const cpu: Question = {
  name: 'cpu',
  seconds(effort) {
    const { rounds, blocks, shotSeconds, warmSeconds } = extent(effort, FULL);
    const all = candidates(effort);
    return shotCount(all, rounds, blocks) * (shotSeconds + 0.15) + blocks * all.length * (warmSeconds + 0.8);
  },
  async answer(effort, say) {
    const { connections } = effort;
    const size = extent(effort, FULL);
    const rows = await measure({
      candidates: candidates(effort),
      ...size,
      say,
      warmUp: (one) => runWrk(one.port, { connections, seconds: size.warmSeconds }),
      shoot: (one, pid) => shoot(one, pid, { connections, seconds: size.shotSeconds }),
    });
    return answerOf(rows, effort);
  },
};

let all: Candidate[] | null = null;

function candidates(effort: Effort): Candidate[] {
  all ??= [
    ...nativePeers(),
    ...fairleadAndTwin(),
    fairlead({ name: 'fairlead, access log on', hasAccessLog: true }),
    fairlead({ name: 'fairlead, analysis, tracing 1 %', change: recordEverything }),
    fairlead({ name: 'fairlead, public API only', isPublicApiOnly: true }),
    ...(HAS_HAPROXY ? [haproxy({ name: 'haproxy-unix', upstream: 'unix' })] : []),
    fairlead({ name: 'fairlead-unix', upstream: 'unix', ...(HAS_HAPROXY ? { base: 'haproxy-unix' } : {}) }),
    ...slowPeers(),
  ];
  return chosen(all, effort);
}

function answerOf(rows: readonly Row[], effort: Effort): Answer {
  const base = rows[0]!.name;
  return {
    title: 'CPU time per request',
    tables: [
      {
        caption: `CPU time of the proxy per request (wrk, ${effort.connections} connections; ratio within each round, median and quartiles):`,
        head: ['proxy', `ratio to ${base}`, 'us/request', 'requests/s', 'errors'],
        rows: rows.map((row) => [
          nameText(row, base),
          ratioText(row.values.usPerRequest!.ratio),
          spreadText(row.values.usPerRequest!.value, 1),
          row.values.requestsPerSecond!.value.median.toFixed(0),
          errorsText(row),
        ]),
      },
    ],
    targets: targets(rows),
    notes: absentPeers(),
    data: rows,
  };
}

function targets(rows: readonly Row[]): Target[] {
  const isHeldAgainstHaproxy = rows[0]?.name === 'haproxy';
  const ratio = (name: string): number | null =>
    isHeldAgainstHaproxy ? ratioOf(rows, name, 'usPerRequest') : null;
  const cheaper = (name: string): number | null => {
    const [theirs, ours] = [ratioOf(rows, name, 'usPerRequest'), ratioOf(rows, 'fairlead', 'usPerRequest')];
    return theirs === null || ours === null ? null : theirs / ours;
  };
  return [
    { text: "CPU per request, to HAProxy's", limit: 1.1, measured: ratio('fairlead') },
    {
      text: 'the same with the public API of Node only',
      limit: 1.15,
      measured: ratio('fairlead, public API only'),
    },
    { text: "UNIX-socket upstream, to HAProxy's with one", limit: 1, measured: ratio('fairlead-unix') },
    { text: 'cheaper than the undici proxy', limit: 2, isMinimum: true, measured: cheaper('undici') },
    { text: 'cheaper than http-proxy', limit: 5, isMinimum: true, measured: cheaper('http-proxy') },
  ];
}
