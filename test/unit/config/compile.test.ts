/** From a declared configuration to the Snapshot: `src/config/compile.ts`, `compile-experiment.ts`, `freeze.ts`, `hash.ts`. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { compile } from '../../../src/config/compile.ts';
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
      tokens: [],
      readRole: null,
      protectedRoutes: [],
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

describe('routes', () => {
  test('that say the same but for their names and matches share what it comes to', () => {
    const { all } = snapshotOf(
      minimal(
        'routes:',
        '  - { name: a, match: { path: /a/* }, experiments: [e] }',
        '  - { name: b, match: { path: "/b/{id}", method: [GET] }, experiments: [e] }',
        '  - { name: c, match: { path: /c/* }, experiments: [e], streaming: true }',
        'experiments: { e: { variants: { control: {}, candidate: { weight: 5% } }, breaker: { window: 10s } } }',
      ),
    ).routes.inbound;
    const [a, b, c] = all;
    expect([a?.name, b?.name]).toEqual(['a', 'b']);
    expect([a?.index, b?.index, a?.parameters, b?.parameters?.get('id')]).toEqual([0, 1, null, 1]);
    for (const shared of ['experiments', 'cache', 'retry', 'failover'] as const) {
      expect(b?.[shared], shared).toBe(a?.[shared]);
      expect(c?.[shared], shared).not.toBe(a?.[shared]);
    }
    expect([a?.isStreaming, c?.isStreaming]).toEqual([false, true]);
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

describe('run-time state', () => {
  const declared = { control: 900_000, candidate: 100_000 };
  const record = { reason: 'r', actor: 'a', at: '2026-01-01T00:00:00.000Z' };
  function runtime(experiment: Partial<RuntimeExperiment>): RuntimeState {
    return {
      experiments: new Map([
        [
          'ranking',
          {
            ...{ salt: 'ranking', status: null, weights: null, slots: [], epoch: 1, seenAt: null },
            ...{ forgets: 0, ...experiment },
          },
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
