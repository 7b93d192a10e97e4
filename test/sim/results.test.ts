/**
 * The whole report of an experiment, read again and again, with users that come back: how often does any metric say
 * something that is not so, and is what is so found? docs/results.md publishes what is found, line by line.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { AnalysisPlan } from '../../src/analysis/collection/collected.ts';
import { ERRORS, LATENCY, P90 } from '../support/collected.ts';
import { tolerated } from '../support/peeking.ts';
import { isAlarmed, type Simulation, simulate } from '../support/results-simulation.ts';

const ALPHA = 0.05;
const SEED = 20_261_121;
/** Some seconds; more on a machine that has other things to do. */
const TIMEOUT_MS = 120_000;

const DOC = readFileSync(join(import.meta.dirname, '../../docs/results.md'), 'utf8').split('\n');
const report: string[] = [];
afterAll(() => console.log(report.join('\n')));

/** A line of the table in the docs. */
function publish(name: string, figure: string): void {
  const line = `${name.padEnd(58)}${figure}`;
  report.push(line);
  expect(DOC).toContain(line);
}

/** Any worse counts as a breach, so that a false alarm is one. */
const NO_WORSE = { ...ERRORS, margin: 0 };
const PLAN: AnalysisPlan = {
  alpha: ALPHA,
  metrics: [
    NO_WORSE,
    { ...NO_WORSE, name: 'errors of requests', over: 'requests', by: 'served' },
    LATENCY,
    P90,
  ],
};

const even = (share: number, requests: number) => [{ requests, share, failures: 0.05 }];
const RAMP = [
  { requests: 800, share: 0.01, failures: 0.01 },
  { requests: 800, share: 0.05, failures: 0.03 },
  { requests: 800, share: 0.2, failures: 0.06 },
  { requests: 800, share: 0.5, failures: 0.1 },
];
const TO_AND_FRO = [0.5, 0.4, 0.5, 0.4, 0.5].map((share) => ({ requests: 800, share, failures: 0.05 }));
/** Only what tells most of users who are always the same, as early as it can. */
const ONE_METRIC: AnalysisPlan = { alpha: ALPHA, metrics: [{ ...LATENCY, margin: 0, tunedFor: 600 }] };

type Case = readonly [name: string, simulation: Pick<Simulation, 'plan' | 'steps'> & Partial<Simulation>];

const RUNS = 50;

describe('two variants that are the same: some metric says otherwise, at some look, in at most 5 %', () => {
  const cases: Case[] = [
    ['half of the users each, four metrics', { plan: PLAN, steps: even(0.5, 4000) }],
    ['a tenth of the users, four metrics', { plan: PLAN, steps: even(0.1, 4000) }],
    ['1, 5, 20, 50 % while failures grow to ten times as many', { plan: PLAN, steps: RAMP }],
    ['the same 400 users, 50 and 40 % in turns', { plan: ONE_METRIC, steps: TO_AND_FRO, regulars: 400 }],
  ];
  test.each(cases)(
    '%s',
    (name, simulation) => {
      const { share } = simulate({ runs: RUNS, seed: SEED, ...simulation }, isAlarmed);
      publish(name, `${(100 * share).toFixed(0)} % of ${RUNS}`);
      expect(share).toBeLessThanOrEqual(tolerated(ALPHA, RUNS));
    },
    TIMEOUT_MS,
  );

  test(
    'and in many, if different splits were added up',
    () => {
      const runs = 20;
      const { share } = simulate({ runs, seed: SEED, plan: PLAN, steps: RAMP, isAddedUp: true }, isAlarmed);
      publish('for comparison: 1, 5, 20, 50 %, added up', `${(100 * share).toFixed(0)} % of ${runs}`);
      expect(share).toBeGreaterThan(0.3);
    },
    TIMEOUT_MS,
  );
});

describe('a candidate that is worse is found', () => {
  const found = (name: string, kind: string, more: Partial<Simulation>) => {
    const runs = 20;
    const { share, foundAfter } = simulate(
      { plan: PLAN, steps: even(0.5, 8000), runs, seed: SEED, growth: 1.3, ...more },
      ({ verdict }) => verdict.kind === kind,
    );
    publish(
      name,
      `${(100 * share).toFixed(0)} % of ${runs}, half of them after ${foundAfter[runs / 2]} requests`,
    );
    return share;
  };

  test(
    'when it takes a fifth longer',
    () => {
      expect(found('a fifth slower: worse', 'worse', { slower: 1.2 })).toBeGreaterThan(0.9);
    },
    TIMEOUT_MS,
  );

  test(
    'when twice as many fail',
    () => {
      expect(found('failures 10 % instead of 5 %: a breach', 'breach', { failing: 2 })).toBeGreaterThan(0.9);
    },
    TIMEOUT_MS,
  );
});
