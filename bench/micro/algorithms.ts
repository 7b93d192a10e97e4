/**
 * What does it cost to assign one unit by each algorithm? Nanoseconds a unit, best of twenty rounds, since noise only
 * ever adds; units are UUIDs, settings those of an experiment with two variants. Run:
 * npm exec -c 'node bench/micro/algorithms.ts'
 */
import { systemRandom } from '../../src/base/clock.ts';
import { compile } from '../../src/config/compile.ts';
import { parseConfig } from '../../src/config/parse.ts';
import { EMPTY_RUNTIME } from '../../src/config/runtime.ts';
import { assign, type Given } from '../../src/experiment/assign.ts';
import type { Experiment, RequestAttributes } from '../../src/experiment/model.ts';

const UNITS = 1000;
const CALLS = 100_000;
const ROUNDS = 20;

const HALVES = 'variants: { control: { weight: 50% }, candidate: { weight: 50% } }';
const shards = (start: number, end: number) =>
  `[{ salt: traffic-checkout, ranges: [{ start: 0, end: 6000 }] }, { salt: split-checkout, ranges: [{ start: ${start}, end: ${end} }] }]`;

const EXPERIMENTS: Readonly<Record<string, string>> = {
  fairlead1: HALVES,
  'fairlead1, traffic 60%': `${HALVES}\n    traffic: 60%`,
  unleash: `algorithm: unleash\n    ${HALVES}`,
  'unleash, traffic 60%': `algorithm: unleash\n    traffic: 60%\n    ${HALVES}`,
  growthbook1: `algorithm: growthbook1\n    ${HALVES}`,
  growthbook2: `algorithm: growthbook2\n    ${HALVES}`,
  'growthbook2, namespace': `algorithm: { name: growthbook2, namespace: { id: payments, range: [0, 1] } }\n    ${HALVES}`,
  flagd1: `algorithm: flagd1\n    ${HALVES}`,
  flagd2: `algorithm: flagd2\n    ${HALVES}`,
  launchdarkly: `algorithm: { name: launchdarkly, salt: 6a1c7d0c9ddf4a0c }\n    ${HALVES}`,
  'eppo, two salts': `algorithm: { name: eppo, splits: [{ variant: control, shards: ${shards(0, 5000)} }, { variant: candidate, shards: ${shards(5000, 10_000)} }] }\n    variants: { control: {}, candidate: {} }`,
};

const units = Array.from({ length: UNITS }, () => systemRandom.hex(16));
let unit = '';
const request: RequestAttributes = {
  method: 'GET',
  path: '/',
  header: () => unit,
  cookie: () => null,
  query: () => null,
  clientIdentity: null,
  clientAddress: null,
  pathParameter: () => null,
  claim: () => null,
};
const given: Given = {
  request,
  context: null,
  overrides: null,
  random: systemRandom,
  wallMs: 0,
  before: [],
};

function experimentOf(lines: string): Experiment {
  const text = `version: 1\nupstreams: { app: "127.0.0.1:9001" }\nexperiments:\n  checkout:\n    ${lines}\n`;
  const { config, issues } = parseConfig(text, 'bench');
  if (config === null) throw new Error(issues.map(({ message }) => message).join('; '));
  return compile(config, EMPTY_RUNTIME, 1).experiments.get('checkout')!;
}

function nanosecondsPerUnit(experiment: Experiment): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < CALLS; i++) {
      unit = units[i % UNITS]!;
      assign(experiment, given);
    }
    best = Math.min(best, Number(process.hrtime.bigint() - start) / CALLS);
  }
  return best;
}

for (const [name, lines] of Object.entries(EXPERIMENTS)) {
  process.stdout.write(`${name}: ${nanosecondsPerUnit(experimentOf(lines)).toFixed(0)} ns a unit\n`);
}
