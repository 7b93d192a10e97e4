/**
 * The loop that follows rollouts: once a second it looks at what was counted, lets `analysis/rollout/rollout.ts` decide, and puts
 * that into force by the one writer of the rules. In the process that keeps the rules, so there is one of it. It never
 * touches the declared file, and nothing it does can fail a request.
 *
 * Invariants: what is in force and what is on record are written in the same turn, so a restart finds both or neither; a
 * decision is put on record with the numbers it was made by.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { advance, goBack, type RolloutInput, refused } from '../analysis/rollout/rollout.ts';
import { act, type RolloutVerb } from '../analysis/rollout/rollout-action.ts';
import { type ArmCounts, NO_COUNTS, type RolloutCounts } from '../analysis/rollout/rollout-plan.ts';
import {
  begin,
  isOver,
  moveTo,
  type RolloutDecision,
  type RolloutMove,
  type RolloutState,
} from '../analysis/rollout/rollout-state.ts';
import type { Clock, Random } from '../base/clock.ts';
import { compileRollout, type RolloutSettings } from '../config/compile-rollout.ts';
import { PPM } from '../config/units.ts';
import type { ControlEvent } from './events.ts';
import type { RolloutEvidence } from './rollout-evidence.ts';
import type { RolloutHooks } from './rollout-hooks.ts';
import type { ControlState } from './state.ts';

const TICK_MS = 1_000;
/** Between two moves, what was counted goes into the state file so often. */
const KEEP_TICKS = 10;
/** Who decides, on the record. */
const ACTOR = 'rollout';

export interface RolloutsOptions {
  readonly control: Pick<
    ControlState,
    'snapshot' | 'rules' | 'runtime' | 'change' | 'savedRollouts' | 'keepRollouts'
  >;
  readonly clock: Clock;
  readonly random: Pick<Random, 'hex'>;
  readonly evidence: RolloutEvidence;
  readonly hooks: Pick<RolloutHooks, 'look' | 'confirm' | 'told'>;
  /** What speaks against the first step, in sentences; none: nothing. Never rejects. */
  readonly preflight: (experiment: string, settings: RolloutSettings) => Promise<readonly string[]>;
  /** Must not throw. */
  readonly onEvent: (event: ControlEvent) => void;
  /** Between two ticks; a test has its own. */
  readonly tickMs?: number;
}

export type RolloutResult =
  | { readonly ok: true; readonly state: RolloutState }
  | { readonly ok: false; readonly message: string; readonly hint: string };

/** A rollout with its plan, for people. */
export interface RolloutView {
  readonly experiment: string;
  readonly state: RolloutState;
  /** Null: the configuration has none for it any more. */
  readonly settings: RolloutSettings | null;
}

export class Rollouts {
  readonly #options: RolloutsOptions;
  readonly #states: Map<string, RolloutState>;
  /** Totals at the last tick, by experiment. */
  readonly #seen = new Map<string, RolloutCounts>();
  readonly #starting = new Set<string>();
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;
  #lastMs: number;
  #ticks = 0;
  #isFailing = false;

  constructor(options: RolloutsOptions) {
    this.#options = options;
    this.#states = new Map(options.control.savedRollouts);
    this.#lastMs = options.clock.now();
  }

  /** From now on rollouts move. */
  open(): void {
    const { tickMs = TICK_MS } = this.#options;
    this.#timer = setTimeout(() => {
      void this.#safely().then(() => {
        if (!this.#isClosed) this.open();
      });
    }, tickMs);
    this.#timer.unref();
  }

  /** What was counted is kept; nothing moves any more. */
  close(): void {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#keep();
  }

  list(): RolloutView[] {
    return Array.from(this.#states, ([experiment, state]) => ({
      experiment,
      state,
      settings: compileRollout(this.#options.control.rules.config, experiment),
    }));
  }

  /** Looks once. */
  async tick(): Promise<void> {
    const { clock, evidence } = this.#options;
    const active = [...this.#states].filter(([, state]) => !isOver(state));
    const elapsedMs = clock.now() - this.#lastMs;
    this.#lastMs = clock.now();
    if (active.length === 0) return;
    const totals = await evidence.read(
      active.map(([experiment, { candidate }]) => ({ experiment, candidate })),
    );
    if (this.#isClosed) return;
    for (const [name] of active) {
      this.#look(name, totals.get(name) ?? new Map(), elapsedMs);
      // Requests do not wait for all of them.
      await nextTurn();
      if (this.#isClosed) return;
    }
    if (++this.#ticks % KEEP_TICKS === 0) this.#keep();
  }

  /** Begins at the first step, when nothing speaks against it. Never rejects. */
  async start(
    name: string,
    by: { readonly actor: string; readonly reason: string; readonly skipPreflight: boolean },
  ): Promise<RolloutResult> {
    const problem = this.#whyNotStart(name);
    if (problem !== null) return problem;
    this.#starting.add(name);
    try {
      const settings = this.#settings(name)!;
      const problems = by.skipPreflight ? [] : await this.#options.preflight(name, settings);
      if (problems.length > 0)
        return no(`the pre-flight check failed: ${problems.join('; ')}`, 'make it so, or skip the check');
      const id = `rollout_${this.#options.random.hex(8)}`;
      const against = await this.#options.hooks.confirm(name, { id, settings });
      if (against !== null) return no(against, 'start it again when it agrees');
      // The world may have changed meanwhile.
      return this.#whyNotStart(name, true) ?? this.#begin(name, id, by);
    } finally {
      this.#starting.delete(name);
    }
  }

  /** What a person says. Takes effect before it returns. */
  act(
    name: string,
    verb: RolloutVerb,
    by: { readonly actor: string; readonly reason: string },
  ): RolloutResult {
    const state = this.#states.get(name);
    const settings = this.#settings(name);
    if (state === undefined)
      return no(`${name} has no rollout that was started`, 'start it with :start-rollout');
    if (settings === null) {
      if (verb !== 'abort' || isOver(state))
        return no(`the configuration has no rollout for ${name}`, 'declare it again, or abort');
      const { reason } = by;
      const move = goBack(state, { reason, wallMs: this.#options.clock.wallMs() });
      return { ok: true, state: this.#apply(name, move, by.actor) };
    }
    const wallMs = this.#options.clock.wallMs();
    const result = act(settings.plan, state, { verb, reason: `${by.reason} (by ${by.actor})`, wallMs });
    if (!result.ok) return result;
    const after = this.#apply(name, result, by.actor);
    if (after.sharePpm !== result.state.sharePpm) return no(after.reason, 'see the audit');
    return { ok: true, state: after };
  }

  /** A mistake in here must end neither the loop nor the process: what is in force stays so, and it is said. */
  async #safely(): Promise<void> {
    try {
      await this.tick();
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) this.#warn(`rollouts do not move: ${(error as Error).message}; this is a bug`);
      this.#isFailing = true;
    }
  }

  #warn(message: string): void {
    const at = new Date(this.#options.clock.wallMs()).toISOString();
    this.#options.onEvent({ kind: 'warning', at, message });
  }

  #begin(name: string, id: string, { actor, reason }: { actor: string; reason: string }): RolloutResult {
    const { plan } = this.#settings(name)!;
    const beforePpm = this.#shareOf(name, plan.candidate);
    const wallMs = this.#options.clock.wallMs();
    const move = begin(plan, { id, wallMs, beforePpm, reason: `${reason} (by ${actor})` });
    this.#seen.delete(name);
    const state = this.#apply(name, move, actor);
    return state.phase === 'baking' ? { ok: true, state } : no(state.reason, 'the weights could not be set');
  }

  #whyNotStart(name: string, isStarting = false): RolloutResult | null {
    const { control, clock } = this.#options;
    const experiment = control.snapshot.experiments.get(name);
    const state = this.#states.get(name);
    const settings = this.#settings(name);
    if (experiment === undefined || settings === null)
      return no(`${name} has no rollout in the configuration`, 'declare one: rollout: {}');
    if (this.#starting.has(name) && !isStarting) return no('it is being started', 'wait for that');
    if (state !== undefined && !isOver(state))
      return no(`a rollout is under way (${state.phase})`, 'abort it first');
    if (experiment.status !== 'running')
      return no(`the experiment is ${experiment.status}`, 'start it first');
    const [first] = settings.plan.steps;
    if (first!.notBeforeMs > clock.wallMs())
      return no(`the first step is due at ${new Date(first!.notBeforeMs).toISOString()}`, 'start it then');
    return null;
  }

  #look(name: string, totals: ReadonlyMap<string, ArmCounts>, elapsedMs: number): void {
    const state = this.#states.get(name);
    if (state === undefined || isOver(state)) return;
    const { control, clock, evidence, hooks } = this.#options;
    const experiment = control.snapshot.experiments.get(name);
    const settings = this.#settings(name);
    const wallMs = clock.wallMs();
    if (experiment === undefined || settings === null) {
      if (state.phase === 'paused') return;
      const reason = 'the configuration has no rollout for it any more; the candidate keeps what it has';
      const { step, sharePpm } = state;
      this.#apply(
        name,
        moveTo(state, { phase: 'paused', step, sharePpm }, { kind: 'pause', reason, wallMs }),
        ACTOR,
      );
      return;
    }
    const { plan } = settings;
    const now: RolloutCounts = {
      control: totals.get(plan.control) ?? NO_COUNTS.control,
      candidate: totals.get(plan.candidate) ?? NO_COUNTS.candidate,
    };
    const counts = since(this.#seen.get(name) ?? now, now);
    this.#seen.set(name, now);
    const breaker = evidence.openBreaker(name, plan.candidate);
    const input: RolloutInput = {
      wallMs,
      elapsedMs,
      counts,
      status: experiment.status,
      statusReason: this.#whoSetStatus(name),
      sharePpm: this.#shareOf(name, plan.candidate),
      breaker: breaker === null ? null : `the breaker ${breaker.name} is open: ${breaker.reason}`,
      results: evidence.results(name),
      ...hooks.look(name, { state, settings }),
    };
    this.#apply(name, advance(plan, state, input), ACTOR);
  }

  /** Into force, into memory, onto the record. */
  #apply(name: string, move: RolloutMove, actor: string): RolloutState {
    const { state, decision } = this.#enforced(name, move, actor);
    this.#states.set(name, state);
    if (decision === null) return state;
    this.#record(name, { state, decision, actor });
    this.#keep();
    const settings = this.#settings(name);
    if (settings !== null) this.#options.hooks.told(name, { state, settings, decision });
    return state;
  }

  #enforced(name: string, move: RolloutMove, actor: string): RolloutMove {
    const { control, clock } = this.#options;
    const { state, decision } = move;
    const sharePpm = this.#shareOf(name, state.candidate);
    if (decision === null || state.sharePpm === sharePpm) return move;
    const fallback = control.snapshot.experiments.get(name)?.fallback.name ?? '';
    const result = control.change(
      {
        kind: 'set-weights',
        experiment: name,
        weightsPpm: { [state.candidate]: state.sharePpm, [fallback]: PPM - state.sharePpm },
        reason: decision.reason,
      },
      actor,
    );
    if (result.ok) return move;
    const { message } = result;
    if (state.phase !== 'rolled-back') return refused(state, { message, sharePpm, wallMs: clock.wallMs() });
    // Control for everybody is what was decided: by the way that always works.
    control.change(
      { kind: 'set-status', experiment: name, status: 'killed', reason: decision.reason },
      actor,
    );
    return move;
  }

  #record(
    name: string,
    { state, decision, actor }: { state: RolloutState; decision: RolloutDecision; actor: string },
  ): void {
    const { from, to, kind, reason, checks } = decision;
    this.#options.onEvent({
      kind: 'audit',
      at: new Date(this.#options.clock.wallMs()).toISOString(),
      actor,
      action: `rollout-${kind}`,
      target: name,
      reason,
      before: from === null ? 'no rollout' : placeText(from),
      after: placeText(to),
      inputs: { rollout: state.id, plan: state.plan, checks },
    });
  }

  #whoSetStatus(name: string): string {
    const record = this.#options.control.runtime.experiments.get(name)?.status ?? null;
    return record === null ? 'declared so' : `by ${record.actor}: ${record.reason}`;
  }

  #settings(name: string): RolloutSettings | null {
    return compileRollout(this.#options.control.rules.config, name);
  }

  #shareOf(name: string, candidate: string): number {
    const { experiments } = this.#options.control.snapshot;
    return experiments.get(name)?.variants.find((variant) => variant.name === candidate)?.weightPpm ?? 0;
  }

  #keep(): void {
    if (this.#states.size > 0) this.#options.control.keepRollouts(this.#states);
  }
}

/** Counters that begin again are those of another process. */
function since(before: RolloutCounts, now: RolloutCounts): RolloutCounts {
  return {
    control: armSince(before.control, now.control),
    candidate: armSince(before.candidate, now.candidate),
  };
}

function armSince(before: ArmCounts, now: ArmCounts): ArmCounts {
  const hits = Object.entries(now.hits).map(([metric, count]) => [
    metric,
    Math.max(0, count - (before.hits[metric] ?? 0)),
  ]);
  return { requests: Math.max(0, now.requests - before.requests), hits: Object.fromEntries(hits) };
}

function placeText({ phase, step, sharePpm }: { phase: string; step: number; sharePpm: number }): string {
  return `step ${step + 1}, ${sharePpm / 10_000}%, ${phase}`;
}

function no(message: string, hint: string): RolloutResult & { ok: false } {
  return { ok: false, message, hint };
}
