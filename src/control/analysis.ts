/**
 * What was collected of the experiments that have an `analysis`, in one place whoever carried the traffic. It adds up
 * what it is told and draws no conclusion: that is for `analysis/`.
 *
 * The numbers of an experiment begin anew when anything under its `analysis`, its variants or its unit is changed: those of
 * before would answer another question, and a threshold that is set after the first look promises nothing. They do too
 * when they are to be forgotten. Either is another digest, which what was under way, or was kept, does not have.
 */
import type { AnalysisPlan, Collected, CollectedPair } from '../analysis/collection/collected.ts';
import type { Delta } from '../analysis/collection/delta.ts';
import { type ExperimentShape, ExperimentTotals } from '../analysis/collection/experiment-totals.ts';
import { KnownIds } from '../analysis/collection/known-ids.ts';
import { readDelta } from '../analysis/collection/read-delta.ts';
import type { HistoryPoint } from '../analysis/collection/recent-history.ts';
import { type UnitHashKey, unitHash } from '../analysis/collection/unit-hash.ts';
import type { EventResult } from '../analysis/collection/unit-totals.ts';
import type { Clock, Random } from '../base/clock.ts';
import type { AnalysisSettings } from '../config/compile-analysis.ts';
import type { Snapshot } from '../config/snapshot.ts';
import type { AnalysisSample } from '../telemetry/analysis-metrics.ts';
import type { Log } from '../telemetry/log.ts';
import type { KeptAnalysis } from './analysis-file.ts';

/** What results are made of. */
export interface AnalysisSource {
  /**
   * As it is now, and not a copy: to be read at once. Null: the experiment has no `analysis`. No strata: nothing came
   * yet.
   */
  collected(experiment: string): Collected | null;
  /** The experiments that share followed units with it, most of them first. At most half a minute old. */
  pairs(experiment: string): readonly CollectedPair[];
  /** As the configuration has it. Null: the experiment has no `analysis`. */
  plan(experiment: string): AnalysisPlan | null;
}

/** Units that are followed in one time of one experiment, about 2 MB; two such times are open. */
export const FOLLOWED_MAX = 32_768;
/** With many experiments each follows fewer, so that all together have a limit. */
const FOLLOWED_MAX_OF_ALL = 1_048_576;
const FOLLOWED_MIN = 1024;
/** Experiments beside one that are told of. */
const PAIRS_MAX = 16;

/** Joining takes milliseconds a pair, and whether experiments interact is no question of seconds. */
const PAIRS_FRESH_MS = 30_000;

/** A value that came by itself, as it is posted. */
export interface PostedEvent {
  readonly experiment: string;
  readonly metric: string;
  readonly unit: string;
  readonly value: number;
  /** Its own time, milliseconds since the epoch; null: now. */
  readonly atMs: number | null;
  /** By which it is known when it is posted again; null: it is not. */
  readonly id: string | null;
}

export type PostedResult = EventResult | 'duplicate';
/** How many events came to what. */
export type EventCounts = Readonly<Record<PostedResult, number>>;

export interface AnalysisOptions {
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly random: Random;
  readonly log: Pick<Log, 'info' | 'warn'>;
  /** From before a restart; null: nothing. */
  readonly kept?: KeptAnalysis | null;
  /** Called for each event that was posted. */
  readonly onPosted?: (experiment: string, result: PostedResult) => void;
}

export class Analysis implements AnalysisSource {
  /** What units are hashed with. Never shown or logged. */
  readonly key: UnitHashKey;
  readonly #clock: Pick<Clock, 'wallMs'>;
  readonly #totals = new Map<string, ExperimentTotals>();
  #settings: ReadonlyMap<string, AnalysisSettings> = new Map();
  readonly #ids = new KnownIds();
  readonly #log: AnalysisOptions['log'];
  readonly #onPosted: AnalysisOptions['onPosted'];
  /** What was kept and has not been taken up. */
  readonly #kept: Map<string, unknown>;
  #changes = 0;
  readonly #pairs = new Map<string, { readonly atMs: number; readonly pairs: readonly CollectedPair[] }>();
  #refresh: () => void | Promise<void> = () => {};

  constructor({ clock, random, log, kept = null, onPosted }: AnalysisOptions) {
    this.#clock = clock;
    this.#log = log;
    this.#onPosted = onPosted;
    this.key = kept?.key ?? [word(random), word(random)];
    this.#kept = new Map(kept?.experiments);
  }

  /** These rules hold from now on. To be told before those who carry the traffic are. */
  adopt({ analyses, experiments }: Pick<Snapshot, 'analyses' | 'experiments'>): void {
    this.#settings = analyses;
    for (const name of this.#totals.keys()) if (!analyses.has(name)) this.#totals.delete(name);
    const limit = limitFor(analyses.size);
    for (const [name, { digest, measures }] of analyses) {
      const { variants, fallback, epoch } = experiments.get(name)!;
      const names = variants.map((variant) => variant.name);
      const shape = { experiment: name, variants: names, fallback: fallback.index, measures, digest };
      const totals = this.#continued(shape, limit) ?? new ExperimentTotals(shape, limit);
      this.#totals.set(name, totals);
      totals.limitTo(limit);
      totals.begin({ epoch, shares: variants.map(({ weightPpm }) => weightPpm) });
    }
    this.#kept.clear();
    this.#pairs.clear();
    if (analyses.size > 0) this.#changes++;
  }

  /** Another number when there is something new. */
  get changes(): number {
    return this.#changes;
  }

  /** What is to be kept over a restart. */
  *forms(): Generator<readonly [string, object]> {
    for (const [name, totals] of this.#totals) yield [name, totals.toJSON()];
  }

  /** How those who carry the traffic are made to tell what they have. */
  setRefresh(refresh: () => void | Promise<void>): void {
    this.#refresh = refresh;
  }

  /** Resolves when what was settled before is in the numbers, or has not come in a moment. Never rejects. */
  async refresh(): Promise<void> {
    await this.#refresh();
  }

  /** What a process has collected; its arrays are read at once. False: it could not be added. Never throws. */
  take(delta: Delta, worker: string): boolean {
    try {
      this.#add(delta, worker);
      return true;
    } catch (error) {
      // Whoever tells is in the middle of a request, which must not fail for it.
      this.#log.warn({ err: error }, 'what was collected cannot be added up; this is a bug');
      return false;
    }
  }

  #add(delta: Delta, worker: string): void {
    const nowMs = this.#clock.wallMs();
    this.#changes++;
    const { subjects } = delta;
    const totals = subjects.map(({ experiment, digest }) => {
      const found = this.#totals.get(experiment);
      // What was collected under other rules answers another question.
      return found?.shape.digest === digest ? found : null;
    });
    const strata = subjects.map((subject, index) => totals[index]?.stratumOf(subject) ?? null);
    const counts = new Map<ExperimentTotals, number>();
    readDelta(delta, worker, (subject, row) => {
      const to = totals[subject]!;
      if (to === null) return;
      to.add(strata[subject]!, row, nowMs);
      counts.set(to, (counts.get(to) ?? 0) + 1);
    });
    for (const [to, count] of counts) to.settled(count, nowMs);
    // Whose they were is not known, so nobody's numbers are taken for whole.
    if (delta.dropped > 0) for (const one of this.#totals.values()) one.lost(delta.dropped);
  }

  /**
   * The number of a metric that is fed by events, for `post`.
   * @throws RangeError with one sentence: there is none of that name.
   */
  measureOf(experiment: string, metric: string): number {
    const settings = this.#settings.get(experiment);
    if (settings === undefined)
      throw new RangeError(`the experiment ${JSON.stringify(experiment)} is not here, or has no analysis`);
    const { measures } = settings;
    const measure = measures.findIndex(({ name, source }) => name === metric && source === 'event');
    if (measure >= 0) return measure;
    const known = measures.filter(({ source }) => source === 'event').map(({ name }) => name);
    throw new RangeError(
      `${experiment} has no metric ${JSON.stringify(metric)} of events; it has ${known.join(', ') || 'none'}`,
    );
  }

  /**
   * Counts values of units that were seen. All metrics must be there, see `measureOf`: either all events are looked at or
   * none. Of the unit only a hash is kept.
   */
  post(events: readonly PostedEvent[]): EventCounts {
    const nowMs = this.#clock.wallMs();
    this.#changes++;
    const measures = events.map(({ experiment, metric }) => this.measureOf(experiment, metric));
    const counts = { accepted: 0, duplicate: 0, unknown: 0, notFollowed: 0 };
    for (const [index, event] of events.entries()) {
      const result = this.#postOne(event, measures[index]!, nowMs);
      counts[result]++;
      this.#onPosted?.(event.experiment, result);
    }
    return counts;
  }

  history(experiment: string): readonly HistoryPoint[] {
    return this.#totals.get(experiment)?.history(this.#clock.wallMs()) ?? [];
  }

  collected(experiment: string): Collected | null {
    return this.#totals.get(experiment)?.collected(this.#clock.wallMs()) ?? null;
  }

  pairs(experiment: string): readonly CollectedPair[] {
    const own = this.#totals.get(experiment);
    if (own === undefined) return [];
    const nowMs = this.#clock.wallMs();
    const known = this.#pairs.get(experiment);
    if (known !== undefined && Math.abs(nowMs - known.atMs) < PAIRS_FRESH_MS) return known.pairs;
    const pairs = this.#joined(own);
    this.#pairs.set(experiment, { atMs: nowMs, pairs });
    return pairs;
  }

  #joined(own: ExperimentTotals): readonly CollectedPair[] {
    const pairs: { readonly pair: CollectedPair; readonly units: number }[] = [];
    for (const other of this.#totals.values()) {
      const pair = other === own ? null : own.pair(other);
      if (pair !== null) pairs.push({ pair, units: unitsIn(pair) });
    }
    pairs.sort((one, other) => other.units - one.units);
    return pairs.slice(0, PAIRS_MAX).map(({ pair }) => pair);
  }

  plan(experiment: string): AnalysisPlan | null {
    return this.#settings.get(experiment)?.plan ?? null;
  }

  samples(): AnalysisSample[] {
    return Array.from(this.#totals, ([experiment, { requests, followed }]) => ({
      experiment,
      requests,
      unitsFollowed: followed,
    }));
  }

  /** The numbers that go on; null: there are none, or none that answer the same question. */
  #continued(shape: ExperimentShape, limit: number): ExperimentTotals | null {
    const { experiment, digest } = shape;
    const known = this.#totals.get(experiment);
    if (known?.shape.digest === digest) return known;
    const kept = this.#kept.get(experiment);
    let found: ExperimentTotals | null = null;
    try {
      if (kept !== undefined) found = ExperimentTotals.fromJSON(kept, shape, limit);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      const why = `what was kept cannot be read (${error.message.replace(/\.$/, '')})`;
      this.#log.warn({ experiment }, `the numbers of ${experiment} begin anew: ${why}`);
      return null;
    }
    if (found === null && (known ?? kept) !== undefined) {
      const why = 'they were to be forgotten, or what is analysed was changed';
      this.#log.info({ experiment }, `the numbers of ${experiment} begin anew: ${why}`);
    }
    return found;
  }

  #postOne({ experiment, metric, unit, value, atMs, id }: PostedEvent, measure: number, nowMs: number) {
    if (id !== null && this.#ids.isKnown(unitHash(`${experiment}\n${metric}\n${id}`, this.key)))
      return 'duplicate';
    const totals = this.#totals.get(experiment)!;
    // A clock that is ahead is wrong; one that is behind cannot be told from an event that was posted late.
    const aheadMs = atMs === null ? 0 : Math.max(0, atMs - nowMs);
    return totals.addEvent({ unit: unitHash(unit, this.key), measure, value, aheadMs }, nowMs);
  }
}

/** How many units each of so many experiments follows at most: in halves, so that one more experiment seldom costs others. */
function limitFor(experiments: number): number {
  let limit = FOLLOWED_MAX;
  while (limit * experiments > FOLLOWED_MAX_OF_ALL && limit > FOLLOWED_MIN) limit /= 2;
  return limit;
}

function unitsIn({ cells }: CollectedPair): number {
  return cells.flat().reduce((sum, { units }) => sum + units, 0);
}

function word(random: Random): number {
  return Number.parseInt(random.hex(4), 16);
}
