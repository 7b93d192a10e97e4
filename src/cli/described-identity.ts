/**
 * Who sends the requests that the application describes when it asks for a flag: their tokens verified and their sticky
 * assignments read as on the request path. Counted nowhere: the requests themselves are.
 */
import type { IdentityReader } from '../admin/ports.ts';
import type { Clock } from '../base/clock.ts';
import type { Snapshot } from '../config/snapshot.ts';
import type { Experiment, RequestAttributes } from '../experiment/model.ts';
import type { Sticky } from '../experiment/sticky.ts';
import type { Carried } from '../propagation/header.ts';
import { ClaimReaders } from '../proxy/claim-reader.ts';
import { StickyPlan } from '../proxy/sticky-plan.ts';
import { StickySession } from '../proxy/sticky-session.ts';
import { tokenPlan, trustPlan } from '../proxy/trust-plan.ts';
import { TrustTokens } from '../proxy/trust-tokens.ts';
import { TRUST_EVERYONE } from '../routing/trust.ts';
import { IdentityMetrics } from '../telemetry/identity-metrics.ts';
import { LabelBudget } from '../telemetry/label-sets.ts';
import { TrustMetrics } from '../telemetry/trust-metrics.ts';

const BY_SIGNATURE = { context: TRUST_EVERYONE, overrides: TRUST_EVERYONE };

export class DescribedIdentity implements IdentityReader {
  readonly #clock: Clock;
  readonly #uncounted = new IdentityMetrics(new LabelBudget(0));
  readonly #claims: ClaimReaders;
  /** With the keys of the Snapshot, made once for it. */
  #plan: { readonly snapshot: Snapshot; readonly sticky: StickyPlan } | null = null;
  #tokens: { readonly snapshot: Snapshot; readonly tokens: TrustTokens } | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#claims = new ClaimReaders(clock, this.#uncounted);
  }

  claims(request: RequestAttributes, snapshot: Snapshot) {
    return this.#claims.for(snapshot.identity)?.read(request) ?? null;
  }

  sticky(request: RequestAttributes, snapshot: Snapshot): Sticky | null {
    if (snapshot.stickyIssues.size === 0) return null;
    if (this.#plan?.snapshot !== snapshot)
      this.#plan = { snapshot, sticky: new StickyPlan(snapshot, this.#clock, this.#uncounted) };
    const session = new StickySession();
    session.begin(this.#plan.sticky, request);
    return { kept: (experiment: Experiment) => session.kept(experiment) };
  }

  vouched(request: RequestAttributes, snapshot: Snapshot): Carried | null {
    const text = request.header(snapshot.propagation.tokenHeader);
    if (text === null || snapshot.tokens === null) return null;
    if (this.#tokens?.snapshot !== snapshot)
      this.#tokens = { snapshot, tokens: tokensOf(snapshot, this.#clock) };
    const { tokens } = this.#tokens;
    tokens.read(text, request, this.#clock.now());
    return tokens.carried();
  }
}

/** As those of a listener that believes what is signed. */
function tokensOf(snapshot: Snapshot, clock: Clock): TrustTokens {
  const asker = { name: 'ofrep', direction: 'inbound', trust: BY_SIGNATURE } as const;
  const uncounted = { trust: new TrustMetrics(new LabelBudget(0)) };
  return new TrustTokens(trustPlan(asker, snapshot, tokenPlan(snapshot), { metrics: uncounted, clock })!);
}
