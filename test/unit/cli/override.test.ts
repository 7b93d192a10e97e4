/** `fairlead override`: what it prints where, which tokens it makes, and what it says of them. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { main } from '../../../src/main.ts';
import { readToken, signToken, verifyToken } from '../../../src/propagation/token.ts';
import { tokenKey, unitHash } from '../../../src/propagation/token-key.ts';

const SECRET = 'a secret that is long enough for it';
const key = tokenKey('2026-11', { kind: 'secret', text: SECRET });
let folder: string;
let config: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-override-'));
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  writeFileSync(join(folder, 'secret'), `${SECRET}\n`);
  writeFileSync(join(folder, 'short'), 'short');
  writeFileSync(join(folder, 'ed.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  writeFileSync(join(folder, 'ed.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
  config = join(folder, 'fairlead.yaml');
  writeFileSync(
    config,
    `version: 1
service: shop
upstreams: { app: "127.0.0.1:9001" }
tokens: { keys: [{ id: "2026-11", secretFile: ${join(folder, 'secret')} }, { id: ed, publicKeyFile: ${join(folder, 'ed.pub')} }] }
propagation: { overrideHeader: x-force }
experiments: { checkout: { variants: { control: {}, candidate: { weight: 10% } } } }
`,
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const io = {
    out: (text: string) => {
      out += text;
    },
    err: (text: string) => {
      err += text;
    },
    env: {},
    isTerminal: false,
  };
  return { code: await main(['override', ...argv], io), out, err };
}

describe('mint', () => {
  it('prints the token alone to stdout, and how to use it to stderr', async () => {
    const { code, out, err } = await run('mint', '-c', config, '--experiment', 'checkout=candidate');
    expect(code).toBe(0);
    const found = verifyToken(out.trim(), new Map([['2026-11', key]]));
    expect(found).toMatchObject({
      claims: {
        purpose: 'override',
        audience: '*',
        entries: [{ experiment: 'checkout', variant: 'candidate', epoch: 0, unit: '' }],
      },
    });
    expect(out).toMatch(/^fl1\.\S+\n$/);
    expect(err).toContain('-H "x-force: $TOKEN"');
    expect(err).toContain('fairlead_override=$TOKEN');
  });

  it('binds it to a unit, a service and a time, and prints none of the secret or the unit', async () => {
    const from = ['--key-file', join(folder, 'secret'), '--key-id', '2026-11'];
    const what = [
      '--experiment',
      'a=b',
      '--experiment',
      'c=d',
      '--unit',
      'user-17',
      '--service',
      'shop',
      '--ttl',
      '2m',
    ];
    const { code, out, err } = await run('mint', ...from, ...what, '-o', 'json');
    expect(code).toBe(0);
    const shown = JSON.parse(out);
    expect(shown).toMatchObject({
      key: '2026-11',
      experiments: { a: 'b', c: 'd' },
      isForOneUnit: true,
      audience: 'shop',
    });
    const { claims } = readToken(shown.token) as Exclude<ReturnType<typeof readToken>, string>;
    expect(claims.expiresS - claims.issuedS).toBe(120);
    expect(claims.entries[0]!.unit).toBe(unitHash(key, 'user-17'));
    expect(out + err).not.toMatch(/user-17|a secret/);
  });

  it('signs with an Ed25519 key', async () => {
    const from = ['--key-file', join(folder, 'ed.key'), '--key-id', 'ed'];
    const { out } = await run('mint', ...from, '--experiment', 'checkout=candidate');
    const inspected = await run('inspect', out.trim(), '-c', config);
    expect([inspected.code, inspected.out]).toEqual([0, expect.stringContaining('good')]);
  });

  it.each<[string, () => string[], number, string]>([
    ['no key', () => ['--experiment', 'a=b'], 2, 'name a key: --config FILE'],
    ['no experiment', () => ['-c', config], 2, "required option '--experiment"],
    ['no variant', () => ['-c', config, '--experiment', 'checkout'], 2, 'is no NAME=VARIANT'],
    [
      'a variant that is not there',
      () => ['-c', config, '--experiment', 'checkout=candidat'],
      2,
      'did you mean "candidate"?',
    ],
    [
      'an experiment that is not there',
      () => ['-c', config, '--experiment', 'chekout=candidate'],
      2,
      'did you mean "checkout"?',
    ],
    [
      'a key that only verifies',
      () => ['-c', config, '--key-id', 'ed', '--experiment', 'checkout=control'],
      2,
      'only verifies',
    ],
    [
      'a key id that is not there',
      () => ['-c', config, '--key-id', 'x', '--experiment', 'checkout=control'],
      2,
      'no key "x"',
    ],
    [
      'a key without an id',
      () => ['--key-file', join(folder, 'secret'), '--experiment', 'a=b'],
      2,
      'needs --key-id',
    ],
    [
      'a short secret',
      () => ['--key-file', join(folder, 'short'), '--key-id', 'k', '--experiment', 'a=b'],
      78,
      'has 5 bytes',
    ],
    [
      'a key file that is not there',
      () => ['--key-file', join(folder, 'no'), '--key-id', 'k', '--experiment', 'a=b'],
      78,
      'ENOENT',
    ],
    [
      'a life of a year',
      () => ['-c', config, '--experiment', 'checkout=control', '--ttl', '365d'],
      2,
      '--ttl',
    ],
    [
      'an experiment twice',
      () => ['-c', config, '--experiment', 'checkout=control', '--experiment', 'checkout=candidate'],
      2,
      'named twice',
    ],
  ])('refuses %s', async (_, argv, exit, message) => {
    const { code, out, err } = await run('mint', ...argv());
    expect([code, out]).toEqual([exit, '']);
    expect(err).toContain(message);
  });
});

describe('inspect', () => {
  const nowS = Math.floor(Date.now() / 1000);
  const token = (change: object = {}) =>
    signToken(
      {
        purpose: 'override',
        audience: 'shop',
        issuedS: nowS,
        expiresS: nowS + 3600,
        entries: [{ experiment: 'checkout', variant: 'candidate', epoch: 3, unit: unitHash(key, 'u-1') }],
        ...change,
      },
      key,
    )!;

  it('says what a token holds', async () => {
    const { code, out } = await run('inspect', token(), '-c', config);
    expect(code).toBe(0);
    for (const text of ['override', 'shop', '2026-11', 'checkout=candidate, for one unit, epoch 3', 'good'])
      expect(out).toContain(text);
  });

  it('says as JSON whether the signature was checked, and does not take that for granted without a key', async () => {
    const { code, out } = await run('inspect', token(), '-o', 'json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      isSignatureChecked: false,
      refusal: null,
      token: { key: '2026-11' },
    });
    expect((await run('inspect', token())).out).toContain('its signature was not checked');
  });

  it.each<[string, string, () => string[]]>([
    ['malformed', 'no token', () => ['x']],
    ['expired', 'it has expired', () => [token({ issuedS: 1, expiresS: 2 }), '-c', config]],
    ['wrong-audience', 'another service', () => [token(), '-c', config, '--service', 'prices']],
    ['unit', 'another unit', () => [token(), '-c', config, '--unit', 'u-2']],
    ['bad-signature', 'forged or changed', () => [changed(token()), '-c', config]],
    [
      'unknown-key',
      'none of the keys',
      () => [token(), '--key-file', join(folder, 'secret'), '--key-id', 'other'],
    ],
  ])('says why it would be refused: %s', async (reason, sentence, argv) => {
    const { code, out } = await run('inspect', ...argv());
    expect(code).toBe(1);
    expect(out).toContain(`refused (${reason})`);
    expect(out).toContain(sentence);
  });
});

/** The same token with another signature. */
function changed(token: string): string {
  const at = token.lastIndexOf('.') + 1;
  return token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
}
