/** The files of token and sticky keys: which are refused, where it is said, and that a change of one is a reload. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { formatIssue } from '../../../src/config/issue.ts';
import { loadConfig } from '../../../src/control/source.ts';
import { ControlState } from '../../../src/control/state.ts';
import { type Signer, signerOf } from '../../support/tokens.ts';

const LONG = 'a secret of thirty-two characters or more';
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-ids-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function path(name: string, text?: string): string {
  const file = join(folder, name);
  if (text !== undefined) writeFileSync(file, text);
  return file;
}

function write(settings: object): string {
  const upstreams = { app: '127.0.0.1:9001' };
  return path('fairlead.yaml', JSON.stringify({ version: 1, upstreams, ...settings }));
}

function jwtWith(signer: Signer, text = signer.text): object {
  const file = path(signer.id, text);
  const key = signer.algorithm === 'HS256' ? { secretFile: file } : { publicKeyFile: file };
  return { identity: { jwt: { keys: [{ id: signer.id, algorithm: signer.algorithm, ...key }] } } };
}

/** What is said: `path: message`, files without their folder. */
async function said(settings: object): Promise<string[]> {
  const { issues } = await loadConfig({ file: write(settings), environment: {} });
  return issues.map((issue) =>
    formatIssue(issue)
      .replaceAll(`${folder}/`, '')
      .replace(/^[^ ]*:\d+:\d+: /, ''),
  );
}

describe('a key file', () => {
  test.each(['HS256', 'RS256', 'ES256', 'EdDSA'] as const)(
    'for %s is read, and watched',
    async (algorithm) => {
      const settings = jwtWith(signerOf(algorithm, 'k'));
      const { config, files } = await loadConfig({ file: write(settings), environment: {} });
      expect(config).not.toBeNull();
      expect(files).toEqual([path('fairlead.yaml'), path('k')]);
    },
  );

  test('that is not there, empty, too weak or another is refused at its place', async () => {
    const at = (text: string, algorithm: 'HS256' | 'EdDSA' = 'EdDSA') =>
      said(jwtWith(signerOf(algorithm, 'k'), text));
    expect(await at('')).toEqual([
      'identity.jwt.keys[0].publicKeyFile: the file k is empty; expected a secret in it',
    ]);
    expect(await at('short', 'HS256')).toEqual([
      'identity.jwt.keys[0].secretFile: the file k: the secret has 5 bytes; HS256 needs at least 32',
    ]);
    expect(await at(signerOf('RS256', 'r').text)).toEqual([
      'identity.jwt.keys[0].publicKeyFile: the file k: it is a key of the kind rsa; EdDSA needs ed25519',
    ]);
    expect(await at('secret nonsense')).toEqual([
      'identity.jwt.keys[0].publicKeyFile: the file k: it is no PEM public key (-----BEGIN PUBLIC KEY-----)',
    ]);
    const missing = { identity: { jwt: { jwksFile: path('absent') } } };
    expect(await said(missing)).toEqual(['identity.jwt.jwksFile: there is no file absent']);
  });

  test('with a JWK set says what is left out of it', async () => {
    const keys = [
      { kty: 'oct', alg: 'HS256', k: Buffer.from(LONG).toString('base64url') },
      { kty: 'RSA', use: 'enc' },
    ];
    const file = path('jwks.json', JSON.stringify({ keys }));
    expect(await said({ identity: { jwt: { jwksFile: file } } })).toEqual([
      'warning: identity.jwt.jwksFile: 1 of the keys in jwks.json are not for HS256, RS256, ES256 or EdDSA signatures and are left out',
    ]);
    path('jwks.json', JSON.stringify({ keys: [{ kty: 'OKP', crv: 'Ed25519', x: 'AAAA' }] }));
    expect(await said({ identity: { jwt: { jwksFile: file } } })).toEqual([
      'identity.jwt.jwksFile: the file jwks.json, key 1 that is used: it is damaged or of an unknown kind',
    ]);
  });

  test('for what is sticky has at least 32 bytes, white space around it apart', async () => {
    const keyFile = path('sticky', `${' '.repeat(40)}short\n`);
    expect(await said({ stickyKeys: [{ id: 'k1', keyFile }] })).toEqual([
      'stickyKeys[0].keyFile: the key has 5 bytes; it needs at least 32',
    ]);
    expect(await said({ stickyKeys: [{ id: 'k1', key: 'short' }] })).toEqual([
      'stickyKeys[0].key: the key has 5 bytes; it needs at least 32',
    ]);
    path('sticky', LONG);
    expect(await said({ stickyKeys: [{ id: 'k1', keyFile }] })).toEqual([]);
  });
});

describe('a reload', () => {
  test('takes a key file that changed, keeps the hash, and leaves a bad one where it is', async () => {
    const [first, second] = [signerOf('EdDSA', 'k'), signerOf('EdDSA', 'k')];
    const file = write(jwtWith(first));
    const control = await ControlState.open({ file, environment: {}, clock: systemClock, onEvent: () => {} });
    const materials = () => control.snapshot.identity?.verifier.keys.map(({ material }) => material);
    const { hash } = control.snapshot;
    expect(await control.reload('file')).toMatchObject({ ok: true, changed: false });
    path('k', second.text);
    expect(await control.reload('file')).toMatchObject({ ok: true, changed: true });
    expect(materials()).toEqual([second.settings.material]);
    expect(control.snapshot.hash).toBe(hash);
    path('k', 'half a fi');
    expect(await control.reload('file')).toMatchObject({ ok: false });
    expect(materials()).toEqual([second.settings.material]);
  });
});
