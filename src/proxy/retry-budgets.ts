/** The retry budgets of the upstreams, by name: a reload changes their settings and forgets nothing. */
import type { Snapshot } from '../config/snapshot.ts';
import { RetryBudget } from '../resilience/retry-budget.ts';
import type { UpstreamGroup } from './upstream-group.ts';

export class RetryBudgets {
  readonly #byName = new Map<string, RetryBudget>();

  /** `snapshot` is in force. */
  adopt({ upstreams, retryBudget }: Snapshot): void {
    for (const name of this.#byName.keys()) if (!upstreams.has(name)) this.#byName.delete(name);
    for (const name of upstreams.keys()) {
      const budget = this.#byName.get(name);
      if (budget === undefined) this.#byName.set(name, new RetryBudget(retryBudget));
      else budget.reconfigure(retryBudget);
    }
  }

  /** That of the upstream of `group`. One that is gone, while its last requests end, has none. */
  of({ upstream }: UpstreamGroup): Pick<RetryBudget, 'request' | 'take'> {
    return this.#byName.get(upstream.name) ?? NO_BUDGET;
  }
}

const NO_BUDGET: Pick<RetryBudget, 'request' | 'take'> = { request() {}, take: () => false };
