/**
 * What was changed while running, apart from the declared configuration: a status, weights, and the slot table
 * that makes ramps sticky. `control/` owns and stores it; `compile.ts` lays it over the declared config. Plain data.
 */
/** Who changed it, why and when. */
export interface ChangeRecord {
  readonly reason: string;
  readonly actor: string;
  /** ISO 8601, wall clock. */
  readonly at: string;
}

/** What may be set while running; draft and concluded are the file's to say. */
export type SettableStatus = 'running' | 'paused' | 'killed';

/** A draft is nobody's yet, and a concluded experiment is over: neither is started or paused while running. */
export function isSteerable(declaredStatus: string): boolean {
  return declaredStatus !== 'draft' && declaredStatus !== 'concluded';
}

export interface RuntimeStatus extends ChangeRecord {
  readonly status: SettableStatus;
}

export interface RuntimeWeights extends ChangeRecord {
  /** Every variant by name; adds up to 1,000,000. */
  readonly weightsPpm: Readonly<Record<string, number>>;
  /** The declared weights at that time: when the file declares others, the file is newer and wins. */
  readonly declaredPpm: Readonly<Record<string, number>>;
}

/** Slots [start, end) by the name of the owner, because positions change when the file is edited. */
export interface NamedSlotRange {
  readonly start: number;
  readonly end: number;
  readonly variant: string;
}

export interface RuntimeExperiment {
  /** The salt the slots belong to: another salt deals everyone anew. */
  readonly salt: string;
  readonly status: RuntimeStatus | null;
  readonly weights: RuntimeWeights | null;
  /** Empty: nothing was dealt out yet. */
  readonly slots: readonly NamedSlotRange[];
  /** From 1, one more for each change of the slots or the salt. */
  readonly epoch: number;
  /** Since when this salt has been in effect, ISO 8601; null: not known. */
  readonly seenAt: string | null;
  /** How often what was collected of it was forgotten: each time its analysis begins anew. */
  readonly forgets: number;
}

export interface RuntimeState {
  readonly experiments: ReadonlyMap<string, RuntimeExperiment>;
}

export const EMPTY_RUNTIME: RuntimeState = Object.freeze({
  experiments: new Map<string, RuntimeExperiment>(),
});

/** Whether two sets of weights are the same, whatever the order. */
export function isSameWeights(
  left: Readonly<Record<string, number>>,
  right: Readonly<Record<string, number>>,
): boolean {
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length &&
    names.every((name) => Object.hasOwn(right, name) && left[name] === right[name])
  );
}
