/** What happens when an attempt fails, as it is declared: defaults, what is compiled of them, and mistakes. */
import { describe, expect, test } from 'vitest';
import { failureOf } from '../../../src/resilience/failure.ts';
import { issuesOf, snapshotOf } from '../../support/config.ts';

const ARMS = `version: 1
upstreams: { v1: "127.0.0.1:9001", v2: "127.0.0.1:9002" }
experiments: { e: { variants: { control: {}, candidate: { weight: 1%, upstream: v2 } } } }
`;

function routeOf(settings: string) {
  const text = `${ARMS}routes: [{ name: all, upstream: v1, experiments: [e], ${settings} }]\n`;
  return snapshotOf(text).routes.inbound.all[0]!;
}

function issues(settings: string, more = ''): string[] {
  return issuesOf(`${ARMS}${more}routes: [{ name: all, upstream: v1, experiments: [e], ${settings} }]\n`);
}

describe('retries', () => {
  test('are one, and of nothing that costs anything, unless they are asked for', () => {
    expect(routeOf('').retry).toEqual({
      attemptsMax: 2,
      on: null,
      perTryMs: 0,
      backOffMs: 0,
      backOffMaxMs: 0,
      hedgeAfterMs: 0,
    });
    expect(routeOf('retries: false').retry).toMatchObject({ attemptsMax: 1, on: null });
  });

  test('that are asked for have defaults', () => {
    const { retry } = routeOf('retries: {}');
    expect(retry).toMatchObject({
      attemptsMax: 2,
      perTryMs: 0,
      backOffMs: 25,
      backOffMaxMs: 250,
      hedgeAfterMs: 0,
    });
    expect([500, 501, 502, 503, 504, 429].filter((status) => retry.on!.hasStatus(status))).toEqual([
      502, 503, 504,
    ]);
    expect(retry.on!.has(failureOf('upstream_first_byte_timeout')!)).toBe(true);
  });

  test('are as they are declared', () => {
    const { retry } = routeOf(
      'retries: { attempts: 4, on: [connect, 429], perTry: 300ms, backOff: { base: 10ms, max: 1s }, hedge: { after: 80ms } }',
    );
    expect(retry).toMatchObject({
      attemptsMax: 4,
      perTryMs: 300,
      backOffMs: 10,
      backOffMaxMs: 1000,
      hedgeAfterMs: 80,
    });
    expect(retry.on!.hasStatus(429)).toBe(true);
    expect(retry.on!.has(failureOf('upstream_reset')!)).toBe(false);
    expect(retry.on!.has(failureOf('overloaded')!)).toBe(true);
  });

  test('have a budget for each upstream', () => {
    expect(snapshotOf(ARMS.concat('routes: [{ name: all, upstream: v1 }]\n')).retryBudget).toEqual({
      ratio: 0.2,
      minPerSecond: 3,
    });
  });
});

describe('failover', () => {
  test('is on, for what is no answer of the program', () => {
    const { failover } = routeOf('');
    expect(failover).toMatchObject({ afterMs: 0, budgetRatio: 1 });
    expect([500, 502, 503, 504, 404].filter((status) => failover!.on.hasStatus(status))).toEqual([
      502, 503, 504,
    ]);
  });

  test('is off when it is told so', () => {
    expect(routeOf('failover: false').failover).toBeNull();
  });

  test('by 5xx is by every status of that class', () => {
    const { failover } = routeOf('failover: { on: [5xx], after: 300ms, budget: 10% }');
    expect([499, 500, 555, 599, 600].filter((status) => failover!.on.hasStatus(status))).toEqual([
      500, 555, 599,
    ]);
    expect(failover).toMatchObject({ afterMs: 300, budgetRatio: 0.1 });
  });

  test('is on where there are no routes', () => {
    const text = 'version: 1\nupstreams: { app: "127.0.0.1:9001" }\n';
    expect(snapshotOf(text).routes.inbound.all[0]!.failover).not.toBeNull();
  });
});

describe('deadlines', () => {
  test('are those of gRPC unless more is said', () => {
    const text = 'version: 1\nupstreams: { app: "127.0.0.1:9001" }\n';
    expect(snapshotOf(text).deadlines).toEqual({ header: null, isGrpcHeeded: true });
    expect(snapshotOf(`${text}deadlines: { header: X-Time, grpc: false }\n`).deadlines).toEqual({
      header: 'x-time',
      isGrpcHeeded: false,
    });
  });

  test.each(['grpc-timeout', 'content-length', 'te', 'x-experiment', 'x-request-id', 'x-forwarded-for'])(
    'cannot be in %s',
    (header) => {
      expect(issues('', `deadlines: { header: ${header} }\n`).join()).toContain(
        `the header ${header} may say something else`,
      );
    },
  );
});

describe('mistakes', () => {
  test.each([
    ['retries: { on: [conect] }', 'expected connect or reset or timeout or malformed, or 5xx, or a number'],
    ['retries: { on: [200] }', 'expected at least 400'],
    ['retries: { attempts: 11 }', 'attempts'],
    ['retries: { perTry: 0s }', 'it must be longer than 0'],
    ['failover: { budget: 0% }', 'it must be more than 0%'],
    ['failover: true', 'failover'],
    ['retry: {}', 'unknown key'],
  ])('%s', (settings, said) => {
    expect(issues(settings).join('\n')).toContain(said);
  });

  test('a time that nothing can follow is a warning', () => {
    expect(issues('failover: { after: 2s }', 'timeouts: { request: 2s }\n').join()).toContain(
      'after is not shorter than timeouts.request 2s: nothing follows it',
    );
    expect(issues('retries: { perTry: 31s }').join()).toContain(
      'perTry is longer than timeouts.firstByte 30s, which comes first',
    );
    expect(issues('failover: { after: 300ms }, retries: { perTry: 100ms }')).toEqual([]);
  });

  test('a time for variants that have nowhere else to go is a warning', () => {
    const text = `version: 1
upstreams: { app: "127.0.0.1:9001" }
experiments: { e: { variants: { control: {}, candidate: { weight: 1% } } } }
routes: [{ name: all, experiments: [e], failover: { after: 1s } }]
`;
    expect(issuesOf(text).join()).toContain(
      'no variant on this route has an upstream that the fallback does not have',
    );
  });
});
