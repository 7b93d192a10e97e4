/** What a targeting rule can ask of a value: each kind of test, with values that are not of its kind. */
import { describe, expect, test } from 'vitest';
import { compileTargeting } from '../../../src/experiment/targeting.ts';
import { TargetingError } from '../../../src/experiment/targeting-error.ts';
import type { TargetingRule } from '../../../src/experiment/targeting-rule.ts';
import { type RequestParts, requestOf } from '../../support/experiment.ts';

const HUGE = '9'.repeat(100_000);
/** Of every kind something, and much that is of none. */
const ODD = [
  '',
  ' ',
  '0',
  '-1',
  'NaN',
  'Infinity',
  '1e999',
  '0x10',
  '１',
  'v',
  '1.2',
  '\0',
  '::',
  '2026-02-30',
  HUGE,
];

/** Does a request whose header x has this value satisfy the test? Null: it has none. */
function holds(rule: TargetingRule, value: string | null): boolean {
  const request = requestOf(value === null ? {} : { headers: { x: value } });
  const answer = compileTargeting({ header: 'x', ...rule }).matches(request);
  expect(compileTargeting({ header: 'x', ...rule, not: true }).matches(request)).toBe(!answer);
  return answer;
}

/** The first of these values that answers otherwise than it should; undefined: none. */
function wrong(rule: TargetingRule, yes: readonly string[], no: readonly string[]): string | undefined {
  return yes.find((value) => !holds(rule, value)) ?? [...no].find((value) => holds(rule, value));
}

const EVERY_TEST: readonly TargetingRule[] = [
  { equals: '' },
  { in: [''] },
  { prefix: 'a' },
  { suffix: 'a' },
  { contains: 'a' },
  { matches: '.*' },
  { exists: true },
  { gt: 0 },
  { gte: 0 },
  { lt: 0 },
  { lte: 0 },
  { between: [-1e300, 1e300] },
  { before: '9999-12-31' },
  { after: '1970-01-01' },
  { semver: '*' },
  { cidr: ['0.0.0.0/0', '::/0'] },
];

describe('whatever the test', () => {
  test('what is absent does not satisfy it', () => {
    for (const rule of EVERY_TEST) expect([rule, holds(rule, null)]).toEqual([rule, false]);
  });

  test('no value makes it throw', () => {
    for (const rule of EVERY_TEST) for (const value of ODD) expect(typeof holds(rule, value)).toBe('boolean');
  });
});

describe('text', () => {
  test('suffix, contains and prefix look at the end, anywhere and at the beginning', () => {
    expect(
      wrong({ suffix: '@shop.example' }, ['ann@shop.example'], ['ann@shop.example.org', '']),
    ).toBeUndefined();
    expect(wrong({ contains: 'bot' }, ['bot', 'a bot b'], ['b-o-t', 'Bot'])).toBeUndefined();
    expect(wrong({ prefix: 'de-' }, ['de-DE', 'de-'], ['de', 'xde-'])).toBeUndefined();
  });

  test('ignoreCase compares without case, both ways and beyond ASCII', () => {
    const ignoreCase = true;
    expect(wrong({ equals: 'Müller', ignoreCase }, ['müller', 'MÜLLER'], ['muller'])).toBeUndefined();
    expect(wrong({ in: ['DE', 'fr'], ignoreCase }, ['de', 'FR', 'De'], ['d', 'dee'])).toBeUndefined();
    expect(wrong({ prefix: 'Mozilla', ignoreCase }, ['MOZILLA/5.0'], ['xmozilla'])).toBeUndefined();
    expect(wrong({ suffix: '.COM', ignoreCase }, ['a.com', 'A.Com'], ['a.comm'])).toBeUndefined();
    expect(wrong({ contains: 'BOT', ignoreCase }, ['Googlebot/2'], ['bo t'])).toBeUndefined();
    expect(wrong({ matches: '[a-z]+bot', ignoreCase }, ['GoogleBOT'], ['bot'])).toBeUndefined();
    expect(wrong({ equals: 'a', ignoreCase: false }, ['a'], ['A'])).toBeUndefined();
  });
});

describe('exists', () => {
  test('is about being there, be it empty', () => {
    expect([
      holds({ exists: true }, ''),
      holds({ exists: true }, 'x'),
      holds({ exists: true }, null),
    ]).toEqual([true, true, false]);
    expect([
      holds({ exists: false }, ''),
      holds({ exists: false }, 'x'),
      holds({ exists: false }, null),
    ]).toEqual([false, false, true]);
  });
});

describe('numbers', () => {
  test.each<[TargetingRule, yes: string[], no: string[]]>([
    [{ gt: 18 }, ['19', '18.01', '+19', '1e3', '019'], ['18', '-19', '18.0']],
    [{ gte: 18 }, ['18', '18.0', '.18e2', '19'], ['17.999', '1,9']],
    [{ lt: -1.5 }, ['-2', '-1.51'], ['-1.5', '0', '2']],
    [{ lte: 0 }, ['0', '-0', '-0.0', '-1'], ['0.1', '1e-5']],
    [{ between: [1, 10] }, ['1', '10', '5.5', '1.'], ['0.99', '10.01', '-5']],
    [{ between: [3, 3] }, ['3'], ['2', '4']],
  ])('%j', (rule, yes, no) => {
    expect(wrong(rule, yes, no)).toBeUndefined();
  });

  test('what is not a plain number satisfies no comparison, nor its opposite', () => {
    const odd = [
      '',
      ' 1',
      '1 ',
      '0x10',
      '1_000',
      '1,5',
      'NaN',
      'Infinity',
      '-Infinity',
      '1e999',
      '1n',
      HUGE,
      '--1',
    ];
    for (const rule of [{ gt: -1e308 }, { lt: 1e308 }, { between: [-1e308, 1e308] }]) {
      expect(wrong(rule, [], odd)).toBeUndefined();
    }
  });

  test('a range without anything in it is refused', () => {
    expect(() => compileTargeting({ header: 'x', between: [2, 1] })).toThrow('from 2 to 1 there is nothing');
    expect(() => compileTargeting({ header: 'x', between: [Number.NaN, 1] })).toThrow(TargetingError);
    expect(() => compileTargeting({ header: 'x', between: [1] })).toThrow(TargetingError);
  });
});

describe('dates', () => {
  test('ISO 8601, with a zone or in UTC, to the day or the second', () => {
    const rule = { before: '2026-03-01T00:00:00Z' };
    const earlier = [
      '2026-02-28',
      '2026-02-28T23:59:59Z',
      '2026-02-28T23:59:59.999Z',
      '2026-03-01T00:59:59+01:00',
      '2026-03-01T00:59+0100',
      '2026-02-28t23:00z',
      '2024-02-29',
    ];
    const not = [
      '2026-03-01',
      '2026-03-01T00:00:00Z',
      '2026-02-28T19:00:00-05:00',
      '2026-03-01T01:00:00+01:00',
    ];
    expect(wrong(rule, earlier, not)).toBeUndefined();
  });

  test('seconds and milliseconds since 1970', () => {
    // 2026-03-01T00:00:00Z
    const rule = { after: '2026-03-01' };
    expect(
      wrong(rule, ['1772323201', '1772323200001'], ['1772323200', '1772323200000', '0']),
    ).toBeUndefined();
    expect(wrong({ before: '2026-03-01' }, ['1772323199', '1772323199999', '0'], [])).toBeUndefined();
  });

  test('what is no date is before and after nothing', () => {
    const odd = [
      '',
      'now',
      '2026-02-30',
      '2026-13-01',
      '2025-02-29',
      '2026-3-1',
      '2026-03-01T24:00:00Z',
      '2026-03-01T10:60:00Z',
      '2026-03-01T10:00:60Z',
      '2026-03-01T10:00:00+24:00',
      '2026-03-01 10:00:00',
      'Sun, 01 Mar 2026 00:00:00 GMT',
      '-1',
      '1.5',
      '0050-01-01',
      HUGE,
    ];
    expect(wrong({ before: '9999-12-31T23:59:59Z' }, ['2026-01-01'], odd)).toBeUndefined();
    expect(wrong({ after: '1900-01-01' }, ['2026-01-01'], odd)).toBeUndefined();
  });

  test.each(['tomorrow', '2026-02-30', '', '1772323200'])('%j is refused as a limit', (before) => {
    expect(() => compileTargeting({ header: 'x', before })).toThrow(/is no date; write 2026-03-01/);
  });
});

describe('versions', () => {
  test('are in a range as npm reads it', () => {
    const rule = { semver: '>=1.2.0 <2.0.0' };
    expect(
      wrong(rule, ['1.2.0', '1.10.3', 'v1.9.9', '1.5.0+build.7'], ['1.1.9', '2.0.0', '10.0.0']),
    ).toBeUndefined();
    expect(
      wrong({ semver: '^0.3.1 || 5.x' }, ['0.3.9', '5.0.0', '5.9.1'], ['0.4.0', '6.0.0']),
    ).toBeUndefined();
  });

  test('before a release are only in a range that names one of the same release', () => {
    expect(wrong({ semver: '>=1.2.0' }, [], ['1.2.0-rc.1', '1.3.0-beta', '2.0.0-0'])).toBeUndefined();
    expect(
      wrong({ semver: '>=1.3.0-beta' }, ['1.3.0-beta', '1.3.0-rc.1', '1.3.0', '1.4.0'], ['1.4.0-beta']),
    ).toBeUndefined();
  });

  test('that are none are in no range', () => {
    const odd = [
      '',
      '1',
      '1.2',
      '1.2.x',
      'latest',
      '1.2.3.4',
      '01.2.3',
      '1.2.3-',
      `1.2.${HUGE}`,
      '=1.2.3',
      ' 1.2.3',
    ];
    expect(wrong({ semver: '*' }, ['1.2.3'], odd)).toBeUndefined();
  });

  test.each(['latest', '>=1.2.3.4', '1.2.3 - ', '>>1'])('%j is refused as a range', (semver) => {
    expect(() => compileTargeting({ header: 'x', semver })).toThrow(/is no range of versions/);
  });
});

describe('networks', () => {
  test('IPv4 and IPv6, a single address, and IPv4 written as IPv6', () => {
    const rule = { cidr: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.7', '::1'] };
    const inside = [
      '10.255.0.1',
      '2001:db8:ffff::1',
      '2001:DB8::1',
      '192.0.2.7',
      '::1',
      '::ffff:10.1.2.3',
      '0:0:0:0:0:0:0:1',
    ];
    const outside = ['11.0.0.1', '2001:db9::1', '192.0.2.8', '::2', '::ffff:11.1.2.3'];
    expect(wrong(rule, inside, outside)).toBeUndefined();
  });

  test('what is no address is in none', () => {
    const odd = [
      '',
      '10.0.0',
      '10.0.0.256',
      '10.0.0.1/8',
      '10.0.0.1, 10.0.0.2',
      '[::1]',
      '10.0.0.1:80',
      '010.0.0.1',
      HUGE,
    ];
    expect(wrong({ cidr: ['0.0.0.0/0', '::/0'] }, ['1.2.3.4', '::'], odd)).toBeUndefined();
  });

  test('one of IPv6 has no IPv4 address in it, and one of IPv4 no IPv6 address', () => {
    const ipv4 = ['1.2.3.4', '::ffff:1.2.3.4', '::ffff:102:304'];
    const ipv6 = ['::1', '2001:db8::1', '::1.2.3.4'];
    expect(wrong({ cidr: ['::/0'] }, ipv6, ipv4)).toBeUndefined();
    expect(wrong({ cidr: ['0.0.0.0/0'] }, ipv4, ipv6)).toBeUndefined();
    expect(wrong({ cidr: ['::ffff:1.0.0.0/104'] }, ipv4, [...ipv6, '2.0.0.1'])).toBeUndefined();
  });

  test.each(['10.0.0.0/33', '::/129', '10.0.0/8', 'localhost', '10.0.0.0/', '10.0.0.0/-1', 'fe80::1%eth0'])(
    '%j is refused as a network',
    (network) => {
      expect(() => compileTargeting({ header: 'x', cidr: ['::1', network] })).toThrow(
        expect.objectContaining({ path: ['cidr', 1], message: expect.stringContaining('is no network') }),
      );
    },
  );
});

describe('subjects', () => {
  const request: RequestParts = {
    clientAddress: '2001:db8::7',
    pathParameters: { id: '42' },
    claims: {
      '/sub': { value: 'u-1', isVerified: true },
      '/plan': { value: 'gold', isVerified: false },
      '/age': { value: 17, isVerified: true },
      '/staff': { value: true, isVerified: true },
    },
  };
  const matches = (rule: TargetingRule, parts: RequestParts = request) =>
    compileTargeting(rule).matches(requestOf(parts));

  test("the client's address and a parameter of the path", () => {
    expect(matches({ clientAddress: true, cidr: ['2001:db8::/32'] })).toBe(true);
    expect(matches({ clientAddress: true, cidr: ['::/0'] }, {})).toBe(false);
    expect(matches({ pathParameter: 'id', lt: 100 })).toBe(true);
    expect(matches({ pathParameter: 'ID', exists: true })).toBe(false);
  });

  test('a claim counts only when it is verified, unless the rule says otherwise', () => {
    expect(matches({ claim: '/sub', equals: 'u-1' })).toBe(true);
    expect(matches({ claim: '/plan', equals: 'gold' })).toBe(false);
    expect(matches({ claim: '/plan', equals: 'gold', verified: true })).toBe(false);
    expect(matches({ claim: '/plan', exists: true })).toBe(false);
    expect(matches({ claim: '/plan', equals: 'gold', verified: false })).toBe(true);
    expect(matches({ claim: '/sub', equals: 'u-1', verified: false })).toBe(true);
    expect(matches({ claim: '/nobody', exists: true, verified: false })).toBe(false);
  });

  test('numbers and booleans in claims are compared as JSON writes them', () => {
    expect(matches({ claim: '/age', lt: 18 })).toBe(true);
    expect(matches({ claim: '/age', equals: '17' })).toBe(true);
    expect(matches({ claim: '/staff', equals: 'true' })).toBe(true);
  });
});

test('every kind can be read as a sentence', () => {
  const sentences: [TargetingRule, string][] = [
    [{ header: 'x', suffix: 'a', ignoreCase: true }, 'header x suffix a (any case)'],
    [{ query: 'q', contains: 'a' }, 'query q contains a'],
    [{ header: 'x', exists: true }, 'header x present'],
    [{ header: 'x', exists: false }, 'header x absent'],
    [{ header: 'x', exists: false, not: true }, 'header x not absent'],
    [{ pathParameter: 'id', gt: 5 }, 'path parameter id greater than 5'],
    [{ claim: '/age', gte: 18 }, 'verified claim /age at least 18'],
    [{ claim: '/age', lt: 18, verified: false }, 'unverified claim /age less than 18'],
    [{ cookie: 'n', lte: 1.5 }, 'cookie n at most 1.5'],
    [{ cookie: 'n', between: [1, 2] }, 'cookie n between 1 and 2'],
    [{ header: 'x', before: '2026-03-01' }, 'header x before 2026-03-01T00:00:00.000Z'],
    [{ header: 'x', after: '2026-03-01T01:00+01:00' }, 'header x after 2026-03-01T00:00:00.000Z'],
    [{ header: 'x', semver: '^1.2.0' }, 'header x version in ^1.2.0'],
    [{ clientAddress: true, cidr: ['10.0.0.0/8'] }, 'client address in network [10.0.0.0/8]'],
    [
      { header: 'x', in: Array.from({ length: 12 }, (_, index) => `v${index}`) },
      'header x in [v0, v1, v2, v3, v4, v5, v6, v7, v8, v9 and 2 more]',
    ],
  ];
  for (const [rule, sentence] of sentences) expect(compileTargeting(rule).text).toBe(sentence);
});
