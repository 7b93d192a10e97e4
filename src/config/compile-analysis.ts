/** What is collected of an experiment and how it is judged, as declared, to the plan that `analysis/` follows. Pure. */
import { createHash } from 'node:crypto';
import type { AnalysisMetric, AnalysisPlan } from '../analysis/collection/collected.ts';
import type { Measure } from '../analysis/collection/measure.ts';
import { TUNED_FOR } from '../analysis/sequence.ts';
import type { Experiment } from '../experiment/model.ts';
import type { RuntimeState } from './runtime.ts';
import type { Config } from './schema.ts';
import { type AnalysisConfig, BUILT_IN, type BuiltIn, type MetricConfig } from './schema-analysis.ts';
import { type Parsed, PPM, parseDuration, parsePercent, parseSize } from './units.ts';

export interface AnalysisSettings {
  readonly plan: AnalysisPlan;
  /** Metrics of one's own, in the order of a request's values. */
  readonly measures: readonly Measure[];
  /** Of all that makes numbers worthless when it changes: they are then collected anew. */
  readonly digest: string;
}

const ALPHA_PPM = 50_000;
const ALPHA_MAX_PPM = 500_000;
const DEFAULT_METRICS: AnalysisConfig['metrics'] = ['errors', 'latency'];

type Unit = AnalysisMetric['unit'];

/** What is declared and what is not. */
const BUILT_IN_UNITS: Readonly<Record<'errors' | 'latency' | 'bytes', Unit>> = {
  errors: 'share',
  latency: 'ms',
  bytes: 'bytes',
};
const DEFAULT_MARGINS: Readonly<Record<AnalysisMetric['kind'], Readonly<Record<Unit, number>>>> = {
  errors: { share: 0.01, ms: 0, bytes: 0, number: 0 },
  latency: { share: 0, ms: 10, bytes: 0, number: 0 },
  quantile: { share: 0, ms: 50, bytes: 0, number: 0 },
  bytes: { share: 0, ms: 0, bytes: 1024, number: 0 },
  custom: { share: 0.01, ms: 10, bytes: 1024, number: 0 },
};

/** By experiment; those without `analysis` are not in it. */
export function compileAnalyses(
  config: Config,
  experiments: ReadonlyMap<string, Experiment>,
  runtime: RuntimeState,
): Map<string, AnalysisSettings> {
  const all = new Map<string, AnalysisSettings>();
  for (const [name, { analysis }] of Object.entries(config.experiments)) {
    const experiment = experiments.get(name);
    if (analysis !== undefined && experiment !== undefined)
      all.set(name, compileAnalysis(analysis, experiment, runtime.experiments.get(name)?.forgets));
  }
  return all;
}

/**
 * @param experiment Its variants, fallback and unit: numbers of others are no numbers of it.
 * @param forgets How often what was collected was forgotten.
 */
export function compileAnalysis(
  analysis: AnalysisConfig,
  experiment: Pick<Experiment, 'variants' | 'fallback' | 'unit'>,
  forgets = 0,
): AnalysisSettings {
  const declared = metricsOf(analysis);
  const isEachItsOwn = experiment.unit.every(({ kind }) => kind === 'request');
  const plan: AnalysisPlan = {
    alpha: (analysis.alpha ?? ALPHA_PPM) / PPM,
    metrics: declared.map((metric) => compileMetric(metric, isEachItsOwn)),
  };
  const measures = declared.filter((metric) => !isBuiltIn(metric.name)).map(measureOf);
  const variants = experiment.variants.map(({ name }) => name);
  const question = { plan, measures, variants, fallback: experiment.fallback.name, unit: experiment.unit };
  // As long as nothing was forgotten, what earlier releases have kept goes on.
  const whole = forgets === 0 ? question : { ...question, forgets };
  const digest = createHash('sha256').update(JSON.stringify(whole)).digest('hex').slice(0, 12);
  return { plan, measures, digest };
}

/** The metrics with what is short for them written out. */
export function metricsOf({ metrics = DEFAULT_METRICS }: AnalysisConfig): MetricConfig[] {
  return metrics!.map((metric) => (typeof metric === 'string' ? { name: metric } : metric));
}

export function isBuiltIn(name: string): name is BuiltIn {
  return (BUILT_IN as readonly string[]).includes(name);
}

/** In what a metric is measured. */
export function unitOf(metric: MetricConfig): Unit {
  const kind = kindOf(metric.name);
  if (kind === 'custom') return metric.unit ?? 'number';
  return kind === 'quantile' ? 'ms' : BUILT_IN_UNITS[kind];
}

/** What a metric is there for. */
export function roleOf({ name, role }: MetricConfig): AnalysisMetric['role'] {
  return role ?? (name === 'errors' ? 'guardrail' : 'goal');
}

/** A margin in a unit as people write it, as the number in it. */
export function readMargin(margin: number | string, unit: Unit): Parsed<number> {
  if (unit === 'number') {
    if (typeof margin === 'number') return { ok: true, value: margin };
    return { ok: false, problem: `found ${JSON.stringify(margin)}; the margin of a number is a number` };
  }
  const written = String(margin);
  if (unit === 'ms') return parseDuration(written);
  if (unit === 'bytes') return parseSize(written);
  const ppm = parsePercent(written);
  return ppm.ok ? { ok: true, value: ppm.value / PPM } : ppm;
}

/** Alpha above this promises nothing. */
export function isTooLoose({ alpha = 0 }: AnalysisConfig): boolean {
  return alpha > ALPHA_MAX_PPM;
}

function compileMetric(metric: MetricConfig, isEachItsOwn: boolean): AnalysisMetric {
  const kind = kindOf(metric.name);
  const unit = unitOf(metric);
  const margin = metric.margin === undefined ? null : readMargin(metric.margin, unit);
  const isOverRequests = kind === 'quantile' || metric.by === 'served' || (isEachItsOwn && !metric.event);
  return {
    name: metric.name,
    kind,
    quantile: kind === 'quantile' ? Number(metric.name.slice(1)) / 100 : 0,
    over: metric.over ?? (isOverRequests ? 'requests' : 'units'),
    by: metric.by ?? 'assigned',
    role: roleOf(metric),
    unit,
    better: metric.better ?? 'lower',
    margin: margin?.ok === true ? margin.value : DEFAULT_MARGINS[kind][unit],
    weight: metric.weight ?? 1,
    tunedFor: metric.tunedFor ?? TUNED_FOR,
  };
}

function kindOf(name: string): AnalysisMetric['kind'] {
  if (name === 'errors' || name === 'latency' || name === 'bytes') return name;
  return isBuiltIn(name) ? 'quantile' : 'custom';
}

function measureOf(metric: MetricConfig): Measure {
  const { name, header, trailer, event = false, per = event ? 'unit' : 'value' } = metric;
  const isOnce = unitOf(metric) === 'share' && per === 'unit';
  if (event) return { name, source: 'event', field: '', per, isOnce };
  if (trailer !== undefined) return { name, source: 'trailer', field: trailer, per, isOnce };
  return { name, source: 'header', field: header ?? '', per, isOnce };
}
