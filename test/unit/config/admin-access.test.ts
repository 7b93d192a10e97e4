import { describe, expect, test } from 'vitest';
import { configHash, redact } from '../../../src/config/hash.ts';
import { configOf, issuesOf, minimal, snapshotOf } from '../../support/config.ts';

const access = (...lines: string[]) => minimal('admin:', ...lines.map((line) => `  ${line}`));
const tokens = (...list: string[]) => access('tokens:', ...list.map((one) => `  - { ${one} }`));

describe('tokens of people', () => {
  test('are compiled with their roles; one whose file has not been read is nobody’s', () => {
    const { admin } = snapshotOf(
      tokens('name: alice, role: operator, token: t-1', 'name: bob, role: viewer, tokenFile: bob.token'),
    );
    expect(admin).toMatchObject({
      token: null,
      tokens: [{ name: 'alice', role: 'operator', token: 't-1' }],
      readRole: null,
      protectedRoutes: [],
    });
  });

  test.each([
    [
      'two roles of one person',
      tokens('name: a, role: viewer, token: t', 'name: a, role: admin, token: u'),
      'a is viewer already',
    ],
    [
      'the name of the shared one',
      tokens('name: token, role: admin, token: t'),
      'is what admin.token is called',
    ],
    ['a token and a file', tokens('name: a, role: admin, token: t, tokenFile: f'), 'one of the two'],
    ['neither', tokens('name: a, role: admin'), 'one of the two'],
    ['a role that there is not', tokens('name: a, role: root, token: t'), 'role'],
    ['reading that nobody could', access('readRole: viewer'), 'nobody could read'],
    ['a key twice', minimal('audit: { file: a, key: k, keyFile: f }'), 'key and keyFile are both given'],
  ])('%s: refused, without saying the secret', (_, text, said) => {
    expect(issuesOf(text).join('\n')).toContain(said);
  });

  test('of one who may change: a warning, where there are protected routes', () => {
    const text = `${tokens('name: alice, role: operator, token: t')}routes: [{ name: pay }]\nprotect: [pay]\n`;
    expect(issuesOf(text)).toEqual([
      expect.stringContaining('warning: protect: changes on protected routes need two people'),
    ]);
    expect(issuesOf(text.replace('admin:\n', 'admin:\n  token: shared\n'))).toEqual([]);
    expect(snapshotOf(text).admin.protectedRoutes).toEqual(['pay']);
  });

  test('and the key of the audit are neither shown nor hashed', () => {
    const config = configOf(
      `${tokens('name: alice, role: operator, token: t-1')}audit: { file: a, key: k-1 }\n`,
    );
    const other = configOf(
      `${tokens('name: alice, role: operator, token: t-2')}audit: { file: a, key: k-2 }\n`,
    );
    expect(JSON.stringify(redact(config))).not.toMatch(/t-1|k-1/);
    expect(redact(config)).toMatchObject({
      admin: { tokens: [{ name: 'alice', token: '[redacted]' }] },
      audit: { file: 'a', key: '[redacted]' },
    });
    expect(configHash(config)).toBe(configHash(other));
  });
});
