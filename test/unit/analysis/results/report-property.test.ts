/** Whatever comes, there is a report: plain JSON with no number that is none, and a sentence for everything. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Collected } from '../../../../src/analysis/collection/collected.ts';
import { resultsOf } from '../../../../src/analysis/results/report.ts';
import { ERRORS, LATENCY, MadeUpExperiment, metricOf, P90 } from '../../../support/collected.ts';
import { planOf, START_MS } from '../../../support/collected-traffic.ts';

const PLAN = planOf(
  ERRORS,
  LATENCY,
  P90,
  metricOf({ name: 'served', role: 'guardrail', over: 'requests', by: 'served' }),
  metricOf({ name: 'bytes', kind: 'bytes', over: 'requests', unit: 'bytes' }),
  metricOf({ name: 'conversion', kind: 'custom', better: 'higher' }),
  metricOf({ name: 'cost', kind: 'custom', over: 'requests', unit: 'number' }),
);

const request = fc.record({
  unit: fc.nat(30),
  variant: fc.nat(2),
  served: fc.nat(2),
  isFailure: fc.boolean(),
  ms: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e9, noNaN: true })),
  bytes: fc.nat(),
  isSticky: fc.boolean(),
});
const split = fc.record({
  shares: fc.constantFrom([1, 0, 0], [0, 0, 1], [0.3, 0.3, 0.4], [0.998, 0.001, 0.001]),
  requests: fc.array(request, { maxLength: 80 }),
  /** The same again and again. */
  times: fc.constantFrom(1, 1, 40),
});

test('of anything that was collected', () => {
  fc.assert(
    fc.property(fc.array(split, { maxLength: 4 }), fc.nat(600_000), (splits, later) => {
      const experiment = new MadeUpExperiment([1, 0, 0], ['control', 'one', 'two']);
      let atMs = START_MS;
      for (const { shares, requests, times } of splits) {
        experiment.split(shares);
        for (let time = 0; time < times; time++)
          for (const one of requests) {
            atMs += 7;
            experiment.add({ ...one, unit: one.unit + 31 * time, atMs });
          }
      }
      const question = { plan: PLAN, pairs: [], nowMs: atMs + later, before: null };
      const { results } = resultsOf({ ...question, collected: experiment.collected() });
      // What is no number would come back as null.
      expect(JSON.parse(JSON.stringify(results))).toEqual(results);
      for (const { reason } of [results.verdict, results.shares, results.crossover, ...results.invalid])
        expect(reason).toMatch(/^\S.*\S$/);
      for (const { metrics } of results.comparisons)
        for (const { low, high, p, verdict } of metrics) {
          expect(low ?? -1e300).toBeLessThanOrEqual(high ?? 1e300);
          expect(p >= 0 && p <= 1).toBe(true);
          expect(verdict.reason).not.toMatch(/NaN|Infinity|undefined|null/);
        }
    }),
    { numRuns: 60 },
  );
});

test('of requests that have no unit, and of nothing but ignored ones', () => {
  const experiment = new MadeUpExperiment([0.5, 0.5]);
  for (let i = 0; i < 200; i++) experiment.add({ unit: i, variant: i % 2, atMs: START_MS + i });
  const collected = experiment.collected();
  const [stratum] = collected.strata;
  const nobody = { units: 0, dealt: 0, distinct: 0, sums: new Map() };
  const without: Collected = {
    ...collected,
    strata: [{ ...stratum!, units: { ...stratum!.units, arms: [nobody, nobody] } }],
  };
  const ignored: Collected = {
    ...collected,
    strata: [{ ...stratum!, assigned: stratum!.assigned.map((arm) => ({ ...arm, ignored: arm.requests })) }],
  };
  for (const one of [without, ignored]) {
    const { results } = resultsOf({
      collected: one,
      plan: PLAN,
      pairs: [],
      nowMs: START_MS + 200,
      before: null,
    });
    expect(JSON.parse(JSON.stringify(results))).toEqual(results);
    expect(results.state).toBe('collecting');
  }
});
