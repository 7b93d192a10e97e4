/**
 * Do the guardrails of a step hold? Three-valued: passed only when all have, breached when one is, and otherwise there is
 * too little to say, with the time it takes. Each may be looked at all the time, beside control and against a limit,
 * exactly: see `share-difference.ts`. What a plan may be wrong by chance is
 * shared out to all guardrails of all its steps. Pure.
 */
import type { Tosses } from '../mixture.ts';
import type { Results } from '../results/results.ts';
import { type SequenceSettings, TUNED_FOR } from '../sequence.ts';
import { boundShare, compareShares } from '../share-difference.ts';
import { judgeGuardrail } from '../verdict.ts';
import { countInWords, durationInWords, inWords } from '../wording.ts';
import { analysisChecks } from './rollout-analysis.ts';
import {
  type ArmCounts,
  COMPARED,
  type Guardrail,
  REGRESSIONS,
  type RolloutCounts,
  type RolloutPlan,
  type RolloutStep,
} from './rollout-plan.ts';

/** What was looked at, for the record. */
export interface Check {
  readonly guardrail: string;
  readonly kind: 'pass' | 'breach' | 'insufficient';
  readonly reason: string;
  readonly control: Counted | null;
  /** Null: of the analysis, which counts in its own way. */
  readonly candidate: Counted | null;
  /** What the analysis has seen. */
  readonly seen?: {
    readonly control: number | null;
    readonly candidate: number | null;
    readonly low: number | null;
    readonly high: number | null;
    readonly observations: number;
  };
  readonly margin: number | null;
  readonly limit: number | null;
  readonly alpha: number;
  /** Until there is enough, at the present rate; null: nobody knows, or there is. */
  readonly etaMs: number | null;
}

export interface StepVerdict {
  readonly kind: 'pass' | 'breach' | 'insufficient';
  readonly reason: string;
  readonly etaMs: number | null;
  readonly checks: readonly Check[];
}

/** Nothing is left of control to compare with. */
const WHOLE_PPM = 1_000_000;

/** @param ratePerSecond requests that come in, of both variants; 0: none do. */
export function judgeStep(
  plan: RolloutPlan,
  step: RolloutStep,
  {
    counts,
    ratePerSecond,
    results,
  }: {
    readonly counts: RolloutCounts;
    readonly ratePerSecond: number;
    /** Of the experiment's analysis; null: it has none. */
    readonly results: Results | null;
  },
): StepVerdict {
  const alpha = alphaOfEach(plan);
  const own = step.guardrails.flatMap((guardrail) =>
    checksOf(guardrail, { step, counts, ratePerSecond, alpha }),
  );
  const checks =
    step.sharePpm < WHOLE_PPM ? [...own, ...analysisChecks(step.analysis, plan.candidate, results)] : own;
  const breach = checks.find(({ kind }) => kind === 'breach');
  if (breach !== undefined) return { kind: 'breach', reason: breach.reason, etaMs: null, checks };
  const waiting = checks.filter(({ kind }) => kind === 'insufficient');
  if (waiting.length === 0)
    return {
      kind: 'pass',
      reason: checks.length === 0 ? 'no guardrail to hold' : checks.map(({ reason }) => reason).join('; '),
      etaMs: null,
      checks,
    };
  const etas = waiting.map(({ etaMs }) => etaMs);
  const etaMs = etas.some((eta) => eta === null) ? null : Math.max(...etas.map((eta) => eta ?? 0));
  return { kind: 'insufficient', reason: waiting[0]!.reason, etaMs, checks };
}

/** By Bonferroni: of all guardrails in all steps, a margin and a limit being two. */
function alphaOfEach({ alpha, steps }: RolloutPlan): number {
  const questions = steps.flatMap(({ guardrails }) =>
    guardrails.flatMap(({ margin, limit }) => [margin, limit].filter((one) => one !== null)),
  );
  return alpha / Math.max(1, questions.length);
}

interface Question {
  readonly step: RolloutStep;
  readonly counts: RolloutCounts;
  readonly ratePerSecond: number;
  readonly alpha: number;
}

function checksOf(guardrail: Guardrail, question: Question): Check[] {
  const checks: Check[] = [];
  if (guardrail.margin !== null && question.step.sharePpm < WHOLE_PPM)
    checks.push(besideControl(guardrail, guardrail.margin, question));
  if (guardrail.limit !== null) checks.push(belowLimit(guardrail, guardrail.limit, question));
  return checks;
}

function besideControl({ name, metric }: Guardrail, margin: number, question: Question): Check {
  const { counts, alpha } = question;
  const [control, candidate] = [of(counts.control, metric), of(counts.candidate, metric)];
  const settings: SequenceSettings = { alpha, sides: 'one', tunedFor: TUNED_FOR };
  const interval = compareShares(tossesOf(control), tossesOf(candidate), settings);
  const meaning = { name, unit: 'share', better: 'lower', margin } as const;
  const verdict = judgeGuardrail(interval, meaning, rateOf(metric, question));
  const etaMs = verdict.kind === 'insufficient' ? verdict.etaMs : null;
  const { kind, reason } = verdict;
  return { guardrail: name, kind, reason, control, candidate, margin, limit: null, alpha, etaMs };
}

function belowLimit({ name, metric }: Guardrail, limit: number, question: Question): Check {
  const { counts, alpha } = question;
  const ratePerSecond = rateOf(metric, question);
  const candidate = of(counts.candidate, metric);
  const { hits, requests } = candidate;
  const { low, high } = boundShare(tossesOf(candidate), { alpha, sides: 'one', tunedFor: TUNED_FOR });
  const kind = low > limit ? 'breach' : high <= limit ? 'pass' : 'insufficient';
  const seen = requests === 0 ? 'nothing seen' : inWords(hits / requests, 'share');
  const bounds = `between ${inWords(low, 'share')} and ${inWords(high, 'share')}`;
  const numbers = `${seen}, ${bounds}, limit ${inWords(limit, 'share')} (n=${countInWords(requests)})`;
  const etaMs =
    kind === 'insufficient'
      ? timeUntil(limit, { low, high }, { candidate, control: of(counts.control, metric), ratePerSecond })
      : null;
  const rate = ratePerSecond > 0 ? 'nobody can say how long' : 'none is coming in';
  const waiting = etaMs === null ? `and ${rate}` : durationInWords(etaMs);
  const said = {
    pass: `${name}: below the limit`,
    breach: `${name}: above the limit`,
    insufficient: `${name}: not enough data yet, ${waiting}`,
  }[kind];
  return {
    guardrail: name,
    kind,
    reason: `${said}: ${numbers}`,
    control: null,
    candidate,
    margin: null,
    limit,
    alpha,
    etaMs,
  };
}

/** About: an interval narrows with the root of the count. */
function timeUntil(
  limit: number,
  { low, high }: { readonly low: number; readonly high: number },
  seen: { readonly candidate: Counted; readonly control: Counted; readonly ratePerSecond: number },
): number | null {
  const { candidate, control, ratePerSecond } = seen;
  const { hits, requests } = candidate;
  const share = requests / Math.max(1, requests + control.requests);
  const distance = requests === 0 ? 0 : Math.abs(limit - hits / requests);
  if (distance === 0 || !(ratePerSecond > 0)) return null;
  const width = limit > hits / requests ? high - hits / requests : hits / requests - low;
  const more = requests * ((width / distance) ** 2 - 1);
  return (Math.max(1, more) / (ratePerSecond * share)) * 1000;
}

export interface Counted {
  readonly hits: number;
  readonly requests: number;
}

function of({ hits, requests }: ArmCounts, metric: string): Counted {
  return { hits: hits[metric] ?? 0, requests: metric === REGRESSIONS ? (hits[COMPARED] ?? 0) : requests };
}

/** What comes in a second of what the metric is a share of. */
function rateOf(metric: string, { counts: { control, candidate }, ratePerSecond }: Question): number {
  const all = control.requests + candidate.requests;
  const counted = of(control, metric).requests + of(candidate, metric).requests;
  return all === 0 ? 0 : (ratePerSecond * counted) / all;
}

function tossesOf({ hits, requests }: Counted): Tosses {
  return { hits, trials: requests };
}
