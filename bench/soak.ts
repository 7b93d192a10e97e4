/**
 * `npm run soak -- --minutes 5`: does anything fail or grow while everything happens at once? 80 % of the load that
 * the proxy can bear, a configuration reload every second, an upstream endpoint restarted every 10 s, a worker killed
 * half way, slow answers under way when the proxy is asked to end. Exit 1 when something happened that must not.
 */
import { parseArgs } from 'node:util';
import { environment, keep, toMarkdown } from './report.ts';
import type { Answer } from './support/answer.ts';
import { hasOpenLoop } from './support/open-loop.ts';
import { hasProgram, pinSelf } from './support/processes.ts';
import { LOAD_CORES } from './support/rig.ts';
import { type SoakResult, soak } from './support/soak-run.ts';

/** Shorter ones are for a look: memory has not settled. */
const KEPT_MINUTES_MIN = 5;
const GROWTH_MAX_PERCENT = 5;

const { values: flags } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    workers: { type: 'string', default: '2' },
    connections: { type: 'string', default: '64' },
    rate: { type: 'string' },
    'dry-run': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (flags.help) {
  process.stdout.write(`npm run soak -- [options]
  --minutes N        5 unless told; from 5 on the result is kept in bench/results and bench/README.md
  --workers N        2 unless told; with 1 no worker is killed
  --connections N    64 unless told
  --rate N           requests/s; 80 % of what wrk gets unless told
  --dry-run          print only
`);
  process.exit(0);
}

const say = (text: string): void => void process.stderr.write(`soak: ${text}\n`);
if (!hasProgram('nginx') || !hasProgram('wrk') || !hasOpenLoop()) {
  say('nginx, wrk and a C compiler (cc) are needed; bench/peers.sh installs the first two');
  process.exit(1);
}
pinSelf(LOAD_CORES);

const minutes = Number(flags.minutes);
const workers = Number(flags.workers);
const measuredWith = environment('soak');
const result = await soak(
  {
    minutes,
    workers,
    connections: Number(flags.connections),
    rate: flags.rate === undefined ? null : Number(flags.rate),
  },
  say,
);
const faults = faultsOf(result);
const answer = answerOf(result);
process.stdout.write(`${toMarkdown(answer, measuredWith)}\n\n`);
if (minutes >= KEPT_MINUTES_MIN && !flags['dry-run']) {
  say(`kept in ${keep({ environment: measuredWith, answers: { soak: answer } })}`);
}
for (const fault of faults) say(`MUST NOT BE: ${fault}`);
process.exit(faults.length === 0 ? 0 : 1);

function faultsOf({ load, verdict, slowAnswers, exitCode, reloads, replacedMs }: SoakResult): string[] {
  const untold = load.failed - load.failures.length;
  return [
    ...(untold === 0 ? [] : [`${untold} requests failed beyond those that were looked at`]),
    ...Object.entries(verdict.forbidden).map(([kind, count]) => `${count} requests failed: ${kind}`),
    ...(slowAnswers.complete === slowAnswers.asked
      ? []
      : [`${slowAnswers.asked - slowAnswers.complete} answers under way at SIGTERM were cut`]),
    ...(exitCode === 0 ? [] : [`the proxy ended with ${exitCode ?? 'a signal'}`]),
    ...(reloads.refused === 0 ? [] : [`${reloads.refused} reloads were refused`]),
    ...(reloads.taken > 0 ? [] : ['no reload was taken']),
    ...(workers === 1 || replacedMs !== null ? [] : ['the killed worker has no successor']),
  ];
}

function answerOf(result: SoakResult): Answer {
  const { load, verdict, rate, reloads, restarts, replacedMs, slowAnswers, memory } = result;
  const sum = (counts: Readonly<Record<string, number>>): number =>
    Object.values(counts).reduce((total, count) => total + count, 0);
  const mb = (value: number): string => `${value.toFixed(1)} MB`;
  const growths = memory.flatMap(({ growthPercent }) => growthPercent ?? []);
  return {
    title: 'Soak',
    tables: [
      {
        caption: `${minutes} minutes at ${rate} requests/s (95 % GET, 5 % POST of 4 KB), ${workers} workers:`,
        head: ['', 'count'],
        rows: [
          ['requests', String(load.sent)],
          ['failed that must not', String(sum(verdict.forbidden))],
          ...Object.entries(verdict.forbidden).map(([kind, count]) => [`... ${kind}`, String(count)]),
          ...Object.entries(verdict.expected).map(([reason, count]) => [`failed: ${reason}`, String(count)]),
          ['reloads taken, of those written', `${reloads.taken} of ${reloads.written}`],
          ['endpoint restarts, graceful and abrupt', `${restarts.graceful} and ${restarts.abrupt}`],
          ...(replacedMs === null ? [] : [['successor of the killed worker, after', `${replacedMs} ms`]]),
          [
            'slow answers under way at SIGTERM that came complete',
            `${slowAnswers.complete} of ${slowAnswers.asked}`,
          ],
          ['latency p50 / p99, ms', `${load.latencyUs.p50 / 1000} / ${load.latencyUs.p99 / 1000}`],
        ],
      },
      {
        caption: 'Resident memory, and its slope over the second half:',
        head: ['process', 'seen, s', 'first', 'last', 'highest', 'MB a minute', 'growth'],
        rows: memory.map((row) => [
          row.name,
          `${row.fromSeconds.toFixed(0)}-${row.toSeconds.toFixed(0)}`,
          mb(row.firstMB),
          mb(row.lastMB),
          mb(row.maxMB),
          row.mbPerMinute?.toFixed(2) ?? '-',
          row.growthPercent === null ? '-' : `${row.growthPercent.toFixed(1)} %`,
        ]),
      },
    ],
    targets: [
      { text: 'requests failed that must not', limit: 0, unit: '', measured: sum(verdict.forbidden) },
      {
        text: 'growth of resident memory over the second half',
        limit: GROWTH_MAX_PERCENT,
        unit: ' %',
        measured: growths.length === 0 ? null : Math.max(...growths),
      },
    ],
    notes: [
      'A worker that ends takes its requests with it, a POST is not sent twice, and a request can cross the end of its connection: those are counted apart.',
    ],
    data: { ...result, load: { ...load, failures: load.failures.slice(0, 1000) } },
  };
}
