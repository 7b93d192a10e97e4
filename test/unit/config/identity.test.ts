/** Units, tokens and sticky assignments in the configuration: what is compiled, what contradicts itself, what is shown. */
import { describe, expect, test } from 'vitest';
import { compile } from '../../../src/config/compile.ts';
import { configHash, redact } from '../../../src/config/hash.ts';
import { keyFiles, withKeyFiles } from '../../../src/config/key-files.ts';
import { EMPTY_RUNTIME } from '../../../src/config/runtime.ts';
import { configOf, issuesOf, minimal, snapshotOf, withExperiment } from '../../support/config.ts';

const JWT = 'identity: { jwt: { keys: [{ id: a, algorithm: EdDSA, publicKeyFile: /a.pem }] } }';
const STICKY_KEYS =
  'stickyKeys: [{ id: k1, keyFile: /k1 }, { id: k2, key: a-secret-in-place-that-is-long-enough }]';

function identity(text: string): string {
  return minimal(`identity: ${text}`);
}

function experiment(settings: string, ...lines: string[]): string {
  return withExperiment(settings) + lines.map((line) => `${line}\n`).join('');
}

describe('units', () => {
  test('are compiled as they are declared', () => {
    const unit =
      'unit: [{ path: id }, { claim: /a~1b }, { clientAddress: { v4: 24 } }, { clientAddress: true }, { cookie: sid }]';
    const { experiments } = snapshotOf(experiment(unit, JWT));
    expect(experiments.get('ranking')?.unit).toEqual([
      { kind: 'path', name: 'id' },
      { kind: 'claim', pointer: '/a~1b' },
      { kind: 'clientAddress', prefix4: 24, prefix6: 128 },
      { kind: 'clientAddress', prefix4: 32, prefix6: 128 },
      { kind: 'cookie', name: 'sid' },
    ]);
  });

  test.each([
    ['unit: [{ claim: sub }]', 'found "sub"; expected a JSON pointer such as /sub'],
    ['unit: [{ claim: /a~ }]', 'found "/a~"; expected a JSON pointer such as /sub'],
    ['unit: [{ path: "{id}" }]', 'found "{id}"; expected the name of a path parameter'],
    ['unit: [{ clientAddress: { v4: 33 } }]', 'found the number 33; expected at most 32'],
    ['unit: [{ clientAddress: false }]', 'found false; expected true'],
  ])('%s is a mistake', (unit, message) => {
    expect(issuesOf(experiment(unit)).join()).toContain(message);
  });

  test('by a claim that nothing verifies are a warning', () => {
    expect(issuesOf(experiment('unit: [{ claim: /sub }]')).join('\n')).toMatch(
      /warning: experiments.ranking.unit: identity.jwt is not configured/,
    );
    expect(issuesOf(experiment('unit: [{ claim: /sub }]', JWT)).join('\n')).not.toContain('identity.jwt');
  });

  test('by a path parameter that a route does not have are a warning at the route', () => {
    const text = (unit: string) =>
      experiment(
        `unit: ${unit}`,
        'routes:',
        '  - { name: user, match: { path: "/users/{id}/*" }, experiments: [ranking] }',
        '  - { name: rest, experiments: [ranking] }',
      );
    const said = (unit: string) => issuesOf(text(unit)).filter((issue) => issue.includes('path parameter'));
    expect(said('[{ path: id }]')).toEqual([
      '9:33: warning: routes[1].experiments[0]: the unit of "ranking" is the path parameter {id}, which the path of this route does not have, so there is never a unit here',
    ]);
    expect(said('[{ path: id }, { cookie: sid }]')[0]).toMatch(
      /so the next source is used here, which is another unit$/,
    );
    expect(said('[{ cookie: sid }]')).toEqual([]);
  });
});

describe('identity.jwt', () => {
  test('reads Authorization unless another place is named', () => {
    const place = (text: string) => {
      const found = snapshotOf(
        identity(`{ jwt: { ${text} keys: [{ id: a, algorithm: EdDSA, publicKeyFile: /a }] } }`),
      );
      return [found.identity?.header, found.identity?.cookie];
    };
    expect(place('')).toEqual(['authorization', null]);
    expect(place('header: X-Token,')).toEqual(['x-token', null]);
    expect(place('cookie: session,')).toEqual([null, 'session']);
    expect(snapshotOf(minimal()).identity).toBeNull();
  });

  test.each([
    ['{ jwt: {} }', 'neither keys nor jwksFile is given'],
    [
      '{ jwt: { jwksFile: /j, keys: [{ id: a, algorithm: HS256, secretFile: /s }] } }',
      'keys and jwksFile are both given',
    ],
    ['{ jwt: { jwksFile: /j, header: a, cookie: b } }', 'header and cookie are both given'],
    [
      '{ jwt: { keys: [{ id: a, algorithm: none, secretFile: /s }] } }',
      'found "none"; expected HS256 or RS256 or ES256 or EdDSA',
    ],
    [
      '{ jwt: { keys: [{ id: a, algorithm: RS256, secretFile: /s }] } }',
      'a key for RS256 has a publicKeyFile, and nothing else',
    ],
    [
      '{ jwt: { keys: [{ id: a, algorithm: HS256, publicKeyFile: /p }] } }',
      'a key for HS256 has a secretFile, and nothing else',
    ],
    [
      '{ jwt: { keys: [{ id: a, algorithm: HS256 }] } }',
      'a key for HS256 has a secretFile, and nothing else',
    ],
    ['{ jwt: { keys: [] } }', 'too short'],
    [
      '{ jwt: { keys: [{ id: a, algorithm: HS256, secretFile: /s }, { id: a, algorithm: HS256, secretFile: /t }] } }',
      '3:78: identity.jwt.keys[1].id: two keys have the id "a"',
    ],
  ])('%s is a mistake', (text, message) => {
    expect(issuesOf(identity(text)).join('\n')).toContain(message);
  });

  test('a key that is written where its file should be is not repeated', () => {
    const text =
      '{ jwt: { keys: [{ id: a, algorithm: EdDSA, publicKeyFile: "-----BEGIN PUBLIC KEY-----" }] } }';
    expect(issuesOf(identity(text))).toEqual([
      expect.stringMatching(/publicKeyFile: this is no file name; write the key into a file of its own/),
    ]);
    expect(issuesOf(identity(`{ jwt: { jwksFile: '{"keys":["s3cret"]}' } }`)).join()).not.toContain('s3cret');
  });
});

describe('sticky', () => {
  test('has its defaults, and the longest time of those that share a cookie', () => {
    const snapshot = snapshotOf(
      minimal(
        'experiments:',
        '  a: { sticky: {}, variants: { control: {}, b: { weight: 1% } } }',
        '  b: { sticky: { ttl: 60d, bucketVersion: 3, minBucketVersion: 2 }, variants: { control: {}, b: { weight: 1% } } }',
        '  c: { sticky: { header: X-Sticky }, variants: { control: {}, b: { weight: 1% } } }',
        '  d: { variants: { control: {}, b: { weight: 1% } } }',
        STICKY_KEYS,
      ),
    );
    const settings = (name: string) => snapshot.experiments.get(name)?.sticky;
    const day = 86_400_000;
    const cookie = { kind: 'cookie', name: 'fairlead_sticky' };
    expect(settings('a')).toEqual({ place: cookie, ttlMs: 30 * day, bucketVersion: 1, minBucketVersion: 1 });
    expect(settings('b')).toEqual({ place: cookie, ttlMs: 60 * day, bucketVersion: 3, minBucketVersion: 2 });
    expect(settings('c')?.place).toEqual({ kind: 'header', name: 'x-sticky' });
    expect(settings('d')).toBeNull();
    expect([...snapshot.stickyIssues.values()].map(({ place, ttlMs }) => [place.name, ttlMs / day])).toEqual([
      ['fairlead_sticky', 60],
      ['x-sticky', 30],
    ]);
  });

  test.each([
    ['{}', '', 'there are no stickyKeys to sign it with'],
    ['{ cookie: a, header: b }', STICKY_KEYS, 'cookie and header are both given'],
    ['{ minBucketVersion: 2 }', STICKY_KEYS, 'minBucketVersion 2 is above bucketVersion 1'],
    ['{ sameSite: none, secure: false }', STICKY_KEYS, 'browsers drop such a cookie'],
    ['{ path: "x" }', STICKY_KEYS, 'a path of a cookie begins with /'],
    ['{ path: "/;Domain=x" }', STICKY_KEYS, 'a path of a cookie begins with /'],
    ['{ domain: "a;b" }', STICKY_KEYS, 'this is no domain'],
    ['{ cookie: fairlead_override }', STICKY_KEYS, 'the cookie fairlead_override is that of overrides'],
    ['{ ttl: 0 }', STICKY_KEYS, 'ttl'],
  ])('%s is a mistake', (sticky, keys, message) => {
    expect(issuesOf(experiment(`sticky: ${sticky}`, keys)).join('\n')).toContain(message);
  });

  test('in one cookie has one set of attributes', () => {
    const two = (first: string, second: string) =>
      issuesOf(
        minimal(
          'experiments:',
          `  a: { sticky: ${first}, variants: { control: {}, b: { weight: 1% } } }`,
          `  b: { sticky: ${second}, variants: { control: {}, b: { weight: 1% } } }`,
          STICKY_KEYS,
        ),
      ).filter((issue) => issue.includes('sticky'));
    expect(two('{ secure: false }', '{}')[0]).toMatch(
      /^5:8: experiments.b.sticky: "a" keeps its assignments in the cookie fairlead_sticky as well/,
    );
    expect(two('{ secure: false }', '{ cookie: other }')).toEqual([]);
    expect(two('{ ttl: 1d }', '{ ttl: 2d }')).toEqual([]);
  });

  test.each([
    ['[{ id: a }]', 'neither key nor keyFile is given'],
    ['[{ id: a, key: b, keyFile: /c }]', 'key and keyFile are both given'],
    ['[{ id: "a:b", key: b }]', 'no name here'],
    ['[{ id: a, keyFile: /c }, { id: a, keyFile: /d }]', '3:44: stickyKeys[1].id: two keys have the id "a"'],
  ])('stickyKeys: %s is a mistake', (keys, message) => {
    expect(issuesOf(minimal(`stickyKeys: ${keys}`)).join('\n')).toContain(message);
  });

  test('a sticky key that is no text is not repeated', () => {
    expect(issuesOf(minimal('stickyKeys: [{ id: a, key: 20261121 }]')).join()).not.toContain('20261121');
  });
});

describe('keys', () => {
  const config = configOf(
    minimal(
      'identity: { jwt: { keys: [{ id: h, algorithm: HS256, secretFile: /h }, { id: e, algorithm: EdDSA, publicKeyFile: /e }] } }',
      STICKY_KEYS,
    ),
  );
  const read = withKeyFiles(config, (file) => ` <${file}>\n`);

  test('are found with their places, and read in', () => {
    expect(keyFiles(config).map(({ file, path }) => [file, path.join('.')])).toEqual([
      ['/h', 'identity.jwt.keys.0.secretFile'],
      ['/e', 'identity.jwt.keys.1.publicKeyFile'],
      ['/k1', 'stickyKeys.0.keyFile'],
    ]);
    const { identity: jwt, stickyKeys } = compile(read, EMPTY_RUNTIME, 1);
    expect(jwt?.verifier.keys.map(({ material }) => material)).toEqual([
      { kind: 'secret', secret: '</h>' },
      { kind: 'pem', pem: ' </e>\n' },
    ]);
    expect(stickyKeys).toEqual([
      { id: 'k1', secret: '</k1>' },
      { id: 'k2', secret: 'a-secret-in-place-that-is-long-enough' },
    ]);
  });

  test('are not shown and not hashed', () => {
    const shown = JSON.stringify(redact(read));
    expect(shown).toContain('[redacted]');
    for (const secret of ['</h>', '</e>', '</k1>', 'a-secret-in-place']) expect(shown).not.toContain(secret);
    expect(configHash(read)).toBe(
      configHash(
        withKeyFiles(
          config,
          () => 'other',
          () => 'another',
        ),
      ),
    );
  });

  test('in a JWK set are found likewise', () => {
    const set = configOf(minimal('identity: { jwt: { jwksFile: /j } }'));
    expect(keyFiles(set).map(({ file }) => file)).toEqual(['/j']);
    const text = JSON.stringify({ keys: [{ kty: 'OKP', crv: 'Ed25519', x: 'AAAA', kid: 'a' }] });
    const { identity: jwt } = compile(
      withKeyFiles(set, () => text),
      EMPTY_RUNTIME,
      1,
    );
    expect(jwt?.verifier.keys.map(({ id, algorithm }) => [id, algorithm])).toEqual([['a', 'EdDSA']]);
  });
});
