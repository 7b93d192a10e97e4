/** From a declared configuration to the Snapshot: `src/config/compile.ts`, `compile-experiment.ts`, `freeze.ts`, `hash.ts`. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { compile } from '../../../src/config/compile.ts';
import { patient } from '../../../src/config/compile-breaker.ts';
import { configHash, redact } from '../../../src/config/hash.ts';
import { EMPTY_RUNTIME, type RuntimeExperiment, type RuntimeState } from '../../../src/config/runtime.ts';
import { secretFiles, withSecrets } from '../../../src/config/secrets.ts';
import { TRUST_EVERYONE } from '../../../src/routing/trust.ts';
import { configOf, minimal, snapshotOf, withExperiment } from '../../support/config.ts';

describe('the smallest file', () => {
  const snapshot = snapshotOf(minimal());

  test('listens on 15106 and sends everything to the only upstream', () => {
    expect(snapshot.listeners).toEqual([
      {
        name: 'inbound',
        direction: 'inbound',
        address: { kind: 'tcp', host: '0.0.0.0', port: 15106 },
        connectionsMax: 10_000,
        proxyProtocol: false,
        socketMode: null,
        tls: null,
        trust: { context: TRUST_EVERYONE, overrides: TRUST_EVERYONE },
      },
    ]);
    const route = snapshot.routes.inbound.match('any.host', '/any/path', 'PATCH');
    expect(route?.upstream.endpoints).toEqual([
      { id: '127.0.0.1:9001', address: { kind: 'tcp', host: '127.0.0.1', port: 9001 } },
    ]);
    expect(route?.upstream.connectionsMax).toBe(1024);
    expect(route?.experiments).toEqual([]);
    expect(route?.cache.vary).toBeNull();
    expect(snapshot.routes.outbound.match('any.host', '/', 'GET')).toBeNull();
  });

  test('has the defaults that the reference states', () => {
    expect(snapshot.timeouts).toEqual({
      requestHeadMs: 10_000,
      idleMs: 75_000,
      stallMs: 60_000,
      tunnelIdleMs: 3_600_000,
      tunnelMaxMs: 0,
      halfClosedMs: 1000,
      connectMs: 2000,
      firstByteMs: 30_000,
      requestMs: 0,
      upstreamIdleMs: 4000,
    });
    expect(snapshot.limits).toEqual({
      headMaxBytes: 65_536,
      targetMaxBytes: 8192,
      fieldsMax: 100,
      bodyMaxBytes: 0,
      replayMaxBytes: 65_536,
    });
    expect(snapshot.forwarding).toEqual({
      forwardedFor: 'append',
      forwardedProto: 'keep',
      forwardedHost: 'keep',
      via: true,
      requestId: true,
      traceparent: true,
    });
    expect(snapshot.propagation).toEqual({
      header: 'x-experiment',
      overrideHeader: 'x-experiment-override',
      overrideCookie: 'fairlead_override',
      explainHeader: 'x-experiment-explain',
      tokenHeader: 'x-experiment-token',
      sign: false,
      internalHosts: null,
      baggage: true,
      responseVariant: false,
      join: null,
    });
    expect(snapshot.admin).toEqual({
      address: { kind: 'tcp', host: '127.0.0.1', port: 15100 },
      probeAddress: { kind: 'tcp', host: '0.0.0.0', port: 15120 },
      token: null,
    });
    expect(snapshot.drain).toEqual({ delayMs: 0, timeoutMs: 30_000 });
    expect(snapshot.stateFile).toBeNull();
  });

  test('an outbound route without listeners adds the outbound listener on loopback', () => {
    const { listeners } = snapshotOf(minimal('routes: [{ name: out, direction: outbound }]'));
    expect(listeners.map(({ name, address }) => [name, address])).toEqual([
      ['inbound', { kind: 'tcp', host: '0.0.0.0', port: 15106 }],
      ['outbound', { kind: 'tcp', host: '127.0.0.1', port: 15101 }],
    ]);
  });
});

describe('an experiment', () => {
  test('the fallback gets the rest of the weights, and the split is by x-user-id', () => {
    const experiment = snapshotOf(withExperiment()).experiments.get('ranking');
    expect(experiment?.variants.map(({ name, weightPpm }) => [name, weightPpm])).toEqual([
      ['control', 900_000],
      ['candidate', 100_000],
    ]);
    expect(experiment?.fallback.name).toBe('control');
    expect(experiment?.salt).toBe('ranking');
    expect(experiment?.unit).toEqual([{ kind: 'header', name: 'x-user-id' }]);
    expect(experiment?.slots).toEqual([
      { start: 0, end: 100_000, variant: 1 },
      { start: 100_000, end: 1_000_000, variant: 0 },
    ]);
  });

  test('the units are read in the order of the file', () => {
    const experiment = snapshotOf(
      withExperiment('unit: [{ header: X-User-Id }, { cookie: Sid }, { query: q }, { request: true }]'),
    ).experiments.get('ranking');
    expect(experiment?.unit).toEqual([
      { kind: 'header', name: 'x-user-id' },
      { kind: 'cookie', name: 'Sid' },
      { kind: 'query', name: 'q' },
      { kind: 'request' },
    ]);
    expect(snapshotOf(withExperiment('unit: request')).experiments.get('ranking')?.unit).toEqual([
      { kind: 'request' },
    ]);
  });

  test('a variant goes to its own upstream, and else to the route’s', () => {
    const snapshot = snapshotOf(
      [
        'version: 1',
        'upstreams: { one: "a:1", two: "a:2" }',
        'routes: [{ name: r, upstream: one, experiments: [e] }]',
        'experiments: { e: { variants: { control: {}, candidate: { weight: 5%, upstream: two } } } }',
        '',
      ].join('\n'),
    );
    const planned = snapshot.routes.inbound.match('', '/', 'GET')?.experiments[0];
    expect(planned?.variants.map((variant) => variant.upstream.name)).toEqual(['one', 'two']);
    expect(planned?.variants[0]?.upstream).toBe(snapshot.upstreams.get('one'));
  });

  test('what may decide the variant is in Vary', () => {
    const snapshot = snapshotOf(
      withExperiment('unit: { header: x-account }', 'targeting: [{ header: X-Country, in: [DE] }]'),
    );
    expect(snapshot.routes.inbound.match('', '/', 'GET')?.cache.vary).toBe(
      'x-experiment, x-experiment-override, baggage, cookie, x-account, x-country',
    );
  });
});

describe('breakers', () => {
  function breakers(...settings: string[]) {
    return snapshotOf(withExperiment(...settings))
      .routes.inbound.match('', '/', 'GET')
      ?.experiments[0]?.variants.map((variant) => variant.breaker);
  }
  const standard = {
    windowMs: 10_000,
    minimumRequests: 20,
    errorRatio: 0.5,
    slow: null,
    consecutiveFailures: null,
    openForMs: 5000,
    openForMaxMs: 60_000,
    halfOpenRequests: 5,
    mode: 'enforce',
    budget: null,
    tripsMax: null,
  };
  /** Of variants that can be held beside the control. */
  const confidence = { ratio: 0.99999, surprise: expect.closeTo(13.35, 2) };
  const guarded = { ...standard, sharedOutage: { policy: 'hold', confidence } };

  test('every variant has one without being asked, control too', () => {
    expect(breakers()).toEqual([standard, guarded]);
  });

  test('false leaves them out, for all or for one', () => {
    expect(breakers('breaker: false')).toEqual([null, null]);
    expect(breakers('variants: { control: {}, candidate: { weight: 1%, breaker: false } }')).toEqual([
      standard,
      null,
    ]);
  });

  test('a fallback without one still counts for those who compare themselves, and opens never', () => {
    const bare = 'variants: { control: { breaker: false }, candidate: { weight: 1% } }';
    expect(breakers(bare)).toEqual([{ ...standard, errorRatio: null, mode: 'observe' }, guarded]);
    expect(breakers(bare, 'breaker: { sharedOutage: trip }')?.[0]).toBeNull();
    expect(breakers(bare, 'breaker: { sharedOutage: trip, p99: 2 x control }')?.[0]).toMatchObject({
      errorRatio: null,
      watch: { levelsMs: [], hasHistogram: true },
    });
  });

  test('limits against the control arrive as a factor and what is added, beside those of their own', () => {
    const [control, candidate] =
      breakers(
        'breaker: { errorRate: [5%, 2 x control], slow: { threshold: 1s, rate: control + 5% }, p50: 200ms, p99: [1s, 1.3x control + 20ms], p99.9: control + 1s, confidence: 99.9% }',
      ) ?? [];
    const relaxed = { ratio: 0.999, surprise: expect.closeTo(8.52, 2) };
    expect(candidate).toMatchObject({
      errorRatio: 0.05,
      slow: { thresholdMs: 1000, ratio: 0.5 },
      compared: {
        confidence: relaxed,
        error: { factor: 2, plus: 0 },
        slow: { factor: 1, plus: 0.05 },
        quantiles: [
          { name: 'p50', share: 0.5, limit: { kind: 'fixed', ms: 200 } },
          { name: 'p99', share: 0.01, limit: { kind: 'fixed', ms: 1000 } },
          { name: 'p99', share: 0.01, limit: { kind: 'relative', factor: 1.3, plus: 20 } },
          { name: 'p99.9', share: 0.001, limit: { kind: 'relative', factor: 1, plus: 1000 } },
        ],
      },
      watch: { levelsMs: [200, 1000], hasHistogram: true },
    });
    expect(control).not.toHaveProperty('compared');
    expect(control).not.toHaveProperty('sharedOutage');
    expect(control?.watch).toEqual({ levelsMs: [200, 1000], hasHistogram: true });
  });

  test('a limit against the control alone leaves the 50 % there are by default', () => {
    expect(breakers('breaker: { errorRate: control + 1% }')?.[1]).toMatchObject({
      errorRatio: 0.5,
      compared: { error: { factor: 1, plus: 0.01 } },
    });
  });

  test('on a route of streams nothing takes too long', () => {
    const [control, candidate] =
      breakers('breaker: { errorRate: control + 1%, slow: { threshold: 1s, rate: 2 x control }, p99: 1s }') ??
      [];
    expect([patient(control!, 1000), patient(candidate!, 1000)]).toMatchObject([
      { slow: null },
      { slow: null, compared: { error: { factor: 1, plus: 0.01 }, slow: null, quantiles: [] } },
    ]);
    expect(patient(candidate!, 1000)).not.toHaveProperty('watch');
  });

  test('ratios and thresholds arrive as fractions and milliseconds', () => {
    const [, candidate] =
      breakers('breaker: { errorRate: 5%, slow: { threshold: 250ms, rate: 20% }, consecutiveFailures: 7 }') ??
      [];
    expect(candidate).toEqual({
      ...guarded,
      errorRatio: 0.05,
      slow: { thresholdMs: 250, ratio: 0.2 },
      consecutiveFailures: 7,
      watch: { levelsMs: [250], hasHistogram: false },
    });
  });

  test('the last resort opens at 50 % of errors at least, and not for slowness, unless it says so itself', () => {
    const declared = 'breaker: { errorRate: 5%, slow: { threshold: 250ms, rate: 20% } }';
    expect(breakers(declared)?.[0]).toMatchObject({ errorRatio: 0.5, slow: null });
    expect(breakers('breaker: { errorRate: 80% }')?.[0]).toMatchObject({ errorRatio: 0.8 });
    expect(breakers('breaker: { errorRate: off, consecutiveFailures: 5 }')?.[0]).toMatchObject({
      errorRatio: null,
    });
    const own =
      'variants: { control: { breaker: { errorRate: 5%, slow: { threshold: 1s, rate: 90% } } }, candidate: { weight: 1% } }';
    expect(breakers(declared, own)?.[0]).toMatchObject({
      errorRatio: 0.05,
      slow: { thresholdMs: 1000, ratio: 0.9 },
    });
  });

  test('a variant says only what differs, and off takes a criterion away', () => {
    const settings =
      'variants: { control: { breaker: { errorRate: off, slow: off, consecutiveFailures: off } }, candidate: { weight: 1%, breaker: { window: 2s } } }';
    const [control, candidate] =
      breakers('breaker: { slow: { threshold: 1s }, consecutiveFailures: 3 }', settings) ?? [];
    expect(control).toMatchObject({ errorRatio: null, slow: null, consecutiveFailures: null });
    expect(candidate).toMatchObject({
      windowMs: 2000,
      slow: { thresholdMs: 1000, ratio: 0.5 },
      consecutiveFailures: 3,
    });
  });
});

describe('run-time state', () => {
  const declared = { control: 900_000, candidate: 100_000 };
  const record = { reason: 'r', actor: 'a', at: '2026-01-01T00:00:00.000Z' };
  function runtime(experiment: Partial<RuntimeExperiment>): RuntimeState {
    return {
      experiments: new Map([
        [
          'ranking',
          { salt: 'ranking', status: null, weights: null, slots: [], epoch: 1, seenAt: null, ...experiment },
        ],
      ]),
    };
  }

  test('a status and weights lie over the declared ones', () => {
    const weightsPpm = { control: 500_000, candidate: 500_000 };
    const state = runtime({
      status: { status: 'paused', ...record },
      weights: { weightsPpm, declaredPpm: declared, ...record },
    });
    const experiment = snapshotOf(withExperiment(), state).experiments.get('ranking');
    expect(experiment?.status).toBe('paused');
    expect(experiment?.variants.map((variant) => variant.weightPpm)).toEqual([500_000, 500_000]);
  });

  test('weights that do not name the declared variants are not used', () => {
    const state = runtime({
      weights: { weightsPpm: { control: 500_000, gone: 500_000 }, declaredPpm: declared, ...record },
    });
    expect(snapshotOf(withExperiment(), state).experiments.get('ranking')?.variants[1]?.weightPpm).toBe(
      100_000,
    );
  });

  test('a new variant takes its slots from the fallback and none from the old treatment', () => {
    const slots = [
      { start: 0, end: 100_000, variant: 'candidate' },
      { start: 100_000, end: 1_000_000, variant: 'control' },
    ];
    const text = withExperiment(
      'variants: { other: { weight: 5% }, control: {}, candidate: { weight: 10% } }',
    );
    const experiment = snapshotOf(text, runtime({ slots })).experiments.get('ranking');
    const candidate = experiment?.variants.find((variant) => variant.name === 'candidate')?.index;
    expect(experiment?.slots.filter((range) => range.variant === candidate)).toEqual([
      { start: 0, end: 100_000, variant: candidate },
    ]);
  });

  test('the slots of a variant that is gone go to the fallback', () => {
    const slots = [
      { start: 0, end: 300_000, variant: 'gone' },
      { start: 300_000, end: 400_000, variant: 'candidate' },
      { start: 400_000, end: 1_000_000, variant: 'control' },
    ];
    const experiment = snapshotOf(withExperiment(), runtime({ slots })).experiments.get('ranking');
    expect(experiment?.slots).toEqual([
      { start: 0, end: 300_000, variant: 0 },
      { start: 300_000, end: 400_000, variant: 1 },
      { start: 400_000, end: 1_000_000, variant: 0 },
    ]);
  });

  test('another salt deals everyone anew', () => {
    const slots = [
      { start: 0, end: 900_000, variant: 'control' },
      { start: 900_000, end: 1_000_000, variant: 'candidate' },
    ];
    expect(
      snapshotOf(withExperiment(), runtime({ slots })).experiments.get('ranking')?.slots[0]?.variant,
    ).toBe(0);
    expect(
      snapshotOf(withExperiment('salt: two'), runtime({ slots })).experiments.get('ranking')?.slots[0]
        ?.variant,
    ).toBe(1);
  });

  test('a table with a gap is not used', () => {
    const slots = [
      { start: 0, end: 10, variant: 'candidate' },
      { start: 20, end: 1_000_000, variant: 'control' },
    ];
    expect(snapshotOf(withExperiment(), runtime({ slots })).experiments.get('ranking')?.slots[0]?.end).toBe(
      100_000,
    );
  });
});

describe('the Snapshot', () => {
  const snapshot = snapshotOf(readFileSync('config/quickstart.yaml', 'utf8'));

  test('is frozen all the way down', () => {
    const loose: string[] = [];
    visit(snapshot, 'snapshot', loose, new Set());
    expect(loose).toEqual([]);
    expect(() => (snapshot.upstreams as Map<string, unknown>).set('x', {})).toThrow(TypeError);
    expect(() => (snapshot.experiments as Map<string, unknown>).clear()).toThrow(TypeError);
  });

  test('is the same for the same input', () => {
    const again = snapshotOf(readFileSync('config/quickstart.yaml', 'utf8'));
    expect(again.hash).toBe(snapshot.hash);
    expect(again.experiments.get('ranking')?.slots).toEqual(snapshot.experiments.get('ranking')?.slots);
  });
});

/** Collects the paths of what can still be changed. Route tables freeze themselves and are entered by `all`. */
function visit(value: unknown, path: string, loose: string[], seen: Set<unknown>): void {
  if (typeof value !== 'object' || value === null || seen.has(value)) return;
  seen.add(value);
  if (!Object.isFrozen(value)) loose.push(path);
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  for (const [key, inner] of entries) visit(inner, `${path}.${String(key)}`, loose, seen);
}

describe('the hash', () => {
  const hash = (text: string): string => configHash(configOf(text));

  test('does not see comments, order of keys or spelling of units', () => {
    const one = minimal('timeouts: { idle: 60s, connect: 1s }');
    const two = minimal('# hello', 'timeouts: { connect: 1000ms, idle: 1m }');
    expect(hash(one)).toBe(hash(two));
    expect(hash(one)).toMatch(/^[0-9a-f]{12}$/);
  });

  test('sees every setting', () => {
    expect(hash(minimal())).not.toBe(hash(minimal('timeouts: { idle: 1s }')));
    expect(hash(withExperiment())).not.toBe(hash(withExperiment('salt: other')));
  });

  test('does not see secrets', () => {
    expect(hash(minimal('admin: { token: one-secret }'))).toBe(hash(minimal('admin: { token: another }')));
    expect(hash(minimal('exposures: { key: one-secret }'))).toBe(hash(minimal()));
  });
});

describe('secrets', () => {
  test('are not in what may be shown', () => {
    const config = configOf(minimal('admin: { token: hunter-2 }', 'exposures: { key: hunter-3 }'));
    expect(JSON.stringify(redact(config))).not.toContain('hunter');
    expect(redact(config).admin.token).toBe('[redacted]');
    expect(redact(configOf(minimal())).admin.token).toBeUndefined();
  });

  test('come from files of their own, without the newline at the end', () => {
    const config = configOf(minimal('admin: { tokenFile: /s/token }', 'exposures: { keyFile: /s/key }'));
    expect(secretFiles(config).map(({ file, path }) => [file, path.join('.')])).toEqual([
      ['/s/token', 'admin.tokenFile'],
      ['/s/key', 'exposures.keyFile'],
    ]);
    const snapshot = compile(
      withSecrets(
        config,
        new Map([
          ['/s/token', 'abc\n'],
          ['/s/key', ' k '],
        ]),
      ),
      EMPTY_RUNTIME,
      1,
    );
    expect([snapshot.admin.token, snapshot.exposures.key]).toEqual(['abc', 'k']);
  });

  test('without a key, units of two services are hashed differently', () => {
    const key = (service: string): string => snapshotOf(minimal(`service: ${service}`)).exposures.key;
    expect(key('a')).not.toBe(key('b'));
    expect(key('a')).toBe(key('a'));
  });
});
