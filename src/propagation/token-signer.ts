/**
 * The context that we vouch for, signed. The same assignments of the same unit get the same token for a quarter of
 * its life, so that it is made once, and verified once further down. Told the time.
 */
import { Recent } from './recent.ts';
import { ANY_AUDIENCE, signToken, type TokenEntry } from './token.ts';
import { type TokenKey, unitHash } from './token-key.ts';
import type { TokenSettings } from './token-verifier.ts';

/** One assignment to vouch for. */
export interface SignedAssignment {
  readonly experiment: string;
  readonly variant: string;
  readonly epoch: number;
  /** Not hashed yet; null: none is known. */
  readonly unit: string | null;
}

/** Tokens that are remembered, twice this at most: about 4 MB. */
const REMEMBERED_MAX = 4096;

export class TokenSigner {
  readonly #key: TokenKey;
  readonly #ttlS: number;
  /** Tokens are dated at multiples of this. */
  readonly #stepS: number;
  readonly #made = new Recent<string | null>(REMEMBERED_MAX);
  #issuedS = 0;

  /** The first key must be able to sign. */
  constructor({ keys, ttlS }: Pick<TokenSettings, 'keys' | 'ttlS'>) {
    this.#key = keys[0]!;
    this.#ttlS = ttlS;
    this.#stepS = Math.max(1, Math.floor(ttlS / 4));
  }

  /** A token for any service, which holds for three quarters of its life or longer. Null when it would be too large. */
  sign(assignments: readonly SignedAssignment[], wallMs: number): string | null {
    const nowS = Math.floor(wallMs / 1000);
    const issuedS = nowS - (nowS % this.#stepS);
    if (issuedS !== this.#issuedS) {
      this.#made.clear();
      this.#issuedS = issuedS;
    }
    let key = '';
    for (let i = 0; i < assignments.length; i++) {
      const { experiment, variant, epoch, unit } = assignments[i]!;
      key += `${experiment}=${variant},${epoch},${unit === null ? '' : `${unit.length}:${unit}`};`;
    }
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const token = this.#make(assignments, issuedS);
    this.#made.set(key, token);
    return token;
  }

  #make(assignments: readonly SignedAssignment[], issuedS: number): string | null {
    const entries = assignments.map(({ unit, ...entry }): TokenEntry => {
      return { ...entry, unit: unit === null ? '' : unitHash(this.#key, unit) };
    });
    const expiresS = issuedS + this.#ttlS;
    return signToken({ purpose: 'context', audience: ANY_AUDIENCE, issuedS, expiresS, entries }, this.#key);
  }
}
