import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { exportJWK, importSPKI } from 'jose';
import { describe, expect, test } from 'vitest';
import { tokenIn } from '../../../src/identity/carrier.ts';
import { KEYS_MAX, readJwks } from '../../../src/identity/jwks.ts';
import { type Algorithm, makeKey } from '../../../src/identity/key.ts';
import { TokenVerifier } from '../../../src/identity/verifier.ts';
import { signerOf } from '../../support/tokens.ts';

function pemOf(pair: { publicKey: { export(options: object): string | Buffer } }): string {
  return String(pair.publicKey.export({ type: 'spki', format: 'pem' }));
}

function problemOf(algorithm: Algorithm, pem: string): string {
  try {
    makeKey({ id: 'k', algorithm, material: { kind: 'pem', pem } });
    return '';
  } catch (error) {
    expect(error).toBeInstanceOf(RangeError);
    return (error as Error).message;
  }
}

describe('a key', () => {
  const rsa1024 = pemOf(generateKeyPairSync('rsa', { modulusLength: 1024 }));
  const p384 = pemOf(generateKeyPairSync('ec', { namedCurve: 'P-384' }));
  const ed25519 = pemOf(generateKeyPairSync('ed25519'));

  test.each<[Algorithm, string, RegExp]>([
    ['RS256', rsa1024, /1024 bits; RS256 needs at least 2048/],
    ['RS256', ed25519, /kind ed25519; RS256 needs rsa/],
    ['ES256', p384, /secp384r1; ES256 needs P-256/],
    ['EdDSA', p384, /kind ec; EdDSA needs ed25519/],
    ['EdDSA', 'nonsense', /no PEM public key/],
  ])('for %s is refused when it is too weak or another', (algorithm, pem, message) => {
    expect(problemOf(algorithm, pem)).toMatch(message);
  });

  test('that is a private one is refused without a word of it', () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const pem = String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
    expect(problemOf('EdDSA', pem)).toBe(
      'it is a private key, which has no business here; take the public one',
    );
  });

  test('for HS256 has at least 32 bytes', () => {
    const make = (secret: string) => () =>
      makeKey({ id: 'k', algorithm: 'HS256', material: { kind: 'secret', secret } });
    expect(make('x'.repeat(31))).toThrow('31 bytes; HS256 needs at least 32');
    expect(make('x'.repeat(32))).not.toThrow();
  });
});

describe('a JWK set', () => {
  test('gives the keys that jose exports, and they verify', async () => {
    const signers = (['RS256', 'ES256', 'EdDSA'] as const).map((algorithm) => signerOf(algorithm, algorithm));
    const keys = await Promise.all(
      signers.map(async ({ id, algorithm, text }) => ({
        ...(await exportJWK(await importSPKI(text, algorithm))),
        kid: id,
      })),
    );
    const set = readJwks(JSON.stringify({ keys }));
    expect(set).toMatchObject({ skipped: 0, problem: null });
    const verifier = new TokenVerifier({ keys: set.keys, issuers: [], audiences: [], clockSkewMs: 0 });
    for (const signer of signers)
      expect(verifier.verify(await signer.sign({ sub: 'u1' }), 0).refusal).toBeNull();
  });

  test('leaves out what is for something else, and says how many', () => {
    const { keys, skipped } = readJwks(
      JSON.stringify({
        keys: [
          { kty: 'OKP', crv: 'Ed25519', x: 'AAAA', kid: 'a' },
          { kty: 'OKP', crv: 'Ed25519', x: 'AAAA', use: 'enc' },
          { kty: 'RSA', n: 'AA', e: 'AQAB', alg: 'RS512' },
          { kty: 'EC', crv: 'P-384', x: 'AA', y: 'AA' },
          { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA', key_ops: ['sign'] },
          { kty: 'oct', k: 'AAAA' },
          'text',
          null,
        ],
      }),
    );
    expect(keys.map(({ id, algorithm }) => [id, algorithm])).toEqual([['a', 'EdDSA']]);
    expect(skipped).toBe(7);
  });

  test('is a set with at least one key and not too many', () => {
    expect(readJwks('{').problem).toMatch(/no JWK set/);
    expect(readJwks('[]').problem).toMatch(/no JWK set/);
    expect(readJwks('{"keys":[]}').problem).toMatch(/no key for/);
    const many = new Array(KEYS_MAX + 1).fill({ kty: 'oct', alg: 'HS256', k: 'AAAA' });
    expect(readJwks(JSON.stringify({ keys: many })).problem).toMatch(/33 keys, more than 32/);
  });

  test('of anything at all is read or refused, with a sentence and no other failure', () => {
    const member = fc.oneof(
      fc.record(
        {
          kty: fc.constantFrom('RSA', 'EC', 'OKP', 'oct'),
          crv: fc.constantFrom('P-256', 'Ed25519', 'P-999'),
          alg: fc.constantFrom('HS256', 'RS256', 'ES256', 'EdDSA'),
          k: fc.oneof(fc.base64String(), fc.jsonValue()),
          x: fc.oneof(fc.base64String(), fc.jsonValue()),
          y: fc.oneof(fc.base64String(), fc.jsonValue()),
          n: fc.oneof(fc.base64String(), fc.jsonValue()),
          e: fc.oneof(fc.constant('AQAB'), fc.jsonValue()),
        },
        { requiredKeys: ['kty'] },
      ),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(fc.array(member, { maxLength: 4 }), (keys) => {
        for (const settings of readJwks(JSON.stringify({ keys })).keys) {
          try {
            makeKey(settings);
          } catch (error) {
            expect(error).toBeInstanceOf(RangeError);
          }
        }
      }),
      { numRuns: 500 },
    );
    fc.assert(fc.property(fc.string(), (text) => readJwks(text).problem !== null));
  });

  test('with a private key in it gives the public one', () => {
    const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
    const [settings] = readJwks(JSON.stringify({ keys: [jwk] })).keys;
    expect(makeKey(settings!).key.type).toBe('public');
  });
});

describe('the token of a request', () => {
  const fields = (headers: Record<string, string>, cookies: Record<string, string> = {}) => ({
    header: (name: string) => headers[name] ?? null,
    cookie: (name: string) => cookies[name] ?? null,
  });
  const authorization = { header: 'authorization', cookie: null };

  test.each([
    ['Bearer a.b.c', 'a.b.c'],
    ['bearer   a.b.c', 'a.b.c'],
    ['Basic dTpw', null],
    ['a.b.c', null],
    ['Bearer ', null],
    ['Bearer', null],
  ])('in Authorization: %s', (value, token) => {
    expect(tokenIn(authorization, fields({ authorization: value }))).toBe(token);
  });

  test('in another header stands alone or behind Bearer, and in a cookie alone', () => {
    const other = { header: 'x-token', cookie: null };
    expect(tokenIn(other, fields({ 'x-token': 'a.b.c' }))).toBe('a.b.c');
    expect(tokenIn(other, fields({ 'x-token': 'Bearer a.b.c' }))).toBe('a.b.c');
    expect(tokenIn(other, fields({}))).toBeNull();
    expect(tokenIn({ header: null, cookie: 'jwt' }, fields({}, { jwt: 'a.b.c' }))).toBe('a.b.c');
    expect(tokenIn({ header: null, cookie: 'jwt' }, fields({}, { jwt: '' }))).toBeNull();
  });
});
