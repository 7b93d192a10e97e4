/**
 * The results of the experiments in force, for whoever asks: people, the loop of the rollouts, the metrics page. Remembers
 * between looks what must not be forgotten (`TrustMemory`). To make them takes about a millisecond, and some more where tens
 * of thousands of units are followed, in a process that may carry traffic: so an answer is kept for a while.
 */
import type { AnalysisPlan, Collected } from '../analysis/collection/collected.ts';
import { type Amount, amountOf } from '../analysis/results/amount.ts';
import { interactionResults } from '../analysis/results/interaction-result.ts';
import { resultsOf, resultsOff } from '../analysis/results/report.ts';
import type { InteractionResult, Results } from '../analysis/results/results.ts';
import { judgeTrust, type Trust, type TrustMemory, type TrustQuestion } from '../analysis/results/trust.ts';
import type { Clock } from '../base/clock.ts';
import type { Snapshot } from '../config/snapshot.ts';
import type { TrustSample } from '../telemetry/trust-families.ts';
import type { AnalysisSource } from './analysis.ts';

/** Not made again before. */
const FRESH_MS = 1000;
/** All results together take at most one in so many parts of the time, however many experiments there are. */
const PARTS_OF_TIME = 50;
/** Joining the units of two experiments takes longest, and changes least. */
const INTERACTIONS_FRESH_MS = 30_000;
/** At a scrape; what was not reached is as it was, and comes first the next time. */
const TRUST_MAX_MS = 5;

export interface ExperimentResultsOptions {
  readonly source: AnalysisSource & { refresh?(): Promise<void> };
  readonly snapshot: () => Pick<Snapshot, 'experiments'>;
  readonly clock: Clock;
  /** Why no numbers are to be believed now, whoever's: one sentence each. */
  readonly doubts?: () => readonly string[];
}

/** What is kept of an experiment. Times are on the clock that never goes back. */
interface Known {
  /** The rules that it is of. */
  readonly plan: AnalysisPlan;
  results: { readonly of: Results; readonly atMs: number; readonly tookMs: number } | null;
  interactions: { readonly of: readonly InteractionResult[]; readonly atMs: number } | null;
  trust: { readonly of: TrustSample; readonly atMs: number } | null;
}

export class ExperimentResults {
  readonly #source: ExperimentResultsOptions['source'];
  readonly #snapshot: ExperimentResultsOptions['snapshot'];
  readonly #clock: Clock;
  readonly #doubts: () => readonly string[];
  /** Both have at most the experiments in force. */
  readonly #known = new Map<string, Known>();
  readonly #memories = new Map<string, TrustMemory>();

  constructor({ source, snapshot, clock, doubts = () => [] }: ExperimentResultsOptions) {
    this.#source = source;
    this.#snapshot = snapshot;
    this.#clock = clock;
    this.#doubts = doubts;
  }

  /** Resolves when what was settled before will be in the next results. Never rejects. */
  async refresh(): Promise<void> {
    await this.#source.refresh?.();
  }

  /** Everything of an experiment; null: there is none of this name. */
  of(experiment: string): Results | null {
    const found = this.#snapshot().experiments.get(experiment);
    if (found === undefined) return null;
    const results = this.ofAnalysis(experiment);
    if (results === null) return resultsOff(experiment, found.variants[found.fallback.index]!.name);
    return { ...results, interactions: this.#interactionsOf(experiment, results) };
  }

  /** The same without its interactions, which decide nothing; null also when the experiment has no `analysis`. */
  ofAnalysis(experiment: string): Results | null {
    const known = this.#knownOf(experiment);
    if (known === null) return null;
    const nowMs = this.#clock.now();
    if (known.results !== null && nowMs - known.results.atMs < this.#keptMs()) return known.results.of;
    const collected = this.#collected(experiment);
    if (collected === null) return null;
    const question = { ...this.#questionOf(experiment), collected, plan: known.plan, pairs: [] };
    const { results, trust } = resultsOf(question);
    this.#believe(experiment, known, trust);
    known.results = { of: results, atMs: nowMs, tookMs: this.#clock.now() - nowMs };
    return results;
  }

  /** How much there is of an experiment, as it is now; null: it has no `analysis`. */
  amountOf(experiment: string): Amount | null {
    const collected = this.#source.collected(experiment);
    return collected === null ? null : amountOf(collected);
  }

  /** Of all experiments that are analysed, whether their numbers are to be believed: some seconds old with many of them. */
  trust(): TrustSample[] {
    const beganMs = this.#clock.now();
    const all = Array.from(this.#snapshot().experiments.keys()).flatMap((name) => {
      const known = this.#knownOf(name);
      return known === null ? [] : [{ name, known }];
    });
    all.sort((one, other) => (one.known.trust?.atMs ?? 0) - (other.known.trust?.atMs ?? 0));
    for (const { name, known } of all) {
      const nowMs = this.#clock.now();
      if (nowMs - beganMs > TRUST_MAX_MS) break;
      if (known.trust !== null && nowMs - known.trust.atMs < FRESH_MS) continue;
      const collected = this.#collected(name);
      if (collected !== null) this.#believe(name, known, this.#judge(name, collected));
    }
    return all.flatMap(({ known }) => known.trust?.of ?? []);
  }

  #judge(experiment: string, collected: Collected): Trust {
    return judgeTrust(collected, this.#questionOf(experiment));
  }

  #believe(experiment: string, known: Known, { shares, invalid, memory }: Trust): void {
    if (memory === null) this.#memories.delete(experiment);
    else this.#memories.set(experiment, memory);
    const causes = new Set(invalid.map(({ cause }) => cause));
    known.trust = { of: { experiment, mismatchP: shares.p, causes }, atMs: this.#clock.now() };
  }

  #interactionsOf(experiment: string, { state }: Results): readonly InteractionResult[] {
    const known = this.#knownOf(experiment);
    if (known === null || state !== 'collecting') return [];
    const nowMs = this.#clock.now();
    if (known.interactions === null || nowMs - known.interactions.atMs >= INTERACTIONS_FRESH_MS) {
      const { variants, fallback } = this.#snapshot().experiments.get(experiment)!;
      const names = variants.map(({ name }) => name);
      const question = { variants: names, fallback: fallback.index, plan: known.plan };
      const of = interactionResults(this.#source.pairs(experiment), question);
      known.interactions = { of, atMs: nowMs };
    }
    return known.interactions.of;
  }

  #questionOf(experiment: string): TrustQuestion {
    return {
      nowMs: this.#clock.wallMs(),
      isRunning: this.#snapshot().experiments.get(experiment)?.status === 'running',
      before: this.#memories.get(experiment) ?? null,
    };
  }

  /** Null: it is not analysed. */
  #knownOf(experiment: string): Known | null {
    const plan = this.#source.plan(experiment);
    if (plan === null) return null;
    const found = this.#known.get(experiment);
    if (found?.plan === plan) return found;
    this.#forgetOthers();
    const known: Known = { plan, results: null, interactions: null, trust: null };
    this.#known.set(experiment, known);
    return known;
  }

  #keptMs(): number {
    let tookMs = 0;
    for (const { results } of this.#known.values()) tookMs += results?.tookMs ?? 0;
    return Math.max(FRESH_MS, PARTS_OF_TIME * tookMs);
  }

  #forgetOthers(): void {
    const { experiments } = this.#snapshot();
    for (const kept of [this.#known, this.#memories])
      for (const name of kept.keys()) if (!experiments.has(name)) kept.delete(name);
  }

  #collected(experiment: string): Collected | null {
    const collected = this.#source.collected(experiment);
    const doubts = this.#doubts();
    if (collected === null || doubts.length === 0) return collected;
    return { ...collected, doubts: [...collected.doubts, ...doubts] };
  }
}
