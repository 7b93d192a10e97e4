/**
 * The claims of requests: finds the token, has it verified and counts those that are not valid. Synchronous, asked at
 * most once for a request and only when a unit or a rule wants a claim; a token that is not valid fails nothing.
 */
import type { Clock } from '../base/clock.ts';
import type { JwtSettings } from '../config/compile-identity.ts';
import type { RequestAttributes } from '../experiment/model.ts';
import { tokenIn } from '../identity/carrier.ts';
import { TokenVerifier } from '../identity/verifier.ts';
import type { ClaimSource, Claims } from '../routing/attributes.ts';
import type { IdentityMetrics } from '../telemetry/identity-metrics.ts';

export class ClaimReader implements ClaimSource {
  readonly #settings: JwtSettings;
  readonly #verifier: TokenVerifier;
  readonly #clock: Pick<Clock, 'wallMs'>;
  readonly #metrics: IdentityMetrics;

  constructor(settings: JwtSettings, clock: Pick<Clock, 'wallMs'>, metrics: IdentityMetrics) {
    this.#settings = settings;
    this.#verifier = new TokenVerifier(settings.verifier);
    this.#clock = clock;
    this.#metrics = metrics;
  }

  read(request: RequestAttributes): Claims | null {
    const token = tokenIn(this.#settings, request);
    if (token === null) return null;
    const verdict = this.#verifier.verify(token, this.#clock.wallMs());
    if (verdict.refusal !== null) this.#metrics.invalidTokens(verdict.refusal).value++;
    return verdict;
  }
}

/** Keeps the reader, and so the tokens it remembers, as long as keys and settings stay what they are. */
export class ClaimReaders {
  readonly #clock: Pick<Clock, 'wallMs'>;
  readonly #metrics: IdentityMetrics;
  #reader: ClaimReader | null = null;
  #settings: JwtSettings | null = null;

  constructor(clock: Pick<Clock, 'wallMs'>, metrics: IdentityMetrics) {
    this.#clock = clock;
    this.#metrics = metrics;
  }

  /** Null: no token is read. */
  for(settings: JwtSettings | null): ClaimReader | null {
    if (settings === this.#settings) return this.#reader;
    const isSame = JSON.stringify(settings) === JSON.stringify(this.#settings);
    this.#settings = settings;
    if (isSame) return this.#reader;
    this.#reader = settings === null ? null : new ClaimReader(settings, this.#clock, this.#metrics);
    return this.#reader;
  }
}
