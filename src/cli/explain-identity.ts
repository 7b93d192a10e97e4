/** Who sends a described request, as the request path would find out: its token verified, its sticky assignments read. */
import type { Route, Snapshot } from '../config/snapshot.ts';
import type { Claim, Experiment, RequestAttributes } from '../experiment/model.ts';
import type { Kept, Sticky } from '../experiment/sticky.ts';
import { type TokenFields, tokenIn } from '../identity/carrier.ts';
import { TokenVerifier, type Verdict } from '../identity/verifier.ts';
import { StickyPlan } from '../proxy/sticky-plan.ts';
import { StickySession } from '../proxy/sticky-session.ts';
import { IdentityMetrics } from '../telemetry/identity-metrics.ts';
import { LabelBudget } from '../telemetry/label-sets.ts';

export interface DescribedToken {
  claim(pointer: string): Claim | null;
  /** What is wrong with the token; never a part of it. */
  readonly notes: readonly string[];
}

/** The claims of a described request. Its token is read when the configuration says where tokens are. */
export function describedToken({ identity }: Snapshot, fields: TokenFields, wallMs: number): DescribedToken {
  const text = identity === null ? null : tokenIn(identity, fields);
  if (identity === null || text === null) return { claim: () => null, notes: [] };
  const verdict: Verdict = new TokenVerifier(identity.verifier).verify(text, wallMs);
  return {
    claim: (pointer) => verdict.claim(pointer),
    notes: [verdict.refusal === null ? 'the token is valid' : `the token is not valid: ${verdict.refusal}`],
  };
}

/** What a described request was given before, or null where nothing is sticky. */
export function describedSticky(
  snapshot: Snapshot,
  route: Route | null,
  request: RequestAttributes,
  wallMs: number,
): Sticky | null {
  if (route === null || route.direction !== 'inbound') return null;
  const session = new StickySession();
  const metrics = new IdentityMetrics(new LabelBudget(0));
  session.begin(new StickyPlan(snapshot, { wallMs: () => wallMs }, metrics), request);
  return { kept: (experiment: Experiment): Kept | null => session.kept(experiment) };
}
