/** The sentences for limits that are compared with the control, or judged with a confidence. Pure text. */
import type { Relative, Share } from './confidence.ts';
import type { Confidence } from './limits.ts';
import type { QuantileFinding } from './quantile.ts';
import { formatMs, formatRatio } from './reason.ts';

/** What two shares were, and how far back one looked. */
export interface SharesCompared {
  readonly candidate: Share;
  readonly control: Share;
  readonly limit: Relative;
  readonly windowMs: number;
  readonly confidence: Confidence;
}

/** `error rate 8.1% > control's 0.5% + 1% (17 of 210 calls, of control 98 of 19800, in 10s; sure to 99.999%)` */
export function besideReason(
  what: string,
  { candidate, control, limit, windowMs, confidence }: SharesCompared,
): string {
  const allowed = against(formatRatio(control.bad / control.calls), limit, formatRatio);
  return `${what} ${formatRatio(candidate.bad / candidate.calls)} > ${allowed} (${counts(candidate)}, of control ${control.bad} of ${control.calls}, in ${formatMs(windowMs)}; ${sure(confidence)})`;
}

/** `p99 182ms > 1.3 x control's 98ms (1430 calls, of control 15021, in 10s; sure to 99.999%)` */
export function quantileReason(
  name: string,
  { candidateMs, controlMs, calls, controlCalls }: QuantileFinding,
  { limit, windowMs, confidence }: Pick<SharesCompared, 'limit' | 'windowMs' | 'confidence'>,
): string {
  const allowed = against(formatMs(controlMs), limit, formatMs);
  return `${name} ${formatMs(candidateMs)} > ${allowed} (${calls} calls, of control ${controlCalls}, in ${formatMs(windowMs)}; ${sure(confidence)})`;
}

/** `p99 > 300ms: 4.2% of the calls took longer (60 of 1430 calls, 12 of them still in flight; sure to 99.999%)` */
export function fixedQuantileReason(
  name: string,
  limitMs: number,
  over: Share,
  { aged, confidence }: { readonly aged: number; readonly confidence: Confidence },
): string {
  const inFlight = aged === 0 ? '' : `, ${aged} of them still in flight`;
  return `${name} > ${formatMs(limitMs)}: ${formatRatio(over.bad / over.calls)} of the calls took longer (${counts(over)}${inFlight}; ${sure(confidence)})`;
}

/** `held back, as control is bad too (12.1%, 506 of 4180 calls): error rate 12% >= 5% (...)` */
export function heldReason(breach: string, control: Share | null): string {
  if (control === null) return `held back, as control is bad too: ${breach}`;
  return `held back, as control is bad too (${formatRatio(control.bad / control.calls)}, ${counts(control)}): ${breach}`;
}

/** `2 x control's 0.5% + 1%` */
function against(control: string, { factor, plus }: Relative, format: (plus: number) => string): string {
  const times = factor === 1 ? '' : `${factor} x `;
  return `${times}control's ${control}${plus === 0 ? '' : ` + ${format(plus)}`}`;
}

function counts({ bad, calls }: Share): string {
  return `${bad} of ${calls} calls`;
}

function sure({ ratio }: Confidence): string {
  return `sure to ${Number((ratio * 100).toFixed(4))}%`;
}
