/** What does a second worker on a second core bring? Each proxy with two, held against itself with one. */
import { absentPeers, HAS_HAPROXY, HAS_NGINX } from './peers/all.ts';
import type { Candidate } from './peers/candidate.ts';
import { fairlead } from './peers/fairlead.ts';
import { haproxy } from './peers/haproxy.ts';
import { nginx } from './peers/nginx.ts';
import { type Answer, errorsText, nameText, ratioText, spreadText } from './support/answer.ts';
import type { Row } from './support/ledger.ts';
import { chosen, type Effort, type Extent, extent, type Question } from './support/question.ts';
import { TWO_LOAD_CORES, TWO_PROXY_CORES } from './support/rig.ts';
import { measure, shotCount } from './support/rounds.ts';
import { runWrk, shoot } from './support/wrk.ts';

const FULL: Extent = { rounds: 5, blocks: 1, shotSeconds: 2, warmSeconds: 2 };

export const workers: Question = {
  name: 'workers',
  seconds(effort) {
    const { rounds, shotSeconds, warmSeconds } = extent(effort, FULL);
    const all = candidates(effort);
    return shotCount(all, rounds, 1) * (shotSeconds + 0.2) + all.length * (warmSeconds + 1);
  },
  async answer(effort, say) {
    const size = extent(effort, FULL);
    const load = { connections: effort.connections, threads: 2, cores: TWO_LOAD_CORES };
    const rows = await measure({
      candidates: candidates(effort),
      ...size,
      cores: TWO_PROXY_CORES,
      say,
      warmUp: (one) => runWrk(one.port, { ...load, seconds: size.warmSeconds }),
      shoot: (one, pid) => shoot(one, pid, { ...load, seconds: size.shotSeconds }),
    });
    return answerOf(rows, effort);
  },
};

let all: Candidate[] | null = null;

function candidates(effort: Effort): Candidate[] {
  all ??= [
    ...(HAS_HAPROXY
      ? [
          haproxy({ name: 'haproxy, 1 thread' }),
          haproxy({ name: 'haproxy, 2 threads', threads: 2, base: 'haproxy, 1 thread' }),
        ]
      : []),
    ...(HAS_NGINX
      ? [
          nginx({ name: 'nginx, 1 worker', base: 'nginx, 1 worker' }),
          nginx({ name: 'nginx, 2 workers', workers: 2, base: 'nginx, 1 worker' }),
        ]
      : []),
    fairlead({ name: 'fairlead, 1 worker', base: 'fairlead, 1 worker' }),
    fairlead({ name: 'fairlead, 2 workers', workers: 2, base: 'fairlead, 1 worker' }),
  ];
  return chosen(all, effort);
}

function answerOf(rows: readonly Row[], effort: Effort): Answer {
  const isShared = TWO_LOAD_CORES === TWO_PROXY_CORES;
  return {
    title: 'Two workers on two cores',
    tables: [
      {
        caption: `Throughput and CPU time per request (wrk with two threads, ${effort.connections} connections), two workers held against one:`,
        head: ['proxy', 'requests/s', 'ratio', 'us/request', 'ratio', 'errors'],
        rows: rows.map((row) => [
          nameText(row, row.base),
          spreadText(row.values.requestsPerSecond!.value, 0),
          ratioText(row.values.requestsPerSecond!.ratio),
          spreadText(row.values.usPerRequest!.value, 1),
          ratioText(row.values.usPerRequest!.ratio),
          errorsText(row),
        ]),
      },
    ],
    targets: [],
    notes: [
      ...(isShared
        ? [
            'This machine has too few cores to keep the load away from two workers: wrk, the upstreams and the proxy share both. The throughput says how they share, not how workers scale; CPU per request says whether the second worker costs more.',
          ]
        : []),
      ...absentPeers(),
    ],
    data: rows,
  };
}
