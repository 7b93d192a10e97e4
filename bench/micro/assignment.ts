/**
 * What does it cost to decide the experiments of one request? Nanoseconds a request, best of ten rounds, since noise
 * only ever adds; units are new hex ids, the split is 90/10. `on the route`: all of them are decided, of which a
 * configuration allows 100. `elsewhere`: one is, the others are loaded. Then the decision log, of a request with two
 * experiments. Run: npm exec -c 'node bench/micro/assignment.ts'
 */
import { systemRandom } from '../../src/base/clock.ts';
import { compile } from '../../src/config/compile.ts';
import { parseConfig } from '../../src/config/parse.ts';
import { EMPTY_RUNTIME } from '../../src/config/runtime.ts';
import { assign, type Given } from '../../src/experiment/assign.ts';
import type { Assignment, Experiment, RequestAttributes } from '../../src/experiment/model.ts';
import { DecisionLog } from '../../src/telemetry/decision-log.ts';
import { Counter } from '../../src/telemetry/series.ts';

const COUNTS = [1, 10, 100, 1000];
const UNITS = 1000;
/** Assignments in a round. */
const CALLS = 200_000;
const ROUNDS = 10;

const units = Array.from({ length: UNITS }, () => systemRandom.hex(16));
let unit = '';
const request: RequestAttributes = {
  method: 'GET',
  path: '/',
  header: (name) => (name === 'x-user-id' ? unit : null),
  cookie: () => null,
  query: () => null,
  clientIdentity: null,
  clientAddress: null,
  pathParameter: () => null,
  claim: () => null,
};
const given: Given = { request, context: null, overrides: null, random: systemRandom, wallMs: 0, before: [] };

/** `linesOf` has more lines for the experiment of this number. */
function experiments(count: number, top: string, linesOf: (index: number) => string): Experiment[] {
  const each = Array.from(
    { length: count },
    (_, index) =>
      `  e${index}: { ${linesOf(index)} variants: { control: {}, candidate: { weight: 10% } } }\n`,
  );
  const text = `version: 1\nrequireMetadata: false\nupstreams: { app: "127.0.0.1:9001" }\nroutes: [{ name: all }]\n${top}experiments:\n${each.join('')}`;
  const { config, issues } = parseConfig(text, 'bench');
  if (config === null) throw new Error(issues.map(({ message }) => message).join('; '));
  return [...compile(config, EMPTY_RUNTIME, 1).experiments.values()];
}

const layers = (count: number): string =>
  `layers: { ${Array.from({ length: count }, (_, index) => `l${index}: {}`).join(', ')} }\n`;
const part = (index: number, count: number): string =>
  `range: ${(index * 100) / count}%-${((index + 1) * 100) / count}%,`;

const KINDS: Readonly<Record<string, (count: number) => Experiment[]>> = {
  'on the route': (count) => experiments(count, '', () => ''),
  elsewhere: (count) => experiments(count, '', () => '').slice(-1),
  'on the route, in one layer': (count) =>
    experiments(count, layers(1), (index) => `layer: l0, ${part(index, count)}`),
  'on the route, a layer each': (count) =>
    experiments(count, layers(count), (index) => `layer: l${index}, range: 0%-50%,`),
  'on the route, a holdout of 5%': (count) => experiments(count, 'holdout: { share: 5% }\n', () => ''),
};

function best(calls: number, call: (i: number) => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < calls; i++) call(i);
    least = Math.min(least, Number(process.hrtime.bigint() - start) / calls);
  }
  return least;
}

const out = (line: string): void => void process.stdout.write(`${line}\n`);

out(`| experiments | ${COUNTS.join(' | ')} |\n| --- |${' --- |'.repeat(COUNTS.length)}`);
for (const [kind, made] of Object.entries(KINDS)) {
  const cells = COUNTS.map((count) => {
    const decided = made(count);
    const nanoseconds = best(Math.ceil(CALLS / decided.length), (i) => {
      unit = units[i % UNITS]!;
      for (const experiment of decided) assign(experiment, given);
    });
    return nanoseconds.toFixed(0);
  });
  out(`| ${kind} | ${cells.join(' | ')} |`);
}

function log(samplePpm: number, isPlain: boolean): DecisionLog {
  return new DecisionLog({
    ...{
      target: { write: () => true },
      service: 'bench',
      key: 'k',
      random: systemRandom,
      samplePpm,
      isPlain,
    },
    ...{ written: new Counter(), dropped: new Counter() },
  });
}

const two = experiments(2, '', () => '');
const decided = () => two.map((experiment): Assignment => assign(experiment, given));
const facts = { rules: '0123456789abcdef', hash: '0123456789ab', direction: 'inbound', route: 'all' };
const from = { requestId: systemRandom.hex(16), method: 'GET', host: 'shop', path: '/' };
out('\n| decision log | ns |\n| --- | --- |');
const sparse = log(1, false);
out(`| a request that is not of the sample | ${best(CALLS, () => void sparse.isDue()).toFixed(1)} |`);
for (const isPlain of [false, true]) {
  const full = log(1_000_000, isPlain);
  const nanoseconds = best(CALLS / 10, (i) => {
    unit = units[i % UNITS]!;
    const entries = decided().map((assignment) => ({
      assignment,
      kept: null,
      served: assignment.variant.name,
      because: null,
    }));
    full.record({ atMs: 0, ...facts, ...from, refused: null, given, decided: entries });
  });
  out(`| a record, units ${isPlain ? 'plain' : 'hashed'} | ${nanoseconds.toFixed(0)} |`);
}
