/** A decision that is on record is decided again, and every byte of it is the same; with other rules it is not. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { difference } from '../../../src/cli/replay-decision.ts';
import { readDecision } from '../../../src/cli/replay-line.ts';
import { type ReadRules, readArchivedRules } from '../../../src/config/archived-rules.ts';
import { parseConfig } from '../../../src/config/parse.ts';
import { configOf } from '../../support/config.ts';
import { configText, inForce, recorded, type Situation, situation } from '../../support/decisions.ts';

const SHOP = `
version: 1
requireMetadata: false
upstreams: { v1: "127.0.0.1:9001", v2: "127.0.0.1:9002" }
decisions: { file: decisions.ndjson }
holdout: { share: 5% }
routes: [{ name: all, upstream: v1, experiments: [ranking] }]
experiments:
  ranking:
    traffic: 80%
    targeting: [{ not: { header: x-country, equals: FR } }]
    variants: { control: {}, candidate: { weight: 50%, upstream: v2 } }
`;

function rulesOf(text: string): ReadRules {
  return readArchivedRules(inForce(configOf(text)).archived.text)!;
}

function again(line: string, rules: ReadRules): string | null {
  const text = line.slice(0, -1);
  const record = readDecision(text);
  if (record === null) throw new Error(`not a decision: ${text}`);
  return difference(text, record, rules);
}

/** One decision for each of many users. */
function lines(text: string, isPlain: boolean): string[] {
  const { snapshot } = inForce(configOf(text));
  return Array.from({ length: 400 }, (_, user) => recorded(snapshot, ofUser(`user-${user}`), isPlain));
}

function ofUser(user: string): Situation {
  const parts = { headers: { 'x-user-id': user } };
  const nothing = { carried: null, override: null, excluded: null, ignoresRoutingKeys: false };
  return { parts, wallMs: Date.UTC(2026, 0, 2), kept: {}, open: [], ...nothing };
}

/** Rules that are not those of the record, and say that they are. */
function posing(text: string): ReadRules {
  const { snapshot, isWithoutIds } = rulesOf(text);
  return { snapshot: { ...snapshot, hash: inForce(configOf(SHOP)).snapshot.hash }, isWithoutIds };
}

function differing(isPlain: boolean, rules: ReadRules): string[] {
  return lines(SHOP, isPlain).flatMap((line) => again(line, rules) ?? []);
}

describe('whatever the configuration and the request are, a decision agrees with its record', () => {
  test.each([false, true])(
    'with plain units: %s',
    (isPlain) => {
      let tried = 0;
      const reasons = new Set<string>();
      fc.assert(
        fc.property(configText, fc.array(situation, { minLength: 5, maxLength: 5 }), (text, situations) => {
          const { config } = parseConfig(text, 'test.yaml', {});
          fc.pre(config !== null);
          const { snapshot, archived } = inForce(config!);
          const rules = readArchivedRules(archived.text)!;
          for (const one of situations) {
            tried++;
            const line = recorded(snapshot, one, isPlain);
            for (const [, reason] of line.matchAll(/"reason":"([a-z-]+)/g)) reasons.add(reason!);
            expect(again(line, rules)).toBeNull();
          }
        }),
        { numRuns: 200 },
      );
      expect(tried).toBe(1000);
      // Of the seventeen that there are, a few are rare.
      expect(reasons.size).toBeGreaterThan(12);
    },
    60_000,
  );
});

describe('with other rules a decision is another', () => {
  test('when a weight is: for those whose slot has another owner', () => {
    const changed = posing(SHOP.replace('50%', '40%'));
    const sentences = differing(false, changed);
    expect(sentences.length).toBeGreaterThan(10);
    expect(sentences.length).toBeLessThan(60);
    expect(sentences).toContain(
      'ranking: assigned "candidate", now "control"; served "candidate", now "control"',
    );
    expect(new Set(sentences).size).toBe(1);
  });

  test('when the gate, the holdout, the status or the targeting is', () => {
    expect(differing(false, posing(SHOP.replace('80%', '60%')))[0]).toContain('now "not-enrolled"');
    expect(differing(false, posing(SHOP.replace('5%', '50%')))[0]).toContain('now "holdout"');
    expect(differing(false, posing(SHOP.replace('traffic', 'status: paused\n    traffic')))).toHaveLength(
      400,
    );
    expect(differing(true, posing(SHOP.replace('equals: FR', 'exists: false')))[0]).toContain('clauses');
  });

  test('when the salt is: with plain units for all, and with hashed ones by the hash of the configuration', () => {
    const text = SHOP.replace('traffic', 'salt: other\n    traffic');
    expect(differing(true, posing(text))).toHaveLength(400);
    expect(differing(false, posing(text))).toEqual([]);
    expect(new Set(differing(false, rulesOf(text))).size).toBe(1);
    expect(differing(false, rulesOf(text))[0]).toMatch(
      /^the configuration of its rules has the hash [0-9a-f]{12}$/,
    );
  });

  test('when the request would not come to that route', () => {
    const root = 'routes: [{ name: root, upstream: v1, match: { path: / } }, ';
    expect(differing(true, posing(SHOP.replace('routes: [', root)))[0]).toBe('the route is root now');
  });
});

test('a byte that is changed in a record is noticed', () => {
  const { snapshot, archived } = inForce(configOf(SHOP));
  const rules = readArchivedRules(archived.text)!;
  const line = lines(SHOP, false).find((one) => one.includes('"assigned":"candidate"'))!;
  expect(again(line, rules)).toBeNull();
  expect(again(line.replace('"served":"candidate"', '"served":"control"'), rules)).toBe(
    'ranking: served "control", now "candidate"',
  );
  expect(again(line.replace('"epoch":1', '"epoch":2'), rules)).toBe('ranking: epoch 2, now 1');
  expect(again(line.replace('{"format"', '{ "format"'), rules)).toContain('was changed');
  expect(again(line.replace(/"clauses":\[true\]/, '"clauses":[]'), rules)).toContain('does not say whether');
  expect(readDecision(line.replace('"format":1', '"format":2'))).toBeNull();
  expect(snapshot.rules).toBe(archived.id);
});

test('a record with hashed units holds neither the unit nor what its request said', () => {
  const { snapshot } = inForce(configOf(SHOP));
  const secret = { 'x-user-id': 'anna@example.org', 'x-country': 'Liechtenstein' };
  const one = { ...ofUser(''), parts: { headers: secret, path: '/cart/anna' } };
  const hashed = recorded(snapshot, one, false);
  for (const text of ['anna', 'Liechtenstein', '/cart']) expect(hashed).not.toContain(text);
  const plain = recorded(snapshot, one, true);
  for (const text of ['anna@example.org', 'Liechtenstein', '/cart/anna']) expect(plain).toContain(text);
});

test('what is a secret is not recorded with plain units either, and the decision agrees all the same', () => {
  const text = SHOP.replace('header: x-country', 'header: authorization');
  const { snapshot, archived } = inForce(configOf(text));
  const headers = { 'x-user-id': 'anna', authorization: 'Bearer abc' };
  const line = recorded(snapshot, { ...ofUser(''), parts: { headers } }, true);
  expect(line).not.toContain('Bearer');
  expect(line).not.toContain('anna');
  expect(again(line, readArchivedRules(archived.text)!)).toBeNull();
});

test('claims, parameters of the path and who the client is are asked anew with plain units', () => {
  const text = `
version: 1
requireMetadata: false
upstreams: { v1: "127.0.0.1:9001" }
decisions: { file: decisions.ndjson }
identity: { jwt: { keys: [{ id: k, algorithm: HS256, secretFile: nowhere }] } }
routes: [{ name: all, match: { path: "/users/{id}/*" }, experiments: [by-claim, by-path, by-client] }]
experiments:
  by-claim: { unit: { claim: /sub }, targeting: [{ claim: /level, gt: 3 }], variants: { control: {}, b: { weight: 50% } } }
  by-path: { unit: { path: id }, targeting: [{ method: true, equals: GET }], variants: { control: {}, b: { weight: 50% } } }
  by-client: { unit: { clientIdentity: true }, targeting: [{ clientAddress: true, cidr: [192.0.2.0/24] }], variants: { control: {}, b: { weight: 50% } } }
`;
  const { snapshot, archived } = inForce(configOf(text));
  const rules = readArchivedRules(archived.text)!;
  const parts = {
    path: '/users/u-7/cart',
    pathParameters: { id: 'u-7' },
    clientIdentity: 'spiffe://shop/web',
    clientAddress: '192.0.2.9',
    claims: { '/sub': { value: 'anna', isVerified: true }, '/level': { value: 4, isVerified: true } },
  };
  for (const isPlain of [false, true]) {
    const line = recorded(snapshot, { ...ofUser(''), parts }, isPlain);
    expect(line.match(/"reason":"split/g)).toHaveLength(3);
    expect(again(line, rules)).toBeNull();
    if (isPlain) {
      expect(again(line.replace('"value":4', '"value":2'), rules)).toContain(
        'clauses [true], now [false]; assigned "b", now "control"',
      );
      expect(again(line.replace('192.0.2.9', '192.0.3.9'), rules)).toContain('clauses [true], now [false]');
    } else for (const value of ['anna', 'u-7', 'spiffe', '192.0']) expect(line).not.toContain(value);
  }
});
