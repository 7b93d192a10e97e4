/** What is said of one metric of one variant beside the fallback. Pure. */
import type { AnalysisMetric, Collected } from '../collection/collected.ts';
import type { Interval } from '../interval.ts';
import { type GuardrailVerdict, judge, judgeGuardrail, type Verdict } from '../verdict.ts';
import { type Arms, type Measured, measure, observationsOf } from './metric-interval.ts';
import type { MetricResult } from './results.ts';

/** Over this long is what comes in now, for the time that it still takes. */
const PRESENT_MS = 300_000;

export interface MetricQuestion {
  readonly collected: Collected;
  readonly arms: Arms;
  /** Its part. */
  readonly alpha: number;
  readonly nowMs: number;
}

export function metricResult(metric: AnalysisMetric, question: MetricQuestion): MetricResult {
  const { collected, arms, alpha } = question;
  const sides = metric.role === 'guardrail' ? 'one' : 'two';
  const measured = measure(metric, collected, arms, { alpha, sides, tunedFor: metric.tunedFor });
  const { interval } = measured;
  const verdict = judged(metric, measured, question);
  const isOpen = verdict.kind === 'insufficient';
  return {
    name: metric.name,
    role: metric.role,
    over: metric.over,
    by: metric.by,
    unit: metric.unit,
    better: metric.better,
    margin: metric.margin,
    alpha,
    control: interval.control,
    candidate: interval.candidate,
    difference: interval.difference,
    low: finite(interval.low),
    high: finite(interval.high),
    p: interval.p,
    observations: interval.observations,
    verdict: {
      kind: verdict.kind,
      reason: `${verdict.reason}${ofWhich(measured, collected)}`,
      etaMs: isOpen ? verdict.etaMs : null,
      observationsNeeded: isOpen ? verdict.observationsNeeded : null,
    },
  };
}

function judged(
  metric: AnalysisMetric,
  { interval, stratum, needed }: Measured,
  { collected, arms, nowMs }: MetricQuestion,
): Verdict | GuardrailVerdict {
  const current = collected.strata.at(-1)!;
  const seen =
    observationsOf(metric, current, arms.control) + observationsOf(metric, current, arms.candidate);
  const requests = sumOf(current.assigned, (arm) => arm.requests);
  // Of one of them alone no comparison gets surer: after a promotion, or when it was taken back.
  const areBoth = current.shares[arms.control]! > 0 && current.shares[arms.candidate]! > 0;
  const rate = !areBoth || requests === 0 ? 0 : (requestRate(collected, nowMs) * seen) / requests;
  const ask = (ratePerSecond: number) => by(metric.role)(interval, metric, ratePerSecond, needed);
  const verdict = ask(rate);
  const isOfEarlier = stratum !== null && stratum < collected.strata.length - 1;
  if (!isOfEarlier || verdict.kind !== 'insufficient' || verdict.observationsNeeded === null) return verdict;
  // What comes in now counts for another time, which has to begin where it stands.
  return ask((rate * missing(interval, verdict.observationsNeeded)) / (verdict.observationsNeeded - seen));
}

function by(
  role: MetricResult['role'],
): (...question: Parameters<typeof judge>) => Verdict | GuardrailVerdict {
  return role === 'guardrail' ? judgeGuardrail : judge;
}

function missing({ observations }: Interval, needed: number): number {
  return Math.max(1, needed - observations);
}

/** Of all variants, a second: in the last minutes that are over, or in the first one so far. */
function requestRate({ spans, strata }: Collected, nowMs: number): number {
  const recent = spans.filter(({ endMs }) => endMs > nowMs - PRESENT_MS);
  const { fromMs, assigned } = strata.at(-1)!;
  const [requests, ms] =
    spans.length === 0
      ? [sumOf(assigned, (arm) => arm.requests), nowMs - fromMs]
      : [sumOf(recent, (span) => span.observations), sumOf(recent, (span) => span.endMs - span.startMs)];
  return ms > 0 ? (1000 * requests) / ms : 0;
}

function sumOf<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((sum, item) => sum + of(item), 0);
}

/** Where there were several splits, of which of them it is. */
function ofWhich({ stratum, isWorseNow }: Measured, { strata }: Collected): string {
  if (strata.length === 1) return '';
  if (stratum === null) return `, averaged over ${strata.length} splits`;
  return isWorseNow ? ', in the latest split' : `, in the one of ${strata.length} splits that tells most`;
}

function finite(end: number): number | null {
  return Number.isFinite(end) ? end : null;
}
