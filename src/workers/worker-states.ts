/** What the admin API shows of the workers, as each has said it last. */
import type { BreakerView } from '../resilience/breaker.ts';
import { type OverloadView, overloadTotal } from '../resilience/overload-view.ts';
import type { SharedBreaker } from '../resilience/shared-breaker.ts';
import type { WorkerLink } from './link.ts';
import type { UpstreamState, WorkerState } from './messages.ts';
import { breakerTotal, upstreamTotals } from './state-totals.ts';

export class WorkerStates {
  readonly #answerMs: number;
  readonly #states = new Map<number, WorkerState>();

  /** @param answerMs a worker that has not answered by then is shown with what it said before */
  constructor(answerMs: number) {
    this.#answerMs = answerMs;
  }

  /** Asks these workers. Never rejects. */
  async refresh(links: readonly Pick<WorkerLink, 'worker' | 'ask'>[]): Promise<void> {
    const ask = async (link: Pick<WorkerLink, 'worker' | 'ask'>): Promise<void> => {
      const answer = await link.ask('state', this.#answerMs);
      if (answer !== null && answer.state !== null) this.#states.set(link.worker, answer.state);
    };
    await Promise.all(links.map(ask));
  }

  /** The worker is gone. */
  forget(worker: number): void {
    this.#states.delete(worker);
  }

  /** Where these stand, with the calls of all workers. */
  breakers(shared: readonly SharedBreaker[], nowMs: number): BreakerView[] {
    const views = Map.groupBy(
      this.#all.flatMap(({ breakers }) => breakers),
      ({ name }) => name,
    );
    return shared.map((breaker) =>
      breakerTotal(breaker.name, breaker.standing(nowMs), views.get(breaker.name) ?? []),
    );
  }

  overload(): OverloadView {
    return overloadTotal(this.#all.map(({ overload }) => overload));
  }

  upstreams(): UpstreamState[] {
    return upstreamTotals(this.#all);
  }

  inFlight(): number {
    return this.#all.reduce((count, { inFlight }) => count + inFlight, 0);
  }

  get #all(): WorkerState[] {
    return [...this.#states.values()];
  }
}
