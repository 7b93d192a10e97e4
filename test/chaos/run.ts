/**
 * `npm run chaos -- --minutes 10 --seed 7`: everything goes wrong, for a while, under load. Prints its seed, a table of
 * figures and what must hold; exit 1 when something of that does not.
 */
import { parseArgs } from 'node:util';
import { chaos } from './chaos.ts';

const { values: flags } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string' },
    workers: { type: 'string', default: '2' },
    help: { type: 'boolean', default: false },
  },
});

if (flags.help) {
  process.stdout.write(`npm run chaos -- [options]
  --minutes N    1 unless told
  --seed N       of what goes wrong, and when; drawn unless told, and printed
  --workers N    2 unless told; with 1 no worker is killed
`);
  process.exit(0);
}

const seed = flags.seed === undefined ? Math.floor(Math.random() * 1e9) : Number(flags.seed);
const startedMs = performance.now();
const say = (text: string): void =>
  void process.stderr.write(`chaos: ${Math.round((performance.now() - startedMs) / 1000)} s: ${text}\n`);
say(`seed ${seed}`);
const { checks, figures } = await chaos({
  seconds: Number(flags.minutes) * 60,
  seed,
  workers: Number(flags.workers),
  say,
});
const rows = [
  ...figures.map(([what, figure]) => `| ${what} | ${figure} |`),
  ...checks.map(({ what, ok, figure }) => `| ${ok ? '' : '**NOT** '}${what} | ${figure} |`),
];
process.stdout.write(
  `| seed ${seed}, ${flags.minutes} min, ${flags.workers} workers | |\n|---|---|\n${rows.join('\n')}\n`,
);
if (checks.some(({ ok }) => !ok)) process.exitCode = 1;
