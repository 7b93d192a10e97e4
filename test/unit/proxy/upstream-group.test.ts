/** Whatever happens to endpoints, who is chosen is one that should be: by property, without sockets. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { healthKey } from '../../../src/proxy/health-checks.ts';
import type { Pool } from '../../../src/proxy/pool.ts';
import type { UpstreamGroup } from '../../../src/proxy/upstream-group.ts';
import { snapshotOf, startPlane, type TestPlane } from '../../support/plane.ts';

const COUNT = 6;
const ENDPOINTS = Array.from({ length: COUNT }, (_, index) => `127.0.0.1:${9000 + index}`);

function configOf(settings: object): string {
  return JSON.stringify({
    version: 1,
    listeners: [{ name: 'inbound', address: '127.0.0.1:0' }],
    upstreams: {
      app: { endpoints: ENDPOINTS, outlier: { consecutiveFailures: 2, ejectFor: '1s' }, ...settings },
    },
  });
}

const POLICIES = [
  { balance: 'roundRobin' },
  { balance: 'leastRequest' },
  { balance: 'peakEwma' },
  { balance: 'ringHash', hashKey: { header: 'x-user-id' } },
];

type Step =
  | { readonly kind: 'fail' | 'succeed'; readonly at: number }
  | { readonly kind: 'unwell' | 'drain'; readonly which: readonly number[] }
  | { readonly kind: 'later'; readonly ms: number };

const at = fc.nat(COUNT - 1);
const which = fc.uniqueArray(at, { maxLength: COUNT });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constantFrom('fail' as const, 'fail' as const, 'succeed' as const), at }),
  fc.record({ kind: fc.constantFrom('unwell' as const, 'drain' as const), which }),
  fc.record({ kind: fc.constant('later' as const), ms: fc.nat(3000) }),
);

let running: TestPlane;
let group: UpstreamGroup;
let nowMs = 0;
const now = () => nowMs;

async function begin(settings: object): Promise<void> {
  running = await startPlane(configOf(settings), { now, wallMs: () => 0 });
  group = running.plane.group(running.plane.plan.snapshot.upstreams.get('app')!);
}

beforeEach(() => {
  nowMs = 0;
});
afterEach(() => running.close());

function apply(one: Step): void {
  const { plane } = running;
  switch (one.kind) {
    case 'fail':
      return group.failed(group.pools[one.at]!, 1, nowMs);
    case 'succeed':
      return group.succeeded(group.pools[one.at]!, 1, nowMs);
    case 'unwell':
      return plane.heedHealth(new Set(one.which.map((index) => healthKey('app', ENDPOINTS[index]!))));
    case 'drain':
      return plane.drainEndpoints(
        one.which.map((index) => ({ upstream: 'app', endpoint: ENDPOINTS[index]! })),
      );
    case 'later':
      nowMs += one.ms;
      group.tick(nowMs);
  }
}

/** Who may be chosen, by the words that people see. */
function allowed(panicRatio: number): Pool[] {
  const staying = group.pools.filter(({ state }) => state !== 'draining');
  const present = staying.length > 0 ? staying : group.pools;
  const good = present.filter(({ isHealthy, isEjected }) => isHealthy && !isEjected);
  return good.length === 0 || good.length < panicRatio * present.length ? [...present] : good;
}

describe.each(POLICIES)('with $balance', (policy) => {
  test('nobody is chosen who is put aside, unwell or draining, unless there are too few others', async () => {
    await begin({ ...policy, panicBelow: '40%' });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.string(), (steps, key) => {
        for (const one of steps) {
          apply(one);
          const may = allowed(0.4);
          const first = group.choose(null, key);
          expect(may).toContain(first);
          const second = group.choose(first, key);
          expect(may).toContain(second);
          if (may.length > 1) expect(second).not.toBe(first);
        }
      }),
      { numRuns: 150 },
    );
  });

  test('a reload keeps what is known of endpoints', async () => {
    await begin(policy);
    apply({ kind: 'fail', at: 1 });
    apply({ kind: 'fail', at: 1 });
    running.plane.adopt(snapshotOf(configOf({ ...policy, connectionsMax: 5 }), 2));
    const after = running.plane.group(running.plane.plan.snapshot.upstreams.get('app')!);
    expect(after).not.toBe(group);
    expect(after.pools.map(({ state }) => state)).toEqual(['ok', 'ejected', 'ok', 'ok', 'ok', 'ok']);
    // Who began before it is sent where requests go now.
    expect(after.pools).toContain(group.choose(null));
  });
});
