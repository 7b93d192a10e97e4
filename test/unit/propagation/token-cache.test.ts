/** Tokens over time: what is remembered, what is not verified again, and what a connection may cost. */
import { describe, expect, it } from 'vitest';
import { Recent } from '../../../src/propagation/recent.ts';
import { signToken, type TokenClaims, verifyToken } from '../../../src/propagation/token.ts';
import { tokenKey, unitHash } from '../../../src/propagation/token-key.ts';
import { TokenSigner } from '../../../src/propagation/token-signer.ts';
import { FailureBudget, TokenVerifier, VerifiedToken } from '../../../src/propagation/token-verifier.ts';

const key = tokenKey('k', { kind: 'secret', text: '0123456789abcdef0123456789abcdef' });
const START_MS = 1_800_000_000_000;
const claims: TokenClaims = {
  purpose: 'context',
  audience: '*',
  issuedS: START_MS / 1000,
  expiresS: START_MS / 1000 + 60,
  entries: [{ experiment: 'a', variant: 'b', epoch: 1, unit: unitHash(key, 'u-1') }],
};

describe('a verifier', () => {
  const verifier = () => new TokenVerifier({ keys: [key], skewS: 30 }, 'shop');
  const at = (wallMs: number, budget = new FailureBudget(), nowMs = 0) => ({ wallMs, nowMs, budget });

  it('answers the same object for a good token as long as it remembers it, and no longer than it holds', () => {
    const one = verifier();
    const token = signToken(claims, key)!;
    const first = one.verify(token, 'context', at(START_MS));
    expect(first).toBeInstanceOf(VerifiedToken);
    expect(one.verify(token, 'context', at(START_MS + 89_999))).toBe(first);
    expect(one.verify(token, 'context', at(START_MS + 90_000))).toBe('expired');
    expect(one.verify(token, 'override', at(START_MS))).toBe('wrong-purpose');
  });

  it('tells units apart, whichever was asked for before', () => {
    const token = verifier().verify(signToken(claims, key)!, 'context', at(START_MS)) as VerifiedToken;
    const { unit } = token.claims.entries[0]!;
    expect(['u-1', 'u-2', 'u-1', 'u-1', ''].map((id) => token.isUnit(unit, id))).toEqual([
      true,
      false,
      true,
      true,
      false,
    ]);
  });

  it('verifies twenty bad tokens of a connection in a second, then none that it does not know', () => {
    const one = verifier();
    const budget = new FailureBudget();
    const good = signToken(claims, key)!;
    const unseen = signToken({ ...claims, audience: 'shop' }, key)!;
    one.verify(good, 'context', at(START_MS));
    for (let n = 0; n < 20; n++)
      expect(one.verify(`fl1.k.AAAA.${n}`, 'context', at(START_MS, budget, 5000))).toBe('bad-signature');
    expect(one.verify(unseen, 'context', at(START_MS, budget, 5999))).toBe('throttled');
    expect(one.verify(good, 'context', at(START_MS, budget, 5999))).toBeInstanceOf(VerifiedToken);
    expect(one.verify(unseen, 'context', at(START_MS, new FailureBudget(), 5999))).toBeInstanceOf(
      VerifiedToken,
    );
    expect(one.verify(`${unseen}x`, 'context', at(START_MS, budget, 6000))).toBe('bad-signature');
  });
});

describe('a signer', () => {
  const assignment = { experiment: 'a', variant: 'b', epoch: 1, unit: 'u-1' };
  const claimsOf = (token: string | null) => {
    const found = verifyToken(token!, new Map([['k', key]]));
    if (typeof found === 'string') throw new Error(found);
    return found.claims;
  };

  it('gives the same token for a quarter of its life, and one with three quarters left at any time', () => {
    const signer = new TokenSigner({ keys: [key], ttlS: 3600 });
    const tokens = new Set<string | null>();
    for (let minute = 0; minute < 60; minute++) {
      const wallMs = START_MS + minute * 60_000;
      const token = signer.sign([assignment], wallMs);
      const { issuedS, expiresS } = claimsOf(token);
      expect(issuedS).toBeLessThanOrEqual(wallMs / 1000);
      expect(expiresS - wallMs / 1000).toBeGreaterThanOrEqual(2700);
      tokens.add(token);
    }
    expect(tokens.size).toBe(4);
  });

  it('signs the same in another process', () => {
    const sign = () => new TokenSigner({ keys: [key], ttlS: 60 }).sign([assignment], START_MS + 1234);
    expect(sign()).toBe(sign());
  });

  it('never takes one set of assignments for another', () => {
    const signer = new TokenSigner({ keys: [key], ttlS: 60 });
    const sets = [
      [assignment],
      [{ ...assignment, unit: null }],
      [{ ...assignment, unit: '' }],
      [{ ...assignment, unit: 'u-1;a=c,1,' }],
      [{ ...assignment, epoch: 2 }],
      [assignment, { ...assignment, experiment: 'c' }],
    ];
    const all = sets.map((set) => signer.sign(set, START_MS));
    expect(new Set(all).size).toBe(sets.length);
    for (const [at, set] of sets.entries())
      expect(claimsOf(all[at]!).entries).toEqual(
        set.map(({ unit, ...entry }) => ({ ...entry, unit: unit === null ? '' : unitHash(key, unit) })),
      );
  });
});

describe('what is recent', () => {
  it('is twice the limit at most, and what is used again stays', () => {
    const recent = new Recent<number>(10);
    for (let n = 0; n < 1000; n++) {
      recent.set(`${n}`, n);
      expect(recent.get('0')).toBe(0);
      expect(recent.size).toBeLessThanOrEqual(20);
    }
    expect(recent.get('500')).toBeUndefined();
    recent.clear();
    expect(recent.get('0')).toBeUndefined();
  });
});
