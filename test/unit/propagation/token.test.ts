/** Signed tokens: what is believed, what is not, and that every bit counts. */
import { createHmac, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isTokenText,
  readToken,
  refusalOf,
  signToken,
  TOKEN_MAX_BYTES,
  type TokenClaims,
  verifyToken,
} from '../../../src/propagation/token.ts';
import { type TokenKey, tokenKey, unitHash } from '../../../src/propagation/token-key.ts';

const hmac = tokenKey('2026-11', { kind: 'secret', text: '0123456789abcdef0123456789abcdef' });
const pair = generateKeyPairSync('ed25519');
const privatePem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
const publicPem = pair.publicKey.export({ type: 'spki', format: 'pem' }) as string;
const ed25519 = tokenKey('ed', { kind: 'private', text: privatePem });
const publicOnly = tokenKey('ed', { kind: 'public', text: publicPem });

const keys = (...all: TokenKey[]) => new Map(all.map((key) => [key.id, key]));
const claims: TokenClaims = {
  purpose: 'context',
  audience: '*',
  issuedS: 1_800_000_000,
  expiresS: 1_800_003_600,
  entries: [
    { experiment: 'checkout', variant: 'candidate', epoch: 3, unit: unitHash(hmac, 'u-17') },
    { experiment: 'search', variant: 'control', epoch: 0, unit: '' },
  ],
};

describe('a token', () => {
  it.each([
    ['HMAC-SHA-256', hmac, hmac],
    ['Ed25519', ed25519, publicOnly],
  ])('of %s says what it was made of, to whoever can verify it', (_, signing, verifying) => {
    const token = signToken(claims, signing)!;
    expect(isTokenText(token)).toBe(true);
    expect(verifyToken(token, keys(verifying))).toEqual({ claims, key: verifying });
    expect(token).toMatch(/^fl1\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/);
  });

  it('is the same text for the same claims and key: here one that another language has made', () => {
    // Python: hmac.new(secret, signed, 'sha256'), base64url without padding.
    const one: TokenClaims = {
      ...claims,
      entries: [{ experiment: 'checkout', variant: 'candidate', epoch: 1, unit: '' }],
    };
    expect(signToken(one, hmac)).toBe(
      'fl1.2026-11.WyJjb250ZXh0IiwiKiIsMTgwMDAwMDAwMCwxODAwMDAzNjAwLFtbImNoZWNrb3V0IiwiY2FuZGlkYXRlIiwxLCIiXV1d.R8zKR_eeTulI3j3Fl6Jh3fnkdVz87YOxPscTIQfa3hk',
    );
  });

  it('of another key is refused, and so is one whose key is not known', () => {
    const token = signToken(claims, hmac)!;
    const other = tokenKey('2026-11', { kind: 'secret', text: 'another secret of thirty-two bytes' });
    expect(verifyToken(token, keys(other))).toBe('bad-signature');
    expect(verifyToken(token, keys(ed25519))).toBe('unknown-key');
  });

  it('of an algorithm is not believed under a key of another one with the same id', () => {
    const asHmac = tokenKey('ed', { kind: 'secret', text: publicPem.replaceAll(/-----[^-]*-----|\n/g, '') });
    expect(verifyToken(signToken(claims, asHmac)!, keys(publicOnly))).toBe('bad-signature');
  });

  it('does not fit when it would be longer than 4 KiB', () => {
    const entries = Array.from({ length: 64 }, (_, n) => ({
      experiment: `experiment-with-a-name-that-is-rather-long-${n}`,
      variant: 'candidate',
      epoch: 0,
      unit: '',
    }));
    expect(signToken({ ...claims, entries }, hmac)).toBeNull();
    expect(verifyToken(`fl1.2026-11.${'a'.repeat(TOKEN_MAX_BYTES)}.b`, keys(hmac))).toBe('too-large');
  });

  it.each<[string, Partial<TokenClaims>]>([
    ['no experiment', { entries: [] }],
    ['an experiment twice', { entries: [claims.entries[0]!, claims.entries[0]!] }],
    ['no life', { expiresS: claims.issuedS }],
    ['a fraction of a second', { issuedS: 1.5 }],
    ['an audience that is no name', { audience: 'a b' }],
    ['a variant that is no name', { entries: [{ ...claims.entries[1]!, variant: 'é' }] }],
    ['a unit that is not hashed', { entries: [{ ...claims.entries[1]!, unit: 'u-17' }] }],
  ])('with %s is not made', (_, wrong) => {
    expect(() => signToken({ ...claims, ...wrong }, hmac)).toThrow(RangeError);
  });

  it('is not made by a key that only verifies', () => {
    expect(() => signToken(claims, publicOnly)).toThrow('only verifies');
  });
});

describe('every bit of a token', () => {
  it.each([
    ['HMAC-SHA-256', hmac],
    ['Ed25519', ed25519],
  ])('of %s counts', (_, key) => {
    const data = Buffer.from(signToken(claims, key)!, 'latin1');
    for (let bit = 0; bit < data.length * 8; bit++) {
      data[bit >> 3]! ^= 1 << (bit & 7);
      expect(verifyToken(data.toString('latin1'), keys(key)), `bit ${bit}`).toBeTypeOf('string');
      data[bit >> 3]! ^= 1 << (bit & 7);
    }
    expect(verifyToken(data.toString('latin1'), keys(key))).toBeTypeOf('object');
  });

  it('counts when it is signed as well: claims that say the same in other words are refused', () => {
    const payload = (text: string) => signed(`fl1.2026-11.${Buffer.from(text).toString('base64url')}`);
    const text = JSON.stringify(['context', '*', 1, 2, [['a', 'b', 0, '']]]);
    expect(verifyToken(payload(text), keys(hmac))).toBeTypeOf('object');
    for (const other of [
      ` ${text}`,
      text.replace('"a"', '"\\u0061"'),
      text.replace(',1,', ',1.0,'),
      text.replace(',1,', ',1e0,'),
      text.replace('0,""', '-0,""'),
      text.replace('""]', '"",1]'),
      text.replace(']]]', ']],1]'),
      text.replace('"context"', '"other"'),
      text.replace('[["a"', '[[["a"]'),
      '{}',
      'null',
      '[',
    ])
      expect(verifyToken(payload(other), keys(hmac)), other).toBe('malformed');
  });
});

describe('whatever is sent as a token', () => {
  it('is refused and never throws', () => {
    const piece = fc.oneof(fc.string(), fc.base64String(), fc.constantFrom('fl1', '2026-11', 'ed', ''));
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.array(piece, { maxLength: 6 }).map((parts) => parts.join('.')),
    );
    fc.assert(
      fc.property(text, (token) => {
        expect(verifyToken(token, keys(hmac, ed25519))).toBeTypeOf('string');
        readToken(token);
      }),
    );
  });

  it('reads back what any claims say', () => {
    const entry = fc.record({
      experiment: fc.stringMatching(/^[a-z][a-z0-9_.-]{0,20}$/),
      variant: fc.stringMatching(/^[A-Za-z][A-Za-z0-9_.-]{0,20}$/),
      epoch: fc.nat(),
      unit: fc.oneof(fc.constant(''), fc.stringMatching(/^[A-Za-z0-9_-]{22}$/)),
    });
    const any = fc.record({
      purpose: fc.constantFrom('context' as const, 'override' as const),
      audience: fc.constantFrom('*', 'shop', 'a.b-c_d'),
      issuedS: fc.nat(),
      expiresS: fc.nat().map((n) => n + 2 ** 31),
      entries: fc.uniqueArray(entry, {
        selector: ({ experiment }) => experiment,
        minLength: 1,
        maxLength: 8,
      }),
    });
    fc.assert(
      fc.property(any, (made) => {
        expect(verifyToken(signToken(made, hmac)!, keys(hmac))).toEqual({ claims: made, key: hmac });
      }),
    );
  });
});

describe('claims', () => {
  const here = { purpose: 'context', service: 'shop', nowS: 1_800_000_010, skewS: 30 } as const;

  it('hold for their purpose, their audience and their time', () => {
    expect(refusalOf(claims, here)).toBeNull();
    expect(refusalOf({ ...claims, audience: 'shop' }, here)).toBeNull();
    expect(refusalOf({ ...claims, audience: 'other' }, here)).toBe('wrong-audience');
    expect(refusalOf(claims, { ...here, purpose: 'override' })).toBe('wrong-purpose');
  });

  it('hold from their issue to just before their expiry, with the clocks that far apart', () => {
    const at = (nowS: number) => refusalOf(claims, { ...here, nowS });
    expect(at(1_800_000_000 - 31)).toBe('not-yet');
    expect(at(1_800_000_000 - 30)).toBeNull();
    expect(at(1_800_003_600 + 29)).toBeNull();
    expect(at(1_800_003_600 + 30)).toBe('expired');
  });
});

describe('a key', () => {
  it.each([
    ['a short secret', { kind: 'secret', text: 'secret' }, 'has 6 bytes, and at least 32'],
    ['PEM for a secret', { kind: 'secret', text: privatePem }, 'plain text'],
    ['no PEM', { kind: 'private', text: 'x' }, 'no PEM private key'],
    ['a public key for a private one', { kind: 'private', text: publicPem }, 'no PEM private key'],
    ['a private key for a public one', { kind: 'public', text: privatePem }, 'must not have it'],
    [
      'a damaged public key',
      { kind: 'public', text: publicPem.replace(/\n[A-Za-z]/, '\n!') },
      'cannot be read',
    ],
    [
      'a key of another kind',
      {
        kind: 'public',
        text: generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({
          type: 'spki',
          format: 'pem',
        }) as string,
      },
      'of the kind ec',
    ],
  ] as const)('is not made of %s, and the reason holds nothing of it', (_, text, message) => {
    expect(() => tokenKey('k', text)).toThrow(message);
    const lines = text.text.split('\n').filter((line) => line.length > 10 && !line.startsWith('-----'));
    try {
      tokenKey('k', text);
    } catch (error) {
      for (const line of lines) expect(String(error)).not.toContain(line);
    }
  });

  it('hashes a unit in the same way on both sides, and another unit or key differently', () => {
    expect(unitHash(ed25519, 'u-17')).toBe(unitHash(publicOnly, 'u-17'));
    expect(unitHash(hmac, 'u-17')).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect(new Set([unitHash(hmac, 'u-17'), unitHash(hmac, 'u-18'), unitHash(ed25519, 'u-17')]).size).toBe(3);
  });
});

/** A good signature under anything. */
function signed(text: string): string {
  return `${text}.${createHmac('sha256', hmac.verifying).update(text).digest('base64url')}`;
}
