import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type BalancePolicy, Balancer, type Candidate } from '../../../src/routing/balance.ts';
import { seededRandom } from '../../support/seeded-random.ts';

interface Fake extends Candidate {
  inFlight: number;
  readonly name: number;
}

function fake(name: number, { inFlight = 0, weight = 1, latencyMs = -1 } = {}): Fake {
  return { name, inFlight, weight: () => weight, latencyMs: () => latencyMs };
}

function chosen(
  policy: BalancePolicy,
  endpoints: readonly Fake[],
  count: number,
  isWarming = false,
): number[] {
  const balancer = new Balancer<Fake>(policy, seededRandom(1));
  return Array.from({ length: count }, () => balancer.choose(endpoints, true, isWarming, 0).name);
}

function shares(names: readonly number[], count: number): number[] {
  return Array.from(
    { length: count },
    (_, name) => names.filter((one) => one === name).length / names.length,
  );
}

describe('every policy', () => {
  const policies = fc.constantFrom<BalancePolicy>('roundRobin', 'leastRequest', 'peakEwma', 'ringHash');

  test('answers one of those it was given', () => {
    fc.assert(
      fc.property(
        policies,
        fc.array(
          fc.record({
            inFlight: fc.nat(50),
            weight: fc.double({ min: 0.01, max: 1, noNaN: true }),
            latencyMs: fc.integer({ min: -1, max: 5000 }),
          }),
          { minLength: 1, maxLength: 20 },
        ),
        fc.integer(),
        fc.boolean(),
        fc.boolean(),
        (policy, parts, seed, takesTurn, isWarming) => {
          const endpoints = parts.map((part, name) => fake(name, part));
          const balancer = new Balancer<Fake>(policy, seededRandom(seed));
          return endpoints.includes(balancer.choose(endpoints, takesTurn, isWarming, 0));
        },
      ),
    );
  });

  test.each(['roundRobin', 'leastRequest', 'peakEwma'] as const)(
    '%s: with nothing to tell them apart, in turn',
    (policy) => {
      const endpoints = [fake(0), fake(1), fake(2)];
      const names = chosen(policy, endpoints, 9);
      expect(shares(names, 3)).toEqual([1 / 3, 1 / 3, 1 / 3]);
      expect(names.slice(0, 3)).toEqual(names.slice(3, 6));
    },
  );

  test.each(['roundRobin', 'leastRequest', 'peakEwma'] as const)(
    '%s: who is warming up gets its part of a share',
    (policy) => {
      const endpoints = [fake(0), fake(1), fake(2, { weight: 0.1 })];
      const [, , share] = shares(chosen(policy, endpoints, 30_000, true), 3);
      // 0.1 of 2.1 shares; ten standard deviations either way.
      expect(Math.abs(share! - 0.1 / 2.1)).toBeLessThan(0.013);
    },
  );

  test.each(['roundRobin', 'leastRequest', 'peakEwma'] as const)(
    '%s: shares are as the weights',
    (policy) => {
      const endpoints = [1, 0.5, 0.25].map((weight, name) => fake(name, { weight }));
      const found = shares(chosen(policy, endpoints, 35_000, true), 3);
      for (const [name, weight] of [1, 0.5, 0.25].entries())
        expect(Math.abs(found[name]! - weight / 1.75)).toBeLessThan(0.02);
    },
  );

  test('a second try takes no turn', () => {
    const balancer = new Balancer<Fake>('roundRobin', seededRandom(1));
    const endpoints = [fake(0), fake(1)];
    const first = balancer.choose(endpoints, true, false, 0);
    const other = endpoints.filter((one) => one !== first);
    expect(balancer.choose(other, false, false, 0)).toBe(other[0]);
    expect(balancer.choose(endpoints, true, false, 0)).toBe(other[0]);
  });

  test('two sidecars do not begin with the same endpoint', () => {
    const endpoints = Array.from({ length: 10 }, (_, name) => fake(name));
    const first = [1, 2, 3, 4].map(
      (seed) => new Balancer<Fake>('roundRobin', seededRandom(seed)).choose(endpoints, true, false, 0).name,
    );
    expect(new Set(first).size).toBeGreaterThan(1);
  });
});

describe('leastRequest', () => {
  test('never chooses the busiest of all', () => {
    const endpoints = [fake(0), fake(1, { inFlight: 9 }), fake(2)];
    expect(chosen('leastRequest', endpoints, 1000)).not.toContain(1);
  });

  /** Each request stays for ever: the fullest bin of n balls in n bins is ln ln n / ln 2 + O(1) above the mean, and not ln n / ln ln n. */
  test('spreads 10,000 requests over 100 endpoints to within 3 of each other', () => {
    const endpoints = Array.from({ length: 100 }, (_, name) => fake(name));
    const balancer = new Balancer<Fake>('leastRequest', seededRandom(7));
    for (let i = 0; i < 10_000; i++) balancer.choose(endpoints, true, false, 0).inFlight++;
    const loads = endpoints.map(({ inFlight }) => inFlight);
    expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(3);
  });

  test('gives an endpoint that is ten times slower about a tenth of what the others get', () => {
    const tookMs = [10, 10, 100];
    const endpoints = tookMs.map((_, name) => fake(name));
    const balancer = new Balancer<Fake>('leastRequest', seededRandom(3));
    const counts = [0, 0, 0];
    const ends: { readonly atMs: number; readonly endpoint: Fake }[] = [];
    for (let nowMs = 0; nowMs < 20_000; nowMs++) {
      for (const end of ends.filter(({ atMs }) => atMs === nowMs)) end.endpoint.inFlight--;
      const endpoint = balancer.choose(endpoints, true, false, nowMs);
      endpoint.inFlight++;
      counts[endpoint.name]!++;
      ends.push({ atMs: nowMs + tookMs[endpoint.name]!, endpoint });
    }
    expect(counts[2]! / counts[0]!).toBeLessThan(0.25);
    expect(counts[2]! / counts[0]!).toBeGreaterThan(0.05);
  });
});

describe('peakEwma', () => {
  test('never chooses who would take longest', () => {
    const endpoints = [fake(0, { latencyMs: 5 }), fake(1, { latencyMs: 500 }), fake(2, { latencyMs: 5 })];
    expect(chosen('peakEwma', endpoints, 1000)).not.toContain(1);
  });

  test('counts what is under way: a fast one with a queue loses to a slow one without', () => {
    const endpoints = [fake(0, { latencyMs: 10, inFlight: 9 }), fake(1, { latencyMs: 50 })];
    expect(chosen('peakEwma', endpoints, 100)).not.toContain(0);
  });

  test('an endpoint that nothing is known of gets one request and no second before it has answered', () => {
    const unknown = fake(0);
    const known = fake(1, { latencyMs: 1, inFlight: 50 });
    expect(chosen('peakEwma', [unknown, known], 10)).not.toContain(1);
    unknown.inFlight = 1;
    expect(chosen('peakEwma', [unknown, known], 10)).not.toContain(0);
  });
});
