/**
 * `npm run bench`: Fairlead, http-proxy, an undici-based proxy and HAProxy (if it is installed) on the same job in
 * one run, ratios first. Nobody else should be using the machine. `-- --help` shows the options.
 */
import { parseArgs } from 'node:util';
import { measureCpu } from './cpu.ts';
import { environment, keep, type Report, toMarkdown } from './report.ts';
import { type Candidate, candidates, startResponder } from './support/candidates.ts';
import { canPin, hasProgram, pinSelf } from './support/processes.ts';
import { measureThroughput } from './throughput.ts';

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    part: { type: 'string', default: 'all' },
    only: { type: 'string' },
    rounds: { type: 'string' },
    blocks: { type: 'string' },
    connections: { type: 'string', default: '64' },
    'dry-run': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (flags.help) {
  process.stdout.write(`npm run bench -- [options]
  --quick            3 rounds instead of 9, one block instead of 3: for a look
  --part PART        all, cpu or throughput
  --only NAMES       comma-separated; the first is what the others are held against
  --rounds N         rounds per block
  --blocks N         blocks of fresh processes (cpu)
  --connections N    64 unless told
  --dry-run          print only; do not write bench/results and bench/README.md
`);
  process.exit(0);
}

const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`);
const connections = Number(flags.connections);
const rounds = Number(flags.rounds ?? (flags.quick ? 3 : 9));
const blocks = Number(flags.blocks ?? (flags.quick ? 1 : 3));

pinSelf(1);
if (!canPin())
  say('one core, or no taskset: proxy, load and upstreams share it, and the ratios are flattened');

const isCpu = flags.part !== 'throughput' && hasProgram('wrk');
if (flags.part !== 'throughput' && !isCpu) say('wrk is not installed: no CPU time per request');
const isHaproxy = hasProgram('haproxy');
if (isCpu && !isHaproxy) say('haproxy is not installed: the ratios are to Fairlead');

const only = flags.only?.split(',');
const chosen = (options: { haproxy: boolean; twin: boolean }): Candidate[] => {
  const all = candidates(options);
  return only === undefined ? all : only.flatMap((name) => all.filter((one) => one.name === name));
};

const responder = await startResponder(null);
await responder.stop();

const cpu = isCpu
  ? await measureCpu(
      chosen({ haproxy: isHaproxy, twin: true }),
      { connections, rounds, blocks, shotSeconds: 2 },
      say,
    )
  : [];
const throughput =
  flags.part === 'cpu'
    ? []
    : await measureThroughput(
        chosen({ haproxy: false, twin: false }),
        { connections, rounds: flags.quick ? 2 : 4, seconds: 4 },
        say,
      );

const report: Report = { ...environment(), responder: responder.name, connections, cpu, throughput };
process.stdout.write(`${toMarkdown(report)}\n`);
if (!flags['dry-run']) say(`kept in ${keep(report)} and bench/README.md`);
// autocannon leaves a timer behind.
process.exit(0);
