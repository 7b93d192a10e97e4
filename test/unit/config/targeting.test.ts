/** Targeting and segments in a configuration: every mistake has its place, and what is right is compiled. */
import { describe, expect, test } from 'vitest';
import { configHash, redact } from '../../../src/config/hash.ts';
import { configOf, issuesOf, minimal, snapshotOf, withExperiment } from '../../support/config.ts';
import { requestOf } from '../../support/experiment.ts';

/** The messages of a file whose one experiment has this targeting, without the place. */
function said(targeting: string, ...more: string[]): string[] {
  return issuesOf(withExperiment(`targeting: ${targeting}`) + more.map((line) => `${line}\n`).join(''));
}

/** The column of a piece of the targeting line. */
const columnOf = (targeting: string, piece: string): number =>
  `    targeting: ${targeting}`.indexOf(piece) + 1;

/** The line of the targeting: the first below the variants. */
const LINE =
  withExperiment('targeting: []')
    .split('\n')
    .findIndex((line) => line.includes('targeting')) + 1;

describe('a mistake is told with its place', () => {
  test.each([
    [
      'a pattern',
      '[{ all: [{ header: a, exists: true }, { not: { path: true, matches: "(?=a)" } }] }]',
      '"(?=a)"',
      'targeting[0].all[1].not.matches: pattern is not RE2',
    ],
    [
      'a range',
      '[{ header: v, semver: newest }]',
      'newest',
      'targeting[0].semver: "newest" is no range of versions',
    ],
    [
      'a date',
      '[{ any: [{ header: d, before: "2026-02-30" }] }]',
      '"2026-02-30"',
      'targeting[0].any[0].before: "2026-02-30" is no date',
    ],
    [
      'a network',
      '[{ clientAddress: true, cidr: ["::1", 10.0.0.0/99] }]',
      '10.0.0.0/99',
      'targeting[0].cidr[1]: "10.0.0.0/99" is no network',
    ],
    [
      'a range of numbers',
      '[{ header: n, between: [9, 1] }]',
      '[9, 1]',
      'targeting[0].between: from 9 to 1 there is nothing',
    ],
    [
      'a range of one',
      '[{ header: n, between: [9] }]',
      '[9]',
      'targeting[0].between: found a list that is too short; expected at least 2',
    ],
    [
      'a number in quotes',
      '[{ header: n, gt: "18" }]',
      '"18"',
      'targeting[0].gt: found "18"; expected a number',
    ],
    [
      'a pointer',
      '[{ claim: sub, exists: true }]',
      'sub',
      'targeting[0].claim: "sub" is no JSON pointer; write /sub',
    ],
    [
      'a misspelt key',
      '[{ all: [{ header: a, sufix: b }] }]',
      'sufix',
      'targeting[0].all[0].sufix: unknown key; did you mean "suffix"?',
    ],
    [
      'a misspelt segment',
      '[{ header: a, segment: bata }]',
      'bata',
      'targeting[0].segment: there is no segment "bata"; did you mean "beta"?',
    ],
    [
      'ids of nobody',
      '[{ segment: beta }]',
      'beta',
      'targeting[0].segment: the segment "beta" is a list of ids',
    ],
    [
      'an empty group',
      '[{ any: [] }]',
      '[] }',
      'targeting[0].any: found a list that is too short; expected at least 1 in it',
    ],
    ['not of text', '[{ not: header }]', 'header', 'targeting[0].not: found "header"; expected'],
  ])('%s', (_name, targeting, piece, message) => {
    const [first, ...others] = said(targeting, 'segments: { beta: { values: [u-1] } }').filter(
      (line) => !line.includes('warning'),
    );
    expect(others).toEqual([]);
    expect(first).toContain(`${LINE}:${columnOf(targeting, piece)}: experiments.ranking.${message}`);
  });

  test('in the rules of a segment as well', () => {
    const [first] = said(
      '[{ segment: s }]',
      'segments:',
      '  s: { rules: [{ any: [{ header: v, semver: "1.2.3.4" }] }] }',
    );
    expect(first).toMatch(/^\d+:\d+: segments\.s\.rules\[0\]\.any\[0\]\.semver: "1\.2\.3\.4" is no range/);
  });

  test('all of them are told, not only the first', () => {
    expect(said('[{ header: a, matches: "(" }, { header: b, semver: new }]')).toHaveLength(2);
  });
});

describe('a rule in vain is a warning', () => {
  test('about a claim, when no token is read', () => {
    expect(said('[{ claim: /sub, exists: true }]')).toEqual([
      `${LINE}:26: warning: experiments.ranking.targeting[0].claim: identity.jwt is not configured, so no token is read and there is never a claim`,
    ]);
  });

  test('about a path parameter that no route of the experiment has', () => {
    const text = (route: string, targeting = '[{ pathParameter: id, exists: true }]') =>
      `${withExperiment(`targeting: ${targeting}`)}routes: [{ name: a, match: { path: "${route}" }, experiments: [ranking] }, { name: b, match: { path: "/b/{id}" } }]\n`;
    expect(issuesOf(text('/users/{id}'))).toEqual([]);
    expect(issuesOf(text('/users/{name}'))).toEqual([
      `${LINE}:34: warning: experiments.ranking.targeting[0].pathParameter: no route of this experiment has {id} in its path`,
    ]);
    const segment = (name: string) =>
      `${text('/x', '[{ segment: s }]')}segments: { s: { rules: [{ pathParameter: ${name}, exists: true }] } }\n`;
    expect(issuesOf(segment('id'))).toEqual([]);
    expect(issuesOf(segment('name'))[0]).toContain(
      'warning: segments.s.rules[0].pathParameter: no route has {name}',
    );
  });
});

describe('segments', () => {
  test.each([
    ['none', '{}', 'found none; a segment is exactly one of values, hashedFile, rules'],
    ['two', '{ values: [a], hashedFile: b }', 'found values and hashedFile; a segment is exactly one of'],
    ['a key without a file', '{ values: [a], key: b }', 'a key is for a hashedFile, and there is none'],
    ['two keys', '{ hashedFile: a, key: b, keyFile: c }', 'key and keyFile are both given; keep one'],
    [
      'a bare number',
      '{ values: [17] }',
      'found something that is not text; expected text, so put it in quotes',
    ],
  ])('%s is refused', (_name, segment, message) => {
    expect(issuesOf(minimal(`segments: { s: ${segment} }`))[0]).toContain(message);
  });

  test('one that no rule names is a warning', () => {
    expect(issuesOf(minimal('segments: { s: { values: [a] } }'))).toEqual([
      '3:13: warning: segments.s: no rule names this segment',
    ]);
  });

  test('one that is made of itself is refused, however long the way', () => {
    const ring = [
      'segments:',
      '  a: { rules: [{ segment: b }] }',
      '  b: { rules: [{ any: [{ segment: a }] }] }',
    ];
    expect(said('[{ segment: a }]', ...ring)).toEqual([
      expect.stringMatching(/^\d+:3: segments\.a: this segment is made of itself, by way of its rules$/),
    ]);
    expect(said('[{ segment: a }]', 'segments: { a: { rules: [{ segment: a }] } }')[0]).toContain(
      'made of itself',
    );
  });

  test('may name one that comes later', () => {
    const snapshot = snapshotOf(
      `${withExperiment('targeting: [{ segment: late }]')}segments:\n  late: { rules: [{ segment: later }] }\n  later: { rules: [{ header: id, segment: ids }] }\n  ids: { values: [u-1] }\n`,
    );
    const [clause] = snapshot.experiments.get('ranking')!.targeting;
    expect(clause?.matches(requestOf({ headers: { id: 'u-1' } }))).toBe(true);
    expect(clause?.matches(requestOf({ headers: { id: 'u-2' } }))).toBe(false);
  });

  test('keys and ids are not shown, and keys are not hashed', () => {
    const text = (key: string, id: string) =>
      `${withExperiment('targeting: [{ header: a, segment: b }, { header: a, segment: c }]')}segments: { b: { hashedFile: f, key: ${key} }, c: { values: [${id}] } }\n`;
    const config = configOf(text('hunter2', 'ann@shop.example'));
    expect(JSON.stringify(redact(config))).not.toMatch(/hunter2|ann@shop/);
    expect(redact(config).segments).toMatchObject({
      b: { key: '[redacted]' },
      c: { values: ['[redacted]'] },
    });
    const hash = configHash(config);
    expect(configHash(configOf(text('other', 'ann@shop.example')))).toBe(hash);
    expect(configHash(configOf(text('hunter2', 'bob@shop.example')))).not.toBe(hash);
  });

  test('another content of a file is another configuration', () => {
    const config = configOf(
      `${withExperiment('targeting: [{ header: a, segment: b }]')}segments: { b: { hashedFile: f } }\n`,
    );
    const read = (sha256: string) => ({
      ...config,
      segments: { b: { hashedFile: { file: 'f', sha256, ids: new Uint32Array(2) } } },
    });
    expect(configHash(read('aa'))).not.toBe(configHash(read('bb')));
    expect(JSON.stringify(redact(read('aa')))).toContain('"ids":null');
  });
});

describe('the limits', () => {
  const nested = (depth: number): string =>
    depth === 1 ? '{ path: true, exists: true }' : `{ not: ${nested(depth - 1)} }`;

  test('eight deep is allowed and nine are not, segments included', () => {
    expect(said(`[${nested(8)}]`)).toEqual([]);
    expect(said(`[${nested(9)}]`)).toEqual([
      expect.stringMatching(
        /^\d+:5: experiments\.ranking\.targeting: rules are nested 9 deep.*the limit is 8$/,
      ),
    ]);
    const inside = said('[{ not: { not: { segment: s } } }]', `segments: { s: { rules: [${nested(6)}] } }`);
    expect(inside).toEqual([
      expect.stringContaining('experiments.ranking.targeting: rules are nested 9 deep'),
    ]);
  });

  test('deeper than any of it is answered too', () => {
    expect(said(`[${nested(14)}]`)).toHaveLength(1);
    expect(said(`[${nested(40)}]`)[0]).toContain('nested more than 32 deep');
  });

  test('1,000 rules are allowed and 1,001 are not, segments included', () => {
    const rules = (count: number) =>
      Array.from({ length: count }, () => '{ method: true, equals: GET }').join(', ');
    expect(said(`[${rules(1000)}]`)).toEqual([]);
    expect(said(`[{ any: [${rules(600)}] }, { all: [${rules(400)}] }]`)).toEqual([
      expect.stringMatching(
        /targeting: comes to 1002 rules, those of its segments included; the limit is 1000/,
      ),
    ]);
    // Each segment names the next four times.
    const four = (name: string) => Array.from({ length: 4 }, () => `{ segment: ${name} }`).join(', ');
    const chain = [1, 2, 3, 4].map((index) => `  s${index}: { rules: [${four(`s${index + 1}`)}] }`);
    const last =
      '  s5: { rules: [{ method: true, equals: GET }, { path: true, prefix: / }, { path: true, suffix: / }] }';
    expect(said('[{ segment: s1 }]', 'segments:', ...chain, last)).toEqual([
      expect.stringContaining('experiments.ranking.targeting: comes to 1109 rules, those of its segments'),
      expect.stringContaining('segments.s1.rules: comes to 1108 rules'),
    ]);
  });
});

describe('Vary', () => {
  test('has the headers of nested rules and of segments', () => {
    const text = `${withExperiment(
      'targeting: [{ any: [{ header: X-Plan, equals: gold }, { not: { header: x-bot, exists: true } }] }, { segment: eu }]',
    )}segments:\n  eu: { rules: [{ header: x-country, in: [DE] }, { segment: more }] }\n  more: { rules: [{ header: x-id, segment: ids }] }\n  ids: { values: [a] }\n`;
    expect(snapshotOf(text).routes.inbound.all[0]?.cache.vary?.split(', ')).toEqual(
      expect.arrayContaining(['x-plan', 'x-bot', 'x-country', 'x-id']),
    );
  });
});
