/**
 * Faults made on purpose, for game days: what may be done to an attempt at an upstream, and whether it is done to
 * this one. Rates are per attempt and drawn apart: a retry of a request that was hit may be spared. Decides only;
 * `proxy/injection.ts` does it. Pure.
 */

/** What is done, each to its share of the attempts, 0 to 1; null: that is left out. */
export interface Fault {
  /** The answer is held back for `durationMs`, more or less by up to `jitterMs`. */
  readonly delay: { readonly durationMs: number; readonly jitterMs: number; readonly ratio: number } | null;
  /** Answered with this status, and the upstream sees nothing. */
  readonly abort: { readonly status: number; readonly ratio: number } | null;
  /** The connection is reset before anything is sent. Wins over an abort. */
  readonly reset: { readonly ratio: number } | null;
  /** Only requests with this field, in lower case, and with this value if there is one; null: all. */
  readonly when: { readonly header: string; readonly value: string | null } | null;
}

/** Whom it is done to: all of a route, or whoever is served a variant, there or everywhere. */
export interface FaultScope {
  /** Null: any. */
  readonly route: string | null;
  /** Null: the request need not take part in one. Not null together with `variant`. */
  readonly experiment: string | null;
  readonly variant: string | null;
}

/** A fault in force. */
export interface ScopedFault extends FaultScope {
  readonly fault: Fault;
  /** Milliseconds since the epoch; Infinity: no end. */
  readonly untilWallMs: number;
  /** On the monotonic clock of this process; Infinity: no end. */
  readonly untilMs: number;
}

export type FaultKind = 'delay' | 'abort' | 'reset';

/** What is done to one attempt. A delay comes before the rest. */
export interface Blow {
  readonly delayMs: number;
  /** Null: it goes to the upstream after all. */
  readonly ending: { readonly kind: 'abort'; readonly status: number } | { readonly kind: 'reset' } | null;
}

/** Draws what is done to an attempt; null: nothing. `random` answers numbers in [0, 1). */
export function strike({ delay, abort, reset }: Fault, random: () => number): Blow | null {
  const isDelayed = delay !== null && random() < delay.ratio;
  const delayMs = isDelayed
    ? Math.max(0, delay.durationMs + (delay.jitterMs === 0 ? 0 : (2 * random() - 1) * delay.jitterMs))
    : 0;
  if (reset !== null && random() < reset.ratio) return { delayMs, ending: { kind: 'reset' } };
  if (abort !== null && random() < abort.ratio)
    return { delayMs, ending: { kind: 'abort', status: abort.status } };
  return isDelayed ? { delayMs, ending: null } : null;
}

/** Both blows in one: delays add up, and the ending is the one that `first` has, or else the other. */
export function together(first: Blow | null, second: Blow | null): Blow | null {
  if (first === null || second === null) return first ?? second;
  return { delayMs: first.delayMs + second.delayMs, ending: first.ending ?? second.ending };
}

/** The kinds in a blow, in the order in which they happen. */
export function kindsOf({ delayMs, ending }: Blow): FaultKind[] {
  const kinds: FaultKind[] = delayMs > 0 ? ['delay'] : [];
  if (ending !== null) kinds.push(ending.kind);
  return kinds;
}

/** `delay 300ms +-100ms 50%, abort 503 10%, when x-game-day`: for people and the audit. */
export function describeFault({ delay, abort, reset, when }: Fault): string {
  const parts: string[] = [];
  if (delay !== null) {
    const jitter = delay.jitterMs === 0 ? '' : ` +-${delay.jitterMs}ms`;
    parts.push(`delay ${delay.durationMs}ms${jitter} ${percent(delay.ratio)}`);
  }
  if (abort !== null) parts.push(`abort ${abort.status} ${percent(abort.ratio)}`);
  if (reset !== null) parts.push(`reset ${percent(reset.ratio)}`);
  if (when !== null) parts.push(`when ${when.header}${when.value === null ? '' : ' has its value'}`);
  return parts.join(', ');
}

/** Shares are kept to a millionth. */
function percent(ratio: number): string {
  return `${Math.round(ratio * 1e6) / 1e4}%`;
}

/** `api`, `ranking/candidate` or `api/ranking/candidate`. */
export function nameOfScope({ route, experiment, variant }: FaultScope): string {
  return [route, experiment, variant].filter((part) => part !== null).join('/');
}
