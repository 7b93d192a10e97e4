/**
 * What goes on in all workers: the latest counts of each, and what those that are gone had counted, so that no total goes
 * back. Keeps as many label sets as the workers have.
 */
import { AT, type LiveCounts, type SeriesCounts } from '../telemetry/live-counts.ts';
import type { WorkerLink } from './link.ts';

export class LiveTotals {
  readonly #answerMs: number;
  readonly #latest = new Map<number, LiveCounts>();
  readonly #goneSeries = new Map<string, SeriesCounts>();
  readonly #goneForwarded = new Map<string, number>();

  /** @param answerMs a worker that has not answered by then counts with what it said before */
  constructor(answerMs: number) {
    this.#answerMs = answerMs;
  }

  /** Asks these workers; of each worker its counts, and of all that are gone. Never rejects. */
  async collect(links: readonly Pick<WorkerLink, 'worker' | 'ask'>[]): Promise<LiveCounts[]> {
    const ask = async (link: Pick<WorkerLink, 'worker' | 'ask'>): Promise<void> => {
      const answer = await link.ask('live', this.#answerMs);
      if (answer !== null && answer.live !== null) this.#latest.set(link.worker, answer.live);
    };
    await Promise.all(links.map(ask));
    const gone = { series: [...this.#goneSeries.values()], forwarded: this.#goneForwarded };
    return [...this.#latest.values(), gone];
  }

  /** A worker is gone: what it had counted stays, what it had in flight does not. */
  forget(worker: number): void {
    const { series = [], forwarded = [] } = this.#latest.get(worker) ?? {};
    this.#latest.delete(worker);
    for (const one of series) this.#keep(one);
    for (const [route, count] of forwarded)
      this.#goneForwarded.set(route, (this.#goneForwarded.get(route) ?? 0) + count);
  }

  #keep({ route, experiment, variant, numbers }: SeriesCounts): void {
    const key = [route, experiment, variant].join('\0');
    const before = this.#goneSeries.get(key)?.numbers;
    const total = numbers.map((number, at) => number + (before?.[at] ?? 0));
    total[AT.inFlight] = 0;
    this.#goneSeries.set(key, { route, experiment, variant, numbers: total });
  }
}
