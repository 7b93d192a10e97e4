import { describe, expect, test } from 'vitest';
import { compile } from '../../../src/config/compile.ts';
import { EMPTY_RUNTIME } from '../../../src/config/runtime.ts';
import { overloadTotal } from '../../../src/resilience/overload-view.ts';
import { shareOfUpstreams, withListenersOf } from '../../../src/workers/share.ts';
import { breakerTotal, upstreamTotals } from '../../../src/workers/state-totals.ts';
import { SETTINGS } from '../../support/breaker-bench.ts';
import { configOf, minimal, snapshotOf } from '../../support/config.ts';
import { SharedBench } from '../../support/shared-bench.ts';

describe('a breaker of all workers', () => {
  test('shows the calls of all of them, each once', () => {
    const bench = new SharedBench({ workers: 3 });
    bench.run(1, 3, 'ok');
    bench.run(2, 1, 'failure');
    const calls = bench.start(3, 2);
    bench.spread();
    const total = () =>
      breakerTotal(
        bench.shared.name,
        bench.shared.standing(bench.nowMs),
        [...bench.workers.values()].map((breaker) => breaker.view(bench.nowMs)),
      );
    expect(total()).toMatchObject({
      state: 'closed',
      requests: 4,
      failures: 1,
      errorRatio: 0.25,
      inFlight: 2,
    });
    for (const call of calls) bench.worker(3).settle(call, 'ok', bench.nowMs);
    bench.spread();
    expect(total()).toMatchObject({ requests: 6, inFlight: 0 });
  });

  test('shows where it stands also when no worker has said anything', () => {
    const { shared } = new SharedBench({ workers: 1 });
    expect(breakerTotal(shared.name, shared.standing(0), [])).toMatchObject({
      state: 'closed',
      requests: 0,
      errorRatio: null,
      turnedAway: 0,
    });
  });

  test('adds up the probes and the calls turned away', () => {
    const bench = new SharedBench({ workers: 2, settings: { ...SETTINGS, slow: null } });
    bench.run(1, 20, 'failure');
    bench.wait(4);
    bench.run(1, 2, 'ok');
    bench.run(2, 3, 'ok');
    while (bench.shared.state === 'open') bench.step();
    bench.wait(2);
    expect(bench.run(2, 1, 'ok')).toBe(1);
    for (let ms = 0; ms < 200; ms++) {
      bench.start(1, 1);
      bench.step();
    }
    const views = [...bench.workers.values()].map((breaker) => breaker.view(bench.nowMs));
    expect(views.map(({ probes }) => probes)).toEqual([2, 1]);
    expect(breakerTotal(bench.shared.name, bench.shared.standing(bench.nowMs), views)).toMatchObject({
      state: 'half-open',
      probes: 3,
      probesOk: 1,
      turnedAway: views[0]!.turnedAway + views[1]!.turnedAway,
      trips: 1,
    });
  });
});

test('upstreams are added up by endpoint', () => {
  const state = (active: number, names: readonly string[]) => ({
    breakers: [],
    overload: { shedding: null, concurrency: [], rateLimits: [] },
    inFlight: 0,
    upstreams: names.map((name) => ({
      name,
      names: [{ name: 'app.test:9001', state: 'known', endpoints: 1 }],
      endpoints: [
        {
          id: '127.0.0.1:9001',
          active,
          idle: 1,
          requests: 10,
          connectFailures: 2,
          pending: 1,
          state: 'ok',
          isUsed: true,
          reason: '',
          isHealthy: true,
        },
      ],
    })),
  });
  expect(upstreamTotals([state(1, ['a']), state(4, ['a', 'b'])])).toEqual([
    {
      name: 'a',
      names: [{ name: 'app.test:9001', state: 'known', endpoints: 1 }],
      endpoints: [
        {
          id: '127.0.0.1:9001',
          active: 5,
          idle: 2,
          requests: 20,
          connectFailures: 4,
          pending: 2,
          state: 'ok',
          isUsed: true,
          reason: '',
          isHealthy: true,
        },
      ],
    },
    {
      name: 'b',
      names: [{ name: 'app.test:9001', state: 'known', endpoints: 1 }],
      endpoints: [
        {
          id: '127.0.0.1:9001',
          active: 4,
          idle: 1,
          requests: 10,
          connectFailures: 2,
          pending: 1,
          state: 'ok',
          isUsed: true,
          reason: '',
          isHealthy: true,
        },
      ],
    },
  ]);
});

test('an endpoint that any worker has put aside is shown as put aside, with its reason', () => {
  const state = (word: string, reason: string) => ({
    breakers: [],
    overload: { shedding: null, concurrency: [], rateLimits: [] },
    inFlight: 0,
    upstreams: [
      {
        name: 'a',
        names: [],
        endpoints: [
          {
            ...{ id: '127.0.0.1:9001', active: 0, idle: 0, requests: 0, connectFailures: 0, pending: 0 },
            ...{ state: word, isUsed: word === 'ok', reason, isHealthy: true },
          },
        ],
      },
    ],
  });
  for (const states of [
    [state('ok', ''), state('ejected', '5 failures')],
    [state('ejected', '5 failures'), state('ok', '')],
  ])
    expect(upstreamTotals(states)[0]!.endpoints).toMatchObject([{ state: 'ejected', reason: '5 failures' }]);
});

describe('the load of all workers', () => {
  const limiter = { scope: 'upstream', name: 'app', kind: 'adaptive' } as const;
  const rate = { scope: 'route', name: 'all', isByUnit: false } as const;
  const shedding = (level: number) => ({
    level,
    upTo: null,
    eventLoopDelayMs: level,
    memoryRatio: null,
    reason: '',
  });

  test('is that of the one that sheds most, and limits and counts are added up', () => {
    const total = overloadTotal([
      {
        shedding: shedding(1),
        concurrency: [{ ...limiter, limit: 10, inFlight: 3, rejected: 1, usualMs: 4 }],
        rateLimits: [{ ...rate, perSecond: 50, burst: 10, limited: 1 }],
      },
      {
        shedding: shedding(3),
        concurrency: [{ ...limiter, limit: 14, inFlight: 4, rejected: 0, usualMs: null }],
        rateLimits: [{ ...rate, perSecond: 50, burst: 10, limited: 2 }],
      },
    ]);
    expect(total).toEqual({
      shedding: shedding(3),
      concurrency: [{ ...limiter, limit: 24, inFlight: 7, rejected: 1, usualMs: 4 }],
      rateLimits: [{ ...rate, perSecond: 100, burst: 20, limited: 3 }],
    });
    expect(overloadTotal([])).toEqual({ shedding: null, concurrency: [], rateLimits: [] });
  });
});

describe('the share of a worker', () => {
  test('of a limit is rounded up', () => {
    const config = configOf(
      [
        'version: 1',
        'upstreams: { a: { endpoints: ["127.0.0.1:1"], connectionsMax: 10, pendingMax: 5 }, b: "127.0.0.1:2" }',
        'routes: [{ name: all, upstream: a }]',
      ].join('\n'),
    );
    const { upstreams } = shareOfUpstreams(config, 4);
    expect([upstreams.a!.connectionsMax, upstreams.b!.connectionsMax]).toEqual([3, 256]);
    expect([upstreams.a!.pendingMax, upstreams.b!.pendingMax]).toEqual([2, 0]);
    const snapshot = compile(config, EMPTY_RUNTIME, 1);
    const shared = withListenersOf(snapshot, snapshot, 3);
    expect(shared.listeners.map(({ connectionsMax }) => connectionsMax)).toEqual([3334]);
    expect(withListenersOf(snapshot, snapshot, 1_000_000).listeners[0]!.connectionsMax).toBe(1);
  });

  test('of what may be under way and come in is its part, so that all together have what is configured', () => {
    const snapshot = snapshotOf(
      [
        'version: 1',
        'upstreams: { a: { endpoints: ["127.0.0.1:1"], concurrency: 10 }, b: { endpoints: ["127.0.0.1:2"], concurrency: adaptive } }',
        'routes: [{ name: all, upstream: a, rateLimit: { rate: 100/s, by: { header: x-key } } }, { name: b, match: { path: /b }, upstream: b }]',
        'overload: { eventLoopDelay: 100ms, memory: 80% }',
      ].join('\n'),
    );
    const { overload } = withListenersOf(snapshot, snapshot, 4);
    expect(overload!.upstreams.get('a')).toEqual({ kind: 'fixed', max: 3 });
    expect(overload!.upstreams.get('b')).toMatchObject({ initial: 5, min: 5, max: 50, queue: 4 });
    expect(overload!.routeRates.get('all')!.settings).toEqual({
      perSecond: 25,
      burst: 25,
      entriesMax: 100_000,
    });
    // They share the memory, and each has an event loop and a heap of its own.
    expect(overload!.load).toEqual({ delayMs: 100, memoryBytes: null, memoryRatio: 0.2, heapRatio: 0.8 });
  });

  test('a worker that comes after a reload opens the listeners of the start', () => {
    const listeners = (port: number) =>
      minimal(`listeners: [{ name: inbound, address: "127.0.0.1:${port}" }]`, 'service: now');
    const shared = withListenersOf(snapshotOf(listeners(2222)), snapshotOf(listeners(1111)), 2);
    expect(shared.listeners[0]!.address).toEqual({ kind: 'tcp', host: '127.0.0.1', port: 1111 });
    expect(shared.service).toBe('now');
  });

  test('a worker believes whom the configuration in force believes', () => {
    const trusting = (context: string) =>
      snapshotOf(
        minimal(`listeners: [{ name: in, address: "127.0.0.1:1", trust: { context: ${context} } }]`),
      );
    const shared = withListenersOf(trusting('none'), trusting('any'), 2);
    expect(shared.listeners[0]!.trust.context.isEveryone).toBe(false);
  });
});
