/**
 * The arithmetic of run-time changes: a change asked for is checked against the declared config and gives the next
 * run-time state, or says why not. Deterministic; keeps nothing and does no I/O.
 */
import { saltOf } from '../config/dealing.ts';
import type { ChangeRecord, RuntimeExperiment, RuntimeState, RuntimeStatus } from '../config/runtime.ts';
import { isSameWeights, isSteerable } from '../config/runtime.ts';
import type { Config } from '../config/schema.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { didYouMean } from '../config/suggest.ts';
import { formatPercent, PPM } from '../config/units.ts';
import { declaredWeights } from '../config/weights.ts';

/** What a person or a loop may change while running. Every change says why. */
export type Change =
  | {
      readonly kind: 'set-status';
      readonly experiment: string;
      readonly status: RuntimeStatus['status'];
      readonly reason: string;
    }
  | {
      readonly kind: 'set-weights';
      readonly experiment: string;
      /** By variant; a variant that is left out keeps its weight, and the fallback, if left out, gets the rest. */
      readonly weightsPpm: Readonly<Record<string, number>>;
      readonly reason: string;
    }
  /** Back to the declared status and weights. */
  | { readonly kind: 'clear'; readonly experiment: string; readonly reason: string }
  /** What was collected of it counts no more: its analysis begins anew. */
  | { readonly kind: 'forget-results'; readonly experiment: string; readonly reason: string };

export interface Refusal {
  readonly ok: false;
  readonly code:
    | 'experiment_not_found'
    | 'variant_not_found'
    | 'weights_invalid'
    | 'reason_missing'
    | 'not_analysed'
    | 'status_fixed';
  /** The part of the change that is wrong: `experiment`, `weightsPpm.candidate`. */
  readonly path: string;
  readonly message: string;
  /** What to do instead. */
  readonly hint: string;
}

export interface Accepted {
  readonly ok: true;
  readonly runtime: RuntimeState;
}

const REASON_MAX = 1000;

/** @param snapshot What is in effect now. */
export function applyChange(
  change: Change,
  record: Omit<ChangeRecord, 'reason'>,
  now: { readonly config: Config; readonly runtime: RuntimeState; readonly snapshot: Snapshot },
): Accepted | Refusal {
  const experiment = now.snapshot.experiments.get(change.experiment);
  const declared = experiment === undefined ? undefined : now.config.experiments[change.experiment];
  const before = now.runtime.experiments.get(change.experiment);
  if (experiment === undefined || declared === undefined || before === undefined)
    return unknownExperiment(change, now.snapshot);
  if (change.reason.trim() === '') {
    return refusal(
      'reason_missing',
      'reason',
      'no reason is given',
      'say in a few words why; it goes into the audit record',
    );
  }
  const reason = change.reason.trim().slice(0, REASON_MAX);
  switch (change.kind) {
    case 'set-status':
      if (change.status !== 'killed' && !isSteerable(declared.status)) return notSteerable(declared.status);
      return accept(now.runtime, change.experiment, {
        ...before,
        status: { status: change.status, reason, ...record },
      });
    case 'clear':
      return accept(now.runtime, change.experiment, { ...before, status: null, weights: null });
    case 'forget-results':
      if (!now.snapshot.analyses.has(change.experiment)) return notAnalysed(change.experiment);
      return accept(now.runtime, change.experiment, { ...before, forgets: before.forgets + 1 });
    case 'set-weights': {
      if (experiment.bucketing?.isExact === true) return exactNumbers(experiment.bucketing.name);
      const current = new Map(experiment.variants.map((variant) => [variant.name, variant.weightPpm]));
      const weightsPpm = completeWeights(change.weightsPpm, current, experiment.fallback.name);
      if ('ok' in weightsPpm) return weightsPpm as Refusal;
      const declaredPpm = Object.fromEntries(declaredWeights(declared));
      return accept(now.runtime, change.experiment, {
        ...before,
        weights: { weightsPpm, declaredPpm, reason, ...record },
      });
    }
  }
}

function completeWeights(
  asked: Readonly<Record<string, number>>,
  current: ReadonlyMap<string, number>,
  fallback: string,
): Readonly<Record<string, number>> | Refusal {
  const names = [...current.keys()];
  for (const [name, weight] of Object.entries(asked)) {
    const path = `weightsPpm.${name}`;
    if (!current.has(name))
      return refusal(
        'variant_not_found',
        path,
        `there is no variant ${JSON.stringify(name)}`,
        `known: ${names.join(', ')}`,
      );
    if (!Number.isInteger(weight) || weight < 0 || weight > PPM) {
      return refusal(
        'weights_invalid',
        path,
        `${weight} is not a weight`,
        `give whole parts per million, 0 to ${PPM}`,
      );
    }
  }
  const next = new Map(
    [...current].map(([name, weight]) => [name, Object.hasOwn(asked, name) ? (asked[name] ?? 0) : weight]),
  );
  if (!Object.hasOwn(asked, fallback)) {
    const others = [...next].reduce((sum, [name, weight]) => (name === fallback ? sum : sum + weight), 0);
    next.set(fallback, PPM - others);
  }
  const sum = [...next.values()].reduce((total, weight) => total + weight, 0);
  if (sum === PPM && [...next.values()].every((weight) => weight >= 0)) return Object.fromEntries(next);
  const list = [...next].map(([name, weight]) => `${name} ${formatPercent(weight)}`).join(', ');
  return refusal(
    'weights_invalid',
    'weightsPpm',
    `the weights do not add up to 100%: ${list}`,
    `leave ${fallback} out and it gets the rest`,
  );
}

/** Of an experiment that was never seen before. */
const NEW = { status: null, weights: null, slots: [], epoch: 1, forgets: 0 } as const;

/**
 * The state with every experiment of the config in it, so that a Snapshot can tell since when each has run. Another
 * salt is another run.
 *
 * @param at ISO 8601.
 */
export function markSeen(config: Config, runtime: RuntimeState, at: string): RuntimeState {
  const experiments = new Map(runtime.experiments);
  for (const [name, declared] of Object.entries(config.experiments)) {
    const salt = saltOf(name, declared);
    const before = experiments.get(name);
    if (before === undefined) experiments.set(name, { ...NEW, salt, seenAt: at });
    else if (before.seenAt === null || before.salt !== salt) experiments.set(name, { ...before, seenAt: at });
  }
  return { experiments };
}

/** Run-time weights whose declared weights were since edited: the file is the newest intent. */
export function overtakenWeights(config: Config, runtime: RuntimeState): string[] {
  return [...runtime.experiments].flatMap(([name, experiment]) => {
    const declared = Object.hasOwn(config.experiments, name) ? config.experiments[name] : undefined;
    if (declared === undefined || experiment.weights === null) return [];
    return isSameWeights(Object.fromEntries(declaredWeights(declared)), experiment.weights.declaredPpm)
      ? []
      : [name];
  });
}

/** Without the run-time weights of the experiments named. */
export function withoutWeights(runtime: RuntimeState, names: readonly string[]): RuntimeState {
  const experiments = new Map(runtime.experiments);
  for (const name of names) {
    const experiment = experiments.get(name);
    if (experiment !== undefined) experiments.set(name, { ...experiment, weights: null });
  }
  return { experiments };
}

/**
 * The state with the slot tables of a Snapshot that goes into effect. Experiments that left the config are kept,
 * so that one that comes back, say after a bad deploy was undone, still has its people, and stays killed if it was.
 */
export function rememberSlots(runtime: RuntimeState, snapshot: Snapshot): RuntimeState {
  const experiments = new Map(runtime.experiments);
  for (const [name, experiment] of snapshot.experiments) {
    const before = experiments.get(name);
    const slots = experiment.slots.map(({ start, end, variant }) => ({
      start,
      end,
      variant: experiment.variants[variant]?.name ?? '',
    }));
    experiments.set(name, {
      salt: experiment.salt,
      status: before?.status ?? null,
      weights: before?.weights ?? null,
      slots,
      epoch: experiment.epoch,
      seenAt: before?.seenAt ?? null,
      forgets: before?.forgets ?? 0,
    });
  }
  return { experiments };
}

function accept(runtime: RuntimeState, name: string, experiment: RuntimeExperiment): Accepted {
  return { ok: true, runtime: { experiments: new Map([...runtime.experiments, [name, experiment]]) } };
}

function notSteerable(status: string): Refusal {
  const hint = 'change the status in the configuration file; only kill goes further';
  return refusal('status_fixed', 'status', `the experiment is declared ${status}`, hint);
}

function notAnalysed(experiment: string): Refusal {
  const hint = 'nothing is collected, so there is nothing to forget';
  return refusal('not_analysed', 'experiment', `the experiment ${experiment} has no analysis`, hint);
}

/** A percentage does not say which of another system's ranges or weights it stands for. */
function exactNumbers(algorithm: string): Refusal {
  return refusal(
    'weights_invalid',
    'weightsPpm',
    `the shares are the numbers of its algorithm, ${algorithm}`,
    'change them in the file',
  );
}

function unknownExperiment(change: Change, snapshot: Snapshot): Refusal {
  const names = [...snapshot.experiments.keys()];
  const near = didYouMean(change.experiment, names).replace(/^; /, '');
  return refusal(
    'experiment_not_found',
    'experiment',
    `there is no experiment ${JSON.stringify(change.experiment)}`,
    near,
  );
}

function refusal(code: Refusal['code'], path: string, message: string, hint: string): Refusal {
  return { ok: false, code, path, message, hint };
}
