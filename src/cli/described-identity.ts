/**
 * Who sends the requests that the application describes when it asks for a flag: their tokens verified and their sticky
 * assignments read as on the request path. Counted nowhere: the requests themselves are.
 */
import type { IdentityReader } from '../admin/ports.ts';
import type { Clock } from '../base/clock.ts';
import type { Snapshot } from '../config/snapshot.ts';
import type { Experiment, RequestAttributes } from '../experiment/model.ts';
import type { Sticky } from '../experiment/sticky.ts';
import { ClaimReaders } from '../proxy/claim-reader.ts';
import { StickyPlan } from '../proxy/sticky-plan.ts';
import { StickySession } from '../proxy/sticky-session.ts';
import { IdentityMetrics } from '../telemetry/identity-metrics.ts';
import { LabelBudget } from '../telemetry/label-sets.ts';

export class DescribedIdentity implements IdentityReader {
  readonly #clock: Pick<Clock, 'wallMs'>;
  readonly #uncounted = new IdentityMetrics(new LabelBudget(0));
  readonly #claims: ClaimReaders;
  /** With the keys of the Snapshot, made once for it. */
  #plan: { readonly snapshot: Snapshot; readonly sticky: StickyPlan } | null = null;

  constructor(clock: Pick<Clock, 'wallMs'>) {
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
}
