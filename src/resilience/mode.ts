/**
 * Who decides what a breaker does: it does itself, it only says what it would do, or a person has decided, for a time
 * and never longer than a day. Pure.
 */
import { formatSpan } from './reason.ts';

/** What a person may ask for: turn everything away, let everything through, or observe only. */
export type ForceKind = 'open' | 'closed' | 'observe';

/** What a person has asked for. */
export interface Force {
  readonly kind: ForceKind;
  /** When it is over, on the clock that the breaker is told. */
  readonly untilMs: number;
  readonly reason: string;
}

/** `observe`: it moves as ever and turns nothing away. */
export type BreakerMode = 'enforce' | 'observe' | 'forced-open' | 'forced-closed' | 'forced-observe';

/** What somebody did in a hurry is over at the latest after a day, whether they remember it or not. */
export const FORCE_MAX_MS = 24 * 60 * 60 * 1000;

const SENTENCES: Readonly<Record<ForceKind, string>> = {
  open: 'forced open',
  closed: 'forced closed',
  observe: 'told only to observe',
};

/** @throws RangeError unless `forMs` is above 0 and at most `FORCE_MAX_MS` */
export function forceFor(kind: ForceKind, forMs: number, why: string, nowMs: number): Force {
  if (!(forMs > 0 && forMs <= FORCE_MAX_MS))
    throw new RangeError(`A breaker is forced for more than 0 ms and at most a day, not for ${forMs} ms.`);
  return { kind, untilMs: nowMs + forMs, reason: `${SENTENCES[kind]} for ${formatSpan(forMs)}: ${why}` };
}

/** The mode of a breaker that is declared so, and forced so. */
export function modeOf(declared: 'enforce' | 'observe' | undefined, force: Force | null): BreakerMode {
  return force === null ? (declared ?? 'enforce') : `forced-${force.kind}`;
}

/** Whether it moves without effect. */
export function isObserving(mode: BreakerMode): boolean {
  return mode === 'observe' || mode === 'forced-observe';
}

/** The sentence for a time that is over. */
export function endedReason({ kind }: Force): string {
  return `the time of being ${SENTENCES[kind]} is over`;
}
