/** What would be collected of an experiment whose requests are made up: with everything followed, and nothing lost. */
import type {
  AnalysisMetric,
  AnalysisPlan,
  Collected,
  CollectedArm,
  CollectedPair,
  CollectedStratum,
  CollectedUnitArm,
} from '../../src/analysis/collection/collected.ts';
import { Distribution } from '../../src/analysis/distribution.ts';
import { Moments } from '../../src/analysis/moments.ts';
import { TUNED_FOR } from '../../src/analysis/sequence.ts';
import { UnitSums } from '../../src/analysis/unit-sums.ts';
import type { AnalysisSource } from '../../src/control/analysis.ts';

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };
type MutableStratum = Mutable<Omit<CollectedStratum, 'units'>> & {
  units: Mutable<CollectedStratum['units']>;
};

export interface MadeUp {
  readonly unit: string | number;
  readonly variant: number;
  /** The same unless given. */
  readonly served?: number;
  readonly isFailure?: boolean;
  readonly isSlow?: boolean;
  readonly ms?: number;
  readonly bytes?: number;
  readonly atMs: number;
  /** Given by a cookie, and not by the split. */
  readonly isSticky?: boolean;
  /** Where it came in. */
  readonly listener?: string;
}

interface Unit {
  readonly variant: number;
  readonly errors: [number, number];
  readonly latency: [number, number];
  isCrossed: boolean;
}

type Arm = Mutable<CollectedArm>;
type UnitArm = Mutable<CollectedUnitArm>;

/** One time with its own split, growing. */
interface Growing {
  readonly stratum: MutableStratum;
  readonly assigned: Arm[];
  readonly served: Arm[];
  readonly unitArms: UnitArm[];
  readonly units: Map<string | number, Unit>;
  readonly listeners: Map<string, number[]>;
}

const SPAN_MS = 10_000;

export class MadeUpExperiment {
  readonly #variants: readonly string[];
  readonly #strata: Growing[] = [];
  readonly #spans: { startMs: number; endMs: number; observations: number }[] = [];
  skewMs = 0;
  doubts: string[] = [];

  constructor(shares: readonly number[], variants: readonly string[] = ['control', 'candidate']) {
    this.#variants = variants;
    this.split(shares);
  }

  /** Begins a time with other shares, of 1. */
  split(shares: readonly number[]): void {
    const [assigned, served] = [this.#arms(), this.#arms()];
    const unitArms: UnitArm[] = this.#variants.map(() => ({
      units: 0,
      dealt: 0,
      distinct: 0,
      sums: new Map([
        ['errors', new UnitSums()],
        ['latency', new UnitSums()],
      ]),
    }));
    this.#strata.push({
      stratum: {
        epoch: this.#strata.length,
        shares: shares.map((share) => Math.round(1_000_000 * share)),
        fromMs: -1,
        toMs: -1,
        assigned,
        served,
        units: { followedShare: 1, arms: unitArms, crossed: 0, dimensions: [] },
      },
      assigned,
      served,
      unitArms,
      units: new Map(),
      listeners: new Map(),
    });
  }

  add(request: MadeUp): void {
    const now = this.#strata.at(-1)!;
    const { stratum } = now;
    if (stratum.fromMs < 0) stratum.fromMs = request.atMs;
    stratum.toMs = request.atMs;
    count(now.assigned[request.variant]!, request);
    count(now.served[request.served ?? request.variant]!, request);
    this.#countUnit(now, request);
    const startMs = Math.floor(request.atMs / SPAN_MS) * SPAN_MS;
    const span = this.#spans.at(-1);
    if (span?.startMs === startMs) span.observations++;
    else this.#spans.push({ startMs, endMs: startMs + SPAN_MS, observations: 1 });
  }

  /** Nobody comes until then. */
  idle(untilMs: number): void {
    for (let startMs = this.#spans.at(-1)!.endMs; startMs + SPAN_MS <= untilMs; startMs += SPAN_MS)
      this.#spans.push({ startMs, endMs: startMs + SPAN_MS, observations: 0 });
  }

  /** The same objects, which go on growing: look at once. */
  collected(): Collected {
    for (const { stratum, listeners } of this.#strata)
      stratum.units.dimensions = [
        { name: 'listener', slices: Array.from(listeners, ([name, counts]) => ({ name, counts })) },
      ];
    return {
      experiment: 'ranking',
      variants: this.#variants,
      fallback: 0,
      strata: this.#strata.filter(({ stratum }) => stratum.fromMs >= 0).map(({ stratum }) => stratum),
      spans: this.#spans,
      skewMs: this.skewMs,
      doubts: this.doubts,
    };
  }

  #arms(): Arm[] {
    return this.#variants.map(() => ({
      requests: 0,
      failures: 0,
      slow: 0,
      ignored: 0,
      latency: new Moments(),
      latencies: new Distribution(),
      bytes: new Moments(),
      metrics: new Map(),
    }));
  }

  #countUnit(
    { stratum, unitArms, units, listeners }: Growing,
    { unit: id, variant, isFailure, ms = 10, isSticky, listener = 'public' }: MadeUp,
  ): void {
    let unit = units.get(id);
    if (unit === undefined) {
      unit = { variant, errors: [0, 0], latency: [0, 0], isCrossed: false };
      units.set(id, unit);
      const arm = unitArms[variant]!;
      arm.units++;
      arm.distinct++;
      if (isSticky !== true) {
        arm.dealt++;
        const counts = listeners.get(listener) ?? this.#variants.map(() => 0);
        counts[variant]!++;
        listeners.set(listener, counts);
      }
      for (const sums of arm.sums.values()) sums.add(0, 0);
    }
    if (unit.variant !== variant && !unit.isCrossed) {
      unit.isCrossed = true;
      stratum.units.crossed++;
    }
    const { sums } = unitArms[unit.variant]!;
    move(sums.get('errors')!, unit.errors, isFailure === true ? 1 : 0);
    move(sums.get('latency')!, unit.latency, ms);
  }
}

function move(sums: UnitSums, unit: [number, number], value: number): void {
  const [x, y] = unit;
  unit[0] += value;
  unit[1]++;
  sums.move(x, y, unit[0], unit[1]);
}

function count(arm: Arm, { isFailure, isSlow, ms = 10, bytes = 100 }: MadeUp): void {
  arm.requests++;
  if (isFailure === true) arm.failures++;
  if (isSlow === true) arm.slow++;
  arm.latency.add(ms);
  arm.latencies.add(ms);
  arm.bytes.add(bytes);
}

/** Where results are made from: one experiment, with any plan. */
export class MadeUpSource implements AnalysisSource {
  experiment: MadeUpExperiment | null = null;
  readonly #plan: AnalysisPlan = { alpha: 0.05, metrics: [ERRORS, LATENCY] };
  /** How often it was asked. */
  asked = 0;

  collected(name: string): Collected | null {
    this.asked++;
    return name === 'ranking' ? (this.experiment?.collected() ?? null) : null;
  }

  pairs(): readonly CollectedPair[] {
    return [];
  }

  plan(name: string): AnalysisPlan | null {
    return name === 'ranking' && this.experiment !== null ? this.#plan : null;
  }
}

/** A metric as a config would have it. */
export function metricOf(metric: Partial<AnalysisMetric> & Pick<AnalysisMetric, 'name'>): AnalysisMetric {
  return {
    kind: 'errors',
    quantile: 0,
    over: 'units',
    by: 'assigned',
    role: 'goal',
    unit: 'share',
    better: 'lower',
    margin: 0,
    weight: 1,
    tunedFor: TUNED_FOR,
    ...metric,
  };
}

export const ERRORS = metricOf({ name: 'errors', role: 'guardrail', margin: 0.01 });
export const LATENCY = metricOf({ name: 'latency', kind: 'latency', unit: 'ms', margin: 1 });
export const P90 = metricOf({
  name: 'p90',
  kind: 'quantile',
  quantile: 0.9,
  over: 'requests',
  unit: 'ms',
  margin: 2,
});
