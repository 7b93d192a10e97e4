/**
 * Tokens of requests, verified. A token that was good a short time ago is not verified again, but for what changes
 * with time and request; one that was not is forgotten at once, so that nobody can fill the memory with nonsense.
 * Told the time.
 */
import { Recent } from './recent.ts';
import {
  refusalOf,
  type TokenClaims,
  type TokenExpectation,
  type TokenRefusal,
  verifyToken,
} from './token.ts';
import { type TokenKey, unitHash } from './token-key.ts';

/** What tokens are signed and verified with. */
export interface TokenSettings {
  /** One or more with different ids. The first one signs, each verifies. */
  readonly keys: readonly TokenKey[];
  /** How long a signed context holds, seconds. */
  readonly ttlS: number;
  /** How far clocks may be apart, seconds. */
  readonly skewS: number;
}

/** A token that somebody with a key has signed. Whose unit it is for is still to be asked. */
export class VerifiedToken {
  readonly text: string;
  readonly claims: TokenClaims;
  readonly #key: TokenKey;
  /** The unit that was asked for last, hashed. */
  #unit: string | null = null;
  #hash = '';

  constructor(text: string, claims: TokenClaims, key: TokenKey) {
    this.text = text;
    this.claims = claims;
    this.#key = key;
  }

  /** Whether `hash`, out of its entries, is this unit's. */
  isUnit(hash: string, unit: string): boolean {
    if (unit !== this.#unit) {
      this.#hash = unitHash(this.#key, unit);
      this.#unit = unit;
    }
    return hash === this.#hash;
  }
}

/** Good tokens that are remembered, twice this at most: 8 MB if every one has 4 KiB, usually half a megabyte. */
const REMEMBERED_MAX = 1024;

/** In a second, and on one connection: what is bad beyond this is not verified. 20 Ed25519 checks take 2 ms. */
const FAILURES_MAX = 20;
const FAILURES_WINDOW_MS = 1000;

/** How many bad tokens a connection may have verified. */
export class FailureBudget {
  #failures = 0;
  #sinceMs = Number.NEGATIVE_INFINITY;

  isSpent(nowMs: number): boolean {
    if (nowMs - this.#sinceMs >= FAILURES_WINDOW_MS) this.#failures = 0;
    return this.#failures >= FAILURES_MAX;
  }

  spend(nowMs: number): void {
    if (this.#failures === 0) this.#sinceMs = nowMs;
    this.#failures++;
  }
}

export class TokenVerifier {
  readonly #keys: ReadonlyMap<string, TokenKey>;
  readonly #skewS: number;
  readonly #service: string;
  readonly #good = new Recent<VerifiedToken>(REMEMBERED_MAX);

  /** `service`: the audience that we are. */
  constructor({ keys, skewS }: Pick<TokenSettings, 'keys' | 'skewS'>, service: string) {
    this.#keys = new Map(keys.map((key) => [key.id, key]));
    this.#skewS = skewS;
    this.#service = service;
  }

  /**
   * The token, if it holds here and now for this purpose, or why not.
   * @param wallMs since 1970, what tokens are dated in. @param nowMs monotonic, for the budget.
   */
  verify(
    text: string,
    purpose: TokenExpectation['purpose'],
    { wallMs, nowMs, budget }: { wallMs: number; nowMs: number; budget: FailureBudget },
  ): VerifiedToken | TokenRefusal {
    let token = this.#good.get(text);
    if (token === undefined) {
      if (budget.isSpent(nowMs)) return 'throttled';
      const found = verifyToken(text, this.#keys);
      if (typeof found === 'string') {
        budget.spend(nowMs);
        return found;
      }
      token = new VerifiedToken(text, found.claims, found.key);
      this.#good.set(text, token);
    }
    const expected = { purpose, service: this.#service, nowS: wallMs / 1000, skewS: this.#skewS };
    return refusalOf(token.claims, expected) ?? token;
  }
}
