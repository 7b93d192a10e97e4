import { describe, expect, test } from 'vitest';
import { assign } from '../../../src/experiment/assign.ts';
import type { UnitSource } from '../../../src/experiment/model.ts';
import { readUnit, unitText } from '../../../src/experiment/unit.ts';
import {
  countingRandom,
  experimentOf,
  givenOf,
  type RequestParts,
  requestOf,
} from '../../support/experiment.ts';

const EVERYTHING: RequestParts = {
  headers: { 'x-user-id': 'h1' },
  cookies: { sid: 'c1' },
  query: { user: 'q1' },
  pathParameters: { id: 'p1' },
  claims: { '/sub': { value: 's1', isVerified: true }, '/tenant': { value: 42, isVerified: true } },
  clientAddress: '192.0.2.77',
  clientIdentity: 'spiffe://a/b',
};

function read(source: UnitSource, parts: RequestParts = EVERYTHING) {
  const found = readUnit([source], requestOf(parts), countingRandom());
  return found === null ? null : { ...found };
}

describe('a unit', () => {
  test.each<[UnitSource, string, string]>([
    [{ kind: 'header', name: 'x-user-id' }, 'h1', 'header x-user-id'],
    [{ kind: 'cookie', name: 'sid' }, 'c1', 'cookie sid'],
    [{ kind: 'query', name: 'user' }, 'q1', 'query user'],
    [{ kind: 'path', name: 'id' }, 'p1', 'path parameter id'],
    [{ kind: 'claim', pointer: '/sub' }, 's1', 'claim /sub'],
    [{ kind: 'claim', pointer: '/tenant' }, '42', 'claim /tenant'],
    [{ kind: 'clientAddress', prefix4: 24, prefix6: 56 }, '192.0.2.0/24', 'client address /24 or /56'],
    [{ kind: 'clientIdentity' }, 'spiffe://a/b', 'client identity'],
    [{ kind: 'request' }, '0000000000000001', 'request'],
  ])('is read from %o', (source, id, text) => {
    expect(read(source)).toEqual({ id, source: text });
    expect(unitText(source)).toBe(text);
    if (source.kind !== 'request') expect(read(source, {})).toBeNull();
  });

  test('is never a claim that nobody vouches for', () => {
    const claims = { '/sub': { value: 's1', isVerified: false } };
    expect(read({ kind: 'claim', pointer: '/sub' }, { claims })).toBeNull();
  });

  test('comes from the first source that is present and not empty, and which one it was is on record', () => {
    const unit: UnitSource[] = [
      { kind: 'claim', pointer: '/sub' },
      { kind: 'cookie', name: 'sid' },
      { kind: 'clientAddress', prefix4: 32, prefix6: 128 },
    ];
    const experiment = experimentOf({ control: 500_000, candidate: 500_000 }, { unit });
    const sourceOf = (parts: RequestParts) =>
      assign(experiment, givenOf({ request: requestOf(parts) })).unitSource;
    expect(sourceOf(EVERYTHING)).toBe('claim /sub');
    expect(sourceOf({ cookies: { sid: 'c1' }, clientAddress: '::1' })).toBe('cookie sid');
    expect(sourceOf({ cookies: { sid: '' }, clientAddress: '::1' })).toBe('client address /32 or /128');
    expect(sourceOf({})).toBeNull();
  });

  test('two assignments of one request keep their own units', () => {
    const byCookie = experimentOf({ control: 1_000_000, b: 0 }, { unit: [{ kind: 'cookie', name: 'sid' }] });
    const byHeader = experimentOf({ control: 1_000_000, b: 0 });
    const given = givenOf({ request: requestOf(EVERYTHING) });
    const first = assign(byCookie, given);
    const second = assign(byHeader, given);
    expect([first.unit, first.unitSource]).toEqual(['c1', 'cookie sid']);
    expect([second.unit, second.unitSource]).toEqual(['h1', 'header x-user-id']);
  });
});
