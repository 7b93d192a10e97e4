/**
 * The results of the experiments in force, for whoever asks: people, the loop of the rollouts, the metrics page. Remembers
 * between looks what must not be forgotten (`TrustMemory`), and gives the same answer for a second, since making one
 * costs about a millisecond.
 */
import type { AnalysisPlan, Collected } from '../analysis/collected.ts';
import { resultsOf, resultsOff } from '../analysis/report.ts';
import type { Results } from '../analysis/results.ts';
import { judgeTrust, type TrustMemory, type TrustQuestion } from '../analysis/trust.ts';
import type { Clock } from '../base/clock.ts';
import type { Snapshot } from '../config/snapshot.ts';
import type { TrustSample } from '../telemetry/trust-families.ts';
import type { AnalysisSource } from './analysis.ts';

/** Not computed again before. */
const FRESH_MS = 1000;

export interface ExperimentResultsOptions {
  readonly source: AnalysisSource & { refresh?(): Promise<void> };
  readonly snapshot: () => Pick<Snapshot, 'experiments'>;
  readonly clock: Clock;
}

interface Known {
  readonly results: Results;
  /** Of which rules and when, on the clock that never goes back. */
  readonly plan: AnalysisPlan;
  readonly atMs: number;
}

export class ExperimentResults {
  readonly #source: ExperimentResultsOptions['source'];
  readonly #snapshot: ExperimentResultsOptions['snapshot'];
  readonly #clock: Clock;
  /** Both have at most the experiments in force. */
  readonly #known = new Map<string, Known>();
  readonly #memories = new Map<string, TrustMemory>();

  constructor({ source, snapshot, clock }: ExperimentResultsOptions) {
    this.#source = source;
    this.#snapshot = snapshot;
    this.#clock = clock;
  }

  /** Resolves when what was settled before will be in the next results. Never rejects. */
  async refresh(): Promise<void> {
    await this.#source.refresh?.();
  }

  /** Of an experiment, at most a second old; null: there is none of this name. */
  of(experiment: string): Results | null {
    const found = this.#snapshot().experiments.get(experiment);
    if (found === undefined) return null;
    return this.ofAnalysis(experiment) ?? resultsOff(experiment, found.variants[found.fallback.index]!.name);
  }

  /** The same; null also when the experiment has no `analysis`. */
  ofAnalysis(experiment: string): Results | null {
    const plan = this.#source.plan(experiment);
    if (plan === null) return null;
    const known = this.#known.get(experiment);
    const nowMs = this.#clock.now();
    if (known?.plan === plan && nowMs - known.atMs < FRESH_MS) return known.results;
    const collected = this.#source.collected(experiment);
    if (collected === null) return null;
    this.#forgetOthers();
    const { results, memory } = resultsOf({
      ...{ collected, plan, pairs: this.#source.pairs(experiment) },
      ...this.#questionOf(experiment),
    });
    this.#remember(experiment, memory);
    this.#known.set(experiment, { results, plan, atMs: nowMs });
    return results;
  }

  /** Of all experiments that are analysed, whether their numbers are to be believed. */
  trust(): TrustSample[] {
    this.#forgetOthers();
    return Array.from(this.#snapshot().experiments.keys()).flatMap((experiment) => {
      const collected = this.#source.plan(experiment) === null ? null : this.#source.collected(experiment);
      return collected === null ? [] : [this.#trustIn(experiment, collected)];
    });
  }

  #trustIn(experiment: string, collected: Collected): TrustSample {
    const { shares, invalid, memory } = judgeTrust(collected, this.#questionOf(experiment));
    this.#remember(experiment, memory);
    return { experiment, mismatchP: shares.p, causes: new Set(invalid.map(({ cause }) => cause)) };
  }

  #questionOf(experiment: string): TrustQuestion {
    return {
      nowMs: this.#clock.wallMs(),
      isRunning: this.#snapshot().experiments.get(experiment)?.status === 'running',
      before: this.#memories.get(experiment) ?? null,
    };
  }

  #remember(experiment: string, memory: TrustMemory | null): void {
    if (memory === null) this.#memories.delete(experiment);
    else this.#memories.set(experiment, memory);
  }

  #forgetOthers(): void {
    const { experiments } = this.#snapshot();
    for (const memory of [this.#known, this.#memories])
      for (const name of memory.keys()) if (!experiments.has(name)) memory.delete(name);
  }
}
