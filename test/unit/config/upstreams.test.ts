/** Several endpoints in the configuration: what may be written, what it comes to, and what contradicts itself. */
import { describe, expect, test } from 'vitest';
import { issuesOf, snapshotOf } from '../../support/config.ts';

const upstream = (settings: string) =>
  `version: 1\nupstreams: { app: { endpoints: ["127.0.0.1:1", "127.0.0.1:2"]${settings} } }\n`;
const compiled = (settings: string) => snapshotOf(upstream(settings)).upstreams.get('app')!;

describe('an upstream', () => {
  test('is the same in short and in long', () => {
    const short = snapshotOf('version: 1\nupstreams: { app: ["127.0.0.1:1", "127.0.0.1:2"] }\n');
    expect(short.upstreams.get('app')).toEqual(compiled(''));
  });

  test('has everything as it is written', () => {
    expect(
      compiled(
        ', balance: ringHash, hashKey: [{ header: X-User-Id }, { clientAddress: { v4: 24, v6: 64 } }], pendingMax: 5, pendingTimeout: 2s, connection: { requestsMax: 7, maxAge: 1m }, slowStart: 30s, drainTimeout: 1h, panicBelow: 0%, outlier: { consecutiveFailures: 3, errorRate: 10%, slowerThan: 2.5, minimumRequests: 9, window: 1m, ejectFor: 1s, ejectForMax: 2s, ejectedMax: 25% }',
      ),
    ).toMatchObject({
      balance: 'ringHash',
      hashKey: [
        { kind: 'header', name: 'x-user-id' },
        { kind: 'clientAddress', prefix4: 24, prefix6: 64 },
      ],
      pendingMax: 5,
      pendingTimeoutMs: 2000,
      connectionRequestsMax: 7,
      connectionMaxAgeMs: 60_000,
      slowStartMs: 30_000,
      drainTimeoutMs: 3_600_000,
      panicRatio: 0,
      outlier: {
        consecutiveFailures: 3,
        errorRatio: 0.1,
        slowerThan: 2.5,
        minimumRequests: 9,
        windowMs: 60_000,
        ejectForMs: 1000,
        ejectForMaxMs: 2000,
        ejectedMaxRatio: 0.25,
      },
    });
  });

  test('without outliers has none, and without one criterion has the others', () => {
    expect(compiled(', outlier: false').outlier).toBeNull();
    expect(compiled(', outlier: { consecutiveFailures: off, errorRate: off }').outlier).toMatchObject({
      consecutiveFailures: Number.POSITIVE_INFINITY,
      errorRatio: Number.POSITIVE_INFINITY,
    });
  });
});

describe('a contradiction', () => {
  test.each([
    [
      'a ring without a key',
      ', balance: ringHash',
      'upstreams.app.balance: ringHash needs a hashKey: what requests have in common, such as { header: x-user-id }',
    ],
    [
      'a key without a ring',
      ', hashKey: { header: x-user-id }',
      'upstreams.app.hashKey: with balance: leastRequest nothing is hashed; the hashKey belongs to ringHash',
    ],
    [
      'a key of its own for every request',
      ', balance: ringHash, hashKey: request',
      'upstreams.app.hashKey: a new key for every request keeps nobody at an endpoint; leave request out',
    ],
    [
      'a key out of a token that nobody verifies',
      ', balance: ringHash, hashKey: { claim: /sub }',
      'upstreams.app.hashKey: identity.jwt is not configured, so no token is verified and there is never a claim',
    ],
    [
      'a slow start on a ring',
      ', balance: ringHash, hashKey: { cookie: sid }, slowStart: 1s',
      'upstreams.app.slowStart: with ringHash the key decides, so slowStart has no effect',
    ],
    [
      'a first time that is longer than the longest',
      ', outlier: { ejectFor: 10m }',
      'upstreams.app.outlier: ejectFor 10m is longer than ejectForMax 5m',
    ],
  ])('%s', (_name, settings, said) => {
    const issues = issuesOf(upstream(settings));
    expect(issues).toHaveLength(1);
    expect(issues[0]).toContain(said);
  });

  test.each([
    [', balance: round_robin'],
    [', pendingMax: -1'],
    [', pendingTimeout: 0'],
    [', connection: { requestsMax: 0 }'],
    [', outlier: { slowerThan: 1 }'],
    [', outlier: { ejectedMax: 0% }'],
    [', outlier: true'],
    [', panicBelow: 101%'],
  ])('%s is no setting', (settings) => {
    expect(issuesOf(upstream(settings)).length).toBeGreaterThan(0);
  });
});
