/** Trust, tokens and internal hosts in the configuration: what is accepted, what is warned of, and what stays secret. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compile } from '../../../src/config/compile.ts';
import { configHash, redact } from '../../../src/config/hash.ts';
import { formatIssue } from '../../../src/config/issue.ts';
import { EMPTY_RUNTIME } from '../../../src/config/runtime.ts';
import { withTokenText } from '../../../src/config/tokens.ts';
import { restartNeeded } from '../../../src/control/comparison.ts';
import { loadConfig } from '../../../src/control/source.ts';
import { configOf, issuesOf, minimal, snapshotOf } from '../../support/config.ts';

const EXPERIMENT =
  'experiments: { a: { owner: o, hypothesis: h, successCriteria: s, rollbackPlan: r, variants: { control: {}, candidate: { weight: 1% } } } }';
const TOKENS = 'tokens: { keys: [{ id: k1, secretFile: /s }] }';
const listener = (more: string) => `listeners: [{ name: in, address: "0.0.0.0:80"${more} }]`;

describe('a listener that says nothing of trust', () => {
  test('is warned of with what to write, where strangers may reach it and there is something to choose', () => {
    expect(issuesOf(minimal(listener(''), EXPERIMENT))).toEqual([
      '3:13: warning: listeners[0]: whoever reaches 0.0.0.0:80 may choose variants; write trust: { context: none } where strangers do, and trust: { context: any } where only your own services do',
    ]);
  });

  test.each([
    ['on loopback', listener('').replace('0.0.0.0', '127.0.0.1'), EXPERIMENT],
    ['on a unix socket', 'listeners: [{ name: in, address: "unix:/run/a.sock" }]', EXPERIMENT],
    ['without experiments', listener(''), ''],
    ['that says who it believes', listener(', trust: { context: any }'), EXPERIMENT],
  ])('is not warned of %s', (_, listeners, experiments) => {
    expect(issuesOf(minimal(listeners, experiments))).toEqual([]);
  });
});

describe('trust', () => {
  test('of overrides is that of the context unless given', () => {
    const both = snapshotOf(minimal(listener(', trust: { context: none }'))).listeners[0]!.trust;
    expect(both.overrides).toBe(both.context);
    expect(both.context).toEqual({
      isEveryone: false,
      addresses: null,
      identities: [],
      isTokenEnough: false,
    });
    const apart = snapshotOf(minimal(listener(', trust: { context: any, overrides: token }'), TOKENS))
      .listeners[0]!.trust;
    expect([apart.context.isEveryone, apart.overrides.isEveryone, apart.overrides.isTokenEnough]).toEqual([
      true,
      false,
      true,
    ]);
  });

  test('by address takes ranges and single addresses of both families', () => {
    const { context } = snapshotOf(
      minimal(listener(', trust: { context: { cidrs: [10.0.0.0/8, 192.0.2.1, "2001:db8::/32"] } }')),
    ).listeners[0]!.trust;
    const has = (address: string) => context.addresses!.has(address);
    expect([has('10.9.9.9'), has('192.0.2.1'), has('192.0.2.2')]).toEqual([true, true, false]);
    expect([has('2001:db8:1::'), has('2001:db9::')]).toEqual([true, false]);
  });

  test('by address believes no IPv4 client for a range of IPv6', () => {
    const { context } = snapshotOf(minimal(listener(', trust: { context: { cidrs: ["::/0"] } }')))
      .listeners[0]!.trust;
    const has = (address: string) => context.addresses!.has(address);
    expect([has('2001:db8::1'), has('10.9.9.9'), has('::ffff:10.9.9.9')]).toEqual([true, false, false]);
  });

  test.each([
    ['{ cidrs: [10.0.0.0/33] }', '"10.0.0.0/33" is no range of addresses'],
    ['{ cidrs: [example.com] }', '"example.com" is no range of addresses'],
    ['{ cidrs: ["10.0.0.0/8/8"] }', 'is no range of addresses'],
    ['{ identities: [spiffe://a] }', 'this listener asks for no client certificates'],
    ['{ token: true }', 'there is no key to verify them: add tokens.keys'],
    ['token', 'there is no key to verify them: add tokens.keys'],
    ['everyone', 'found "everyone"; expected any or none or token'],
    ['{}', 'warning: listeners[0].trust.context: this is nobody; write none'],
    ['{ cidr: [] }', 'unknown key; did you mean "cidrs"?'],
  ])('%s: %s', (rule, message) => {
    expect(issuesOf(minimal(listener(`, trust: { context: ${rule} }`))).join('\n')).toContain(message);
  });

  test('is taken up by a reload, and needs no restart', () => {
    const before = configOf(minimal(listener('')));
    expect(restartNeeded(before, configOf(minimal(listener(', trust: { context: none }'))))).toEqual([]);
  });
});

describe('tokens', () => {
  test.each([
    ['keys: []', 'expected at least 1'],
    ['keys: [{ id: k1 }]', 'a key has exactly one of secretFile, privateKeyFile and publicKeyFile'],
    ['keys: [{ id: k1, secretFile: /s, publicKeyFile: /p }]', 'a key has exactly one of'],
    ['keys: [{ id: k1, algorithm: ed25519, secretFile: /s }]', 'a key with a secretFile is not of ed25519'],
    ['keys: [{ id: "a b", secretFile: /s }]', 'is no key id'],
    ['keys: [{ id: k1, secretFile: /s }, { id: k1, secretFile: /t }]', 'two keys are called "k1"'],
    ['keys: [{ id: k1, secretFile: /s }], ttl: 2d', 'expected from 1s to 24h'],
    ['keys: [{ id: k1, secretFile: /s }], ttl: 100ms', 'expected from 1s to 24h'],
  ])('{ %s }: %s', (text, message) => {
    expect(issuesOf(minimal(`tokens: { ${text} }`)).join('\n')).toContain(message);
  });

  test('are needed to sign, and the first must be able to', () => {
    expect(issuesOf(minimal('propagation: { sign: true }')).join()).toContain('there is no key to sign with');
    expect(
      issuesOf(
        minimal('propagation: { sign: true }', 'tokens: { keys: [{ id: k, publicKeyFile: /p }] }'),
      ).join(),
    ).toContain('this one is a public key, which only verifies');
  });

  test('a key in the place of its file name is refused, and not repeated', () => {
    const [issue] = issuesOf(
      minimal('tokens: { keys: [{ id: k, privateKeyFile: "-----BEGIN PRIVATE KEY-----" }] }'),
    );
    expect(issue).toContain('this is no file name');
    expect(issue).not.toContain('BEGIN');
  });

  test('are in no hash and no dump, and another secret is the same configuration with another key', () => {
    const config = configOf(minimal(TOKENS));
    const read = (secret: string) => withTokenText(config, () => secret);
    const one = read('a secret that is long enough for it');
    const other = read('one more secret, and long enough too');
    expect(configHash(one)).toBe(configHash(other));
    expect(JSON.stringify(redact(one))).not.toContain('a secret that');
    expect(JSON.stringify(redact(one))).toContain('[redacted]');
    expect(compile(one, EMPTY_RUNTIME, 1).tokens).toMatchObject({
      ttlS: 3600,
      skewS: 30,
      keys: [{ id: 'k1' }],
    });
  });
});

describe('the files of keys', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'fairlead-keys-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  async function issuesWith(content: string | null): Promise<string[]> {
    const [file, key] = [join(folder, 'fairlead.yaml'), join(folder, 'key')];
    rmSync(key, { force: true });
    if (content !== null) writeFileSync(key, content);
    writeFileSync(file, minimal(`tokens: { keys: [{ id: k1, secretFile: ${key} }] }`));
    const { config, issues, files } = await loadConfig({ file, environment: {} });
    expect(files).toContain(key);
    expect(config === null).toBe(issues.length > 0);
    return issues.map(formatIssue);
  }

  test('are read, watched and checked, and no message holds any of them', async () => {
    expect(await issuesWith('a secret that is long enough for it\n')).toEqual([]);
    expect((await issuesWith(null)).join()).toContain('there is no file');
    expect((await issuesWith('')).join()).toContain('is empty');
    const [short] = await issuesWith('hunter2');
    expect(short).toContain('tokens.keys[0].secretFile');
    expect(short).toContain('has 7 bytes, and at least 32 are needed');
    expect(short).not.toContain('hunter2');
  });
});

describe('internal hosts', () => {
  const outbound = 'listeners: [{ name: out, address: "127.0.0.1:80", direction: outbound }]';

  test('that are not named are warned of where calls are seen', () => {
    expect(issuesOf(minimal(outbound, EXPERIMENT)).join()).toContain(
      'name your own as propagation.internalHosts',
    );
    expect(issuesOf(minimal(outbound, EXPERIMENT, 'propagation: { internalHosts: [] }'))).toEqual([]);
    expect(issuesOf(minimal(outbound))).toEqual([]);
  });

  test('are hosts as routes have them', () => {
    expect(issuesOf(minimal(outbound, 'propagation: { internalHosts: ["http://a"] }')).join()).toContain(
      'is a URL',
    );
    const { internalHosts } = snapshotOf(
      minimal(outbound, 'propagation: { internalHosts: ["*.Svc", a] }'),
    ).propagation;
    expect([internalHosts!.has('x.svc:80'), internalHosts!.has('A'), internalHosts!.has('b')]).toEqual([
      true,
      true,
      false,
    ]);
  });

  test('without an outbound listener keep nothing in, and that is said', () => {
    expect(issuesOf(minimal('propagation: { internalHosts: [a] }')).join()).toContain(
      'there is no outbound listener',
    );
  });
});
