import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { importSPKI, jwtVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import type { Algorithm } from '../../../src/identity/key.ts';
import { TOKEN_MAX_CHARS } from '../../../src/identity/token.ts';
import { INVALID_MAX, TokenVerifier, type VerifierSettings } from '../../../src/identity/verifier.ts';
import { rawToken, type Signer, signerOf } from '../../support/tokens.ts';

const NOW_MS = 1_800_000_000_000;
const NOW_S = NOW_MS / 1000;
const signers: Record<Algorithm, Signer> = {
  HS256: signerOf('HS256', 'hs'),
  RS256: signerOf('RS256', 'rs'),
  ES256: signerOf('ES256', 'es'),
  EdDSA: signerOf('EdDSA', 'ed'),
};
const ALL = Object.values(signers);

function verifierOf(settings: Partial<VerifierSettings> = {}): TokenVerifier {
  return new TokenVerifier({
    keys: ALL.map((signer) => signer.settings),
    issuers: [],
    audiences: [],
    clockSkewMs: 60_000,
    ...settings,
  });
}

function refusalOf(token: string, settings: Partial<VerifierSettings> = {}) {
  return verifierOf(settings).verify(token, NOW_MS).refusal;
}

describe.each(ALL)('$algorithm', (signer) => {
  test('a token that jose signed is valid, and its claims are verified', async () => {
    const token = await signer.sign({ sub: 'u1', exp: NOW_S + 60, org: { id: 7 }, beta: true });
    const verdict = verifierOf().verify(token, NOW_MS);
    expect(verdict.refusal).toBeNull();
    expect(verdict.claim('/sub')).toEqual({ value: 'u1', isVerified: true });
    expect(verdict.claim('/org/id')).toEqual({ value: 7, isVerified: true });
    expect(verdict.claim('/beta')).toEqual({ value: true, isVerified: true });
    expect([verdict.claim('/org'), verdict.claim('/nothing'), verdict.claim('/__proto__')]).toEqual([
      null,
      null,
      null,
    ]);
  });

  test('no token with a changed character is valid', async () => {
    const token = await signer.sign({ sub: 'u1' });
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.';
    const verifier = verifierOf();
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.constantFrom(...alphabet), (at, character) => {
        fc.pre(token[at] !== character);
        const changed = token.slice(0, at) + character + token.slice(at + 1);
        expect(verifier.verify(changed, NOW_MS).refusal).not.toBeNull();
      }),
      { numRuns: 300 },
    );
  });

  test('a token of another key with the same id has a wrong signature', async () => {
    const impostor = signerOf(signer.algorithm, signer.id);
    expect(refusalOf(await impostor.sign({ sub: 'u1' }))).toBe('signature');
  });

  test('a token without a key id is tried with every key of its algorithm', async () => {
    expect(refusalOf(await signer.sign({ sub: 'u1' }, { kid: undefined }))).toBeNull();
  });

  test('an empty or short signature is wrong and no failure', async () => {
    const [head, body] = (await signer.sign({ sub: 'u1' })).split('.');
    expect(refusalOf(`${head}.${body}.`)).toBe('malformed');
    expect(refusalOf(`${head}.${body}.AA`)).toBe('signature');
    expect(refusalOf(`${head}.${body}.${Buffer.alloc(64).toString('base64url')}`)).toBe('signature');
  });
});

describe('the algorithm', () => {
  test('none is refused in every spelling', () => {
    for (const alg of ['none', 'None', 'NONE', '']) {
      expect(refusalOf(rawToken({ alg }, { sub: 'u1' }, ''))).toBe('malformed');
      expect(refusalOf(rawToken({ alg }, { sub: 'u1' }, 'AAAA'))).toBe('algorithm');
      expect(refusalOf(rawToken({ alg, kid: 'hs' }, { sub: 'u1' }, 'AAAA'))).toBe('algorithm');
    }
  });

  test('a public RSA key is no HMAC secret', async () => {
    const { RS256 } = signers;
    const header = { alg: 'HS256', kid: 'rs' };
    const unsigned = rawToken(header, { sub: 'admin' }, '');
    for (const secret of [RS256.text, RS256.text.trim()]) {
      const signature = createHmac('sha256', secret).update(unsigned.slice(0, -1)).digest();
      const forged = unsigned + signature.toString('base64url');
      expect(refusalOf(forged)).toBe('algorithm');
      expect(refusalOf(forged, { keys: [RS256.settings] })).toBe('algorithm');
    }
    // The forger was right about how that would be done.
    expect(refusalOf(await RS256.sign({ sub: 'u1' }))).toBeNull();
  });

  test('a key is for its own algorithm only, whatever the token says', async () => {
    const token = await signers.ES256.sign({ sub: 'u1' }, { kid: 'rs' });
    expect(refusalOf(token)).toBe('algorithm');
  });

  test('Ed25519 may be called by its new name', async () => {
    const { EdDSA } = signers;
    const token = await EdDSA.sign({ sub: 'u1' }, { alg: 'Ed25519' });
    expect(refusalOf(token)).toBeNull();
  });

  test('an unknown key id is said to be one', async () => {
    expect(refusalOf(await signers.HS256.sign({ sub: 'u1' }, { kid: 'gone' }))).toBe('unknown-key');
  });
});

describe('what a token says of itself', () => {
  const { EdDSA } = signers;
  const claims = async (payload: Record<string, unknown>, settings: Partial<VerifierSettings> = {}) =>
    refusalOf(await EdDSA.sign(payload), settings);

  test('exp and nbf, with the skew of the clocks to either side', async () => {
    expect(await claims({ exp: NOW_S - 59 })).toBeNull();
    expect(await claims({ exp: NOW_S - 60 })).toBe('expired');
    expect(await claims({ nbf: NOW_S + 60 })).toBeNull();
    expect(await claims({ nbf: NOW_S + 61 })).toBe('not-yet-valid');
    expect(await claims({ exp: NOW_S - 1 }, { clockSkewMs: 0 })).toBe('expired');
    expect(await claims({ exp: NOW_S + 0.5 }, { clockSkewMs: 0 })).toBeNull();
  });

  test.each([
    ['exp', '1'],
    ['exp', null],
    ['nbf', '1'],
    ['nbf', {}],
  ])('%s that is %o is malformed', async (name, value) => {
    // jose would not sign this.
    const text = rawToken({ alg: 'HS256', kid: 'hs' }, { [name as string]: value }, '');
    const signature = createHmac('sha256', signers.HS256.text).update(text.slice(0, -1)).digest('base64url');
    expect(refusalOf(text + signature)).toBe('malformed');
  });

  test('iss and aud', async () => {
    const settings = { issuers: ['https://a', 'https://b'], audiences: ['shop', 'cart'] };
    expect(await claims({ iss: 'https://b', aud: 'shop' }, settings)).toBeNull();
    expect(await claims({ iss: 'https://b', aud: ['x', 'cart'] }, settings)).toBeNull();
    expect(await claims({ iss: 'https://c', aud: 'shop' }, settings)).toBe('issuer');
    expect(await claims({ aud: 'shop' }, settings)).toBe('issuer');
    expect(await claims({ iss: 'https://a', aud: 'x' }, settings)).toBe('audience');
    expect(await claims({ iss: 'https://a', aud: [] }, settings)).toBe('audience');
    expect(await claims({ iss: 'https://a' }, settings)).toBe('audience');
  });

  test('a critical extension is refused, since it is not known', async () => {
    const token = rawToken({ alg: 'EdDSA', kid: 'ed', crit: ['b64'], b64: false }, { sub: 'u1' }, 'AAAA');
    expect(refusalOf(token)).toBe('malformed');
  });

  test('the claims of a token that is not valid can be read, and are not verified', async () => {
    const verdict = verifierOf().verify(await EdDSA.sign({ sub: 'u1', exp: 1 }), NOW_MS);
    expect(verdict.claim('/sub')).toEqual({ value: 'u1', isVerified: false });
  });
});

describe('the memory', () => {
  test('a token expires while it is remembered', async () => {
    const verifier = verifierOf();
    const token = await signers.HS256.sign({ sub: 'u1', exp: NOW_S + 10 });
    const first = verifier.verify(token, NOW_MS);
    expect(first.refusal).toBeNull();
    expect(verifier.verify(token, NOW_MS + 69_999)).toBe(first);
    expect(verifier.verify(token, NOW_MS + 70_000).refusal).toBe('expired');
  });

  test('a token begins to be valid while it is remembered', async () => {
    const verifier = verifierOf();
    const token = await signers.HS256.sign({ sub: 'u1', nbf: NOW_S + 61 });
    expect(verifier.verify(token, NOW_MS).refusal).toBe('not-yet-valid');
    expect(verifier.verify(token, NOW_MS + 1000).refusal).toBeNull();
  });

  test('made-up tokens push out no valid one', async () => {
    const verifier = verifierOf();
    const token = await signers.HS256.sign({ sub: 'u1' });
    const first = verifier.verify(token, NOW_MS);
    for (let i = 0; i <= INVALID_MAX; i++) verifier.verify(`a.b.${i}`, NOW_MS);
    expect(verifier.verify(token, NOW_MS)).toBe(first);
  });

  test('a token that is too long is not read, hashed or kept', async () => {
    const padding = 'x'.repeat(TOKEN_MAX_CHARS);
    const token = await signers.HS256.sign({ sub: 'u1', padding });
    expect(refusalOf(token)).toBe('too-long');
  });
});

test('whatever the text, there is an answer, and it is that of jose', async () => {
  const { EdDSA } = signers;
  const key = await importSPKI(EdDSA.text, 'EdDSA');
  const valid = await EdDSA.sign({ sub: 'u1' });
  const verifier = verifierOf({ keys: [EdDSA.settings] });
  const part = fc.oneof(fc.constantFrom(...valid.split('.')), fc.base64String(), fc.string());
  await fc.assert(
    fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 4 }), async (parts) => {
      const text = parts.join('.');
      const isValid = await jwtVerify(text, key).then(
        () => true,
        () => false,
      );
      expect(verifier.verify(text, NOW_MS).refusal === null).toBe(isValid);
    }),
    { numRuns: 300 },
  );
});
