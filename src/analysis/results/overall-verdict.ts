/**
 * The one verdict of an experiment and the sentence for it. In this order:
 *
 * 1. `breach`: a guardrail. Also when the numbers are not to be believed, which the sentence then says: whoever reads it
 *    has to look at once either way, and to be silent about requests that fail would be the worse mistake. What makes
 *    numbers invalid makes comparisons wrong; it seldom makes requests fail.
 * 2. `invalid`: hold. Neither good nor bad news may be acted upon.
 * 3. What the goals say, once the guardrails hold. `better` with a guardrail that is not known yet is `insufficient`:
 *    it would be taken as leave to go on.
 *
 * Pure.
 */

import { durationInWords } from '../wording.ts';
import type { Comparison, MetricResult, Results } from './results.ts';

type Overall = Results['verdict'];

export function overallVerdict(comparisons: readonly Comparison[], invalid: Results['invalid']): Overall {
  const doubt = invalid[0] === undefined ? null : invalid.map(({ reason }) => reason).join('; ');
  const breaches = comparisons.flatMap(({ variant, metrics }) =>
    metrics
      .filter(({ verdict }) => verdict.kind === 'breach')
      .map(({ verdict }) => `${variant}: ${verdict.reason}`),
  );
  if (breaches.length > 0) {
    const but = doubt === null ? '' : `; but do not rely on the numbers: ${doubt}`;
    return { kind: 'breach', reason: `take it back: ${breaches.join('; ')}${but}`, etaMs: null };
  }
  if (doubt !== null)
    return { kind: 'invalid', reason: `hold, the numbers are not to be believed: ${doubt}`, etaMs: null };
  return together(comparisons.map(ofVariant));
}

interface OfVariant {
  readonly kind: 'better' | 'worse' | 'mixed' | 'noDifference' | 'insufficient';
  readonly reason: string;
  readonly etaMs: number | null;
}

function ofVariant({ variant, metrics }: Comparison): OfVariant {
  const goals = metrics.filter(({ role }) => role === 'goal');
  const openGuardrails = metrics.filter(({ role, verdict }) => role === 'guardrail' && isOpen(verdict));
  const [better, worse] = (['better', 'worse'] as const).map((kind) =>
    goals.filter(({ verdict }) => verdict.kind === kind),
  ) as [MetricResult[], MetricResult[]];
  const say = (of: readonly MetricResult[]): string => of.map(({ verdict }) => verdict.reason).join('; ');
  if (worse.length > 0 && better.length > 0)
    return { kind: 'mixed', reason: `${variant} is both: ${say([...better, ...worse])}`, etaMs: null };
  if (worse.length > 0) return { kind: 'worse', reason: `${variant} is worse: ${say(worse)}`, etaMs: null };
  if (better.length > 0 && openGuardrails.length === 0)
    return { kind: 'better', reason: `${variant} is better: ${say(better)}${holding(metrics)}`, etaMs: null };
  const open = [...goals.filter(({ verdict }) => isOpen(verdict)), ...openGuardrails];
  if (open.length > 0) return waiting(variant, { open, better });
  if (goals.length === 0)
    return {
      kind: 'noDifference',
      reason: `${variant} holds its guardrails, and there is no goal`,
      etaMs: null,
    };
  const reason = `${variant} makes no difference that matters: ${say(goals)}${holding(metrics)}`;
  return { kind: 'noDifference', reason, etaMs: null };
}

function isOpen({ kind }: MetricResult['verdict']): boolean {
  return kind === 'insufficient';
}

function holding(metrics: readonly MetricResult[]): string {
  return metrics.some(({ role }) => role === 'guardrail') ? '; its guardrails hold' : '';
}

/** Until all are known. */
function waiting(
  variant: string,
  { open, better }: { readonly open: readonly MetricResult[]; readonly better: readonly MetricResult[] },
): OfVariant {
  const etas = open.map(({ verdict }) => verdict.etaMs);
  const etaMs = etas.some((eta) => eta === null) ? null : Math.max(...etas.map((eta) => eta ?? 0));
  const time = etaMs === null ? 'nobody can say how long' : durationInWords(etaMs);
  const names = open.map(({ name }) => name).join(', ');
  const sofar = better.map(({ verdict }) => `${verdict.reason}; but `).join('');
  return {
    kind: 'insufficient',
    reason: `${variant}: ${sofar}not enough data yet for ${names}, ${time}`,
    etaMs,
  };
}

/** Of several variants: one that is better may be taken; otherwise all of them have to be known. */
function together(all: readonly OfVariant[]): Overall {
  const reason = all.map((one) => one.reason).join('; ');
  const find = (kind: OfVariant['kind']) => all.find((one) => one.kind === kind);
  const decisive = find('better') ?? find('insufficient');
  if (decisive?.kind === 'insufficient') {
    const etas = all.filter(({ kind }) => kind === 'insufficient').map(({ etaMs }) => etaMs);
    const etaMs = etas.some((eta) => eta === null) ? null : Math.max(...etas.map((eta) => eta ?? 0));
    return { kind: 'insufficient', reason, etaMs };
  }
  if (decisive !== undefined) return { kind: 'better', reason, etaMs: null };
  const [first, ...rest] = all;
  if (first === undefined)
    return { kind: 'insufficient', reason: 'there is nothing to compare', etaMs: null };
  const isSame = rest.every(({ kind }) => kind === first.kind);
  return { kind: isSame ? first.kind : 'mixed', reason, etaMs: null };
}
