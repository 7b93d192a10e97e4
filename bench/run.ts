/**
 * `npm run bench`: Fairlead and its peers on the same job in one run, ratios first. Nobody else should be using the
 * machine. `-- --help` shows the options.
 */
import { parseArgs } from 'node:util';
import { bodies } from './bodies.ts';
import { connections } from './connections.ts';
import { cpu } from './cpu.ts';
import { experiments } from './experiments.ts';
import { latency } from './latency.ts';
import { environment, keep, toMarkdown } from './report.ts';
import { routes } from './routes.ts';
import { startup } from './startup.ts';
import type { Answer } from './support/answer.ts';
import { hasOpenLoop } from './support/open-loop.ts';
import { canPin, hasProgram, pinSelf } from './support/processes.ts';
import type { Effort, Question } from './support/question.ts';
import { LOAD_CORES } from './support/rig.ts';
import { throughput } from './throughput.ts';
import { workers } from './workers.ts';

const QUESTIONS: readonly Question[] = [
  cpu,
  latency,
  bodies,
  connections,
  experiments,
  routes,
  startup,
  workers,
  throughput,
];

const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`);

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
  --quick            for a look: few short rounds; nothing is written
  --part PARTS       comma-separated: ${QUESTIONS.map(({ name }) => name).join(', ')}; all unless told
  --only NAMES       comma-separated names of candidates; the first is what the others are held against
  --rounds N         rounds per block
  --blocks N         blocks of fresh processes (cpu)
  --connections N    64 unless told
  --dry-run          print only: write neither bench/results nor the pages
`);
  process.exit(0);
}

for (const program of ['nginx', 'wrk']) {
  if (hasProgram(program)) continue;
  say(`${program} is not installed, and without it nothing can be measured; bench/peers.sh installs it`);
  process.exit(1);
}
if (!canPin())
  say('one core, or no taskset: proxy, load and upstreams share it, and the ratios are flattened');
pinSelf(LOAD_CORES);

const effort: Effort = {
  isQuick: flags.quick,
  rounds: flags.rounds === undefined ? null : Number(flags.rounds),
  blocks: flags.blocks === undefined ? null : Number(flags.blocks),
  connections: Number(flags.connections),
  only: flags.only?.split(',') ?? null,
};
const parts = flags.part === 'all' ? QUESTIONS.map(({ name }) => name) : flags.part.split(',');
const unknown = parts.find((part) => !QUESTIONS.some(({ name }) => name === part));
if (unknown !== undefined) {
  say(`there is no part ${unknown}; --help lists them`);
  process.exit(1);
}
const needsCompiler = (question: Question): boolean => question === latency || question === connections;
const asked = QUESTIONS.filter((question) => {
  if (!parts.includes(question.name)) return false;
  if (!needsCompiler(question) || hasOpenLoop()) return true;
  say(`${question.name} is left out: there is no C compiler (cc) for the open-loop generator`);
  return false;
});

const minutes = asked.reduce((sum, question) => sum + question.seconds(effort), 0) / 60;
say(`about ${Math.max(1, Math.round(minutes))} minutes`);
const startedAt = performance.now();
const report = { environment: environment('bench'), answers: {} as Record<string, Answer> };
for (const question of asked) {
  const answer = await question.answer(effort, (text) => say(`${question.name}: ${text}`));
  report.answers[question.name] = answer;
  process.stdout.write(`${toMarkdown(answer, report.environment)}\n\n`);
}
say(`took ${((performance.now() - startedAt) / 60_000).toFixed(1)} minutes`);
if (!flags['dry-run'] && !flags.quick) {
  say(`kept in ${keep(report)}, bench/README.md and README.md`);
}
// autocannon leaves a timer behind.
process.exit(0);
