/**
 * The circuit breaker of one (route, experiment, variant).
 *
 * Closed: every call is counted in an exact time window, and so is every call in flight that is older than the slow
 * threshold, from the moment it is; the breaker opens when a limit is reached. Open: everything is turned away until
 * a time. Half-open: a bounded number of calls go through as probes; all good closes, one bad opens again, for longer.
 *
 * It is told the time and has no timer: `tick` only makes it notice sooner. Memory is fixed from the first call on, and
 * a closed one allocates nothing. A call counts only for the state it was admitted in, and is stale in any other.
 *
 * Invariants: every admitted call is settled exactly once (anything else throws); half-open always ends, because a
 * probe that neither answers nor ends is bad after a bounded time. docs/breakers.md is for users.
 */
import type { Random } from '../base/clock.ts';
import { type BreakerMemory, type BreakerView, breakerView } from './breaker-view.ts';
import type { Budget } from './budget.ts';
import { Circuit, type CircuitState } from './circuit.ts';
import { ClosedCalls, UNCALLED } from './closed-calls.ts';
import { Criteria } from './criteria.ts';
import { ageOf, append, appendUncounted, type Call, check, remove, restart } from './in-flight.ts';
import { type Force, type ForceKind, forceFor, isObserving } from './mode.ts';
import type { CallEnd, Outcome } from './outcome.ts';
import { Probes, probeLimitMs, rampedSlots } from './probes.ts';
import { halfOpenReason, openReason } from './reason.ts';
import { type Elsewhere, type Opening, type Report, Share, type Standing } from './sharing.ts';
import { Stance } from './stance.ts';
import { ASLEEP, NOBODY, type Ticker } from './ticker.ts';
import type { BreakerSettings, Transition, TransitionCause } from './transition.ts';

export type { BreakerView, KeptBreaker } from './breaker-view.ts';
export { Call } from './in-flight.ts';
export type { BreakerSettings, Transition, TransitionCause } from './transition.ts';

/** A breaker. All times are of one monotonic clock. `onTransition` is called after each move, and must not make one. */
export class Breaker {
  // First what each call touches: with thousands of breakers each line of memory is fetched anew.
  /** Where it is among those who are ticked. */
  awakeAt = ASLEEP;
  /** The circuit's, kept here as the next ones are. */
  #state: CircuitState = 'closed';
  /** Null: nobody has called yet. So those in use lie side by side, and the others take no memory. */
  #calls: ClosedCalls | null = null;
  #budget: Budget | null;
  /** It moves, and turns nothing away. */
  #isObserving: boolean;
  #isForced = false;
  #isHeldBack = false;
  #hasBegun = false;
  #settings: BreakerSettings;
  readonly #ticker: Ticker;
  readonly #criteria: Criteria;
  readonly #stance: Stance;
  /** With other workers; null: this process decides alone. */
  readonly #share: Share | null;
  readonly #random: Random;
  readonly #circuit: Circuit;
  readonly #probes = new Probes();
  readonly name: string;
  #turnedAway = 0;
  #wouldTurnAway = 0;

  constructor(
    name: string,
    settings: BreakerSettings,
    random: Random,
    onTransition: (transition: Transition) => void,
    isShared = false,
    ticker: Ticker = NOBODY,
  ) {
    this.name = name;
    this.#settings = settings;
    this.#random = random;
    this.#stance = new Stance(name, settings, onTransition);
    this.#ticker = ticker;
    this.#circuit = new Circuit(name);
    this.#share = isShared ? new Share() : null;
    this.#criteria = new Criteria(settings, this, this.#stance);
    this.#budget = this.#stance.budget;
    this.#isObserving = isObserving(this.#stance.mode);
  }

  /** What is counted while it is closed. */
  get calls(): ClosedCalls {
    this.#calls ??= new ClosedCalls(this.#settings, this.#share !== null);
    return this.#calls;
  }

  /** Time alone changes nothing here, so `tick` need not be called until the ticker is told. */
  get isAtRest(): boolean {
    if (this.#isForced || this.#budget?.isTaken === false) return false;
    return this.#state === 'closed' && this.#calls?.isQuiet !== false && !this.#isHeldBack;
  }

  /** As of the last call to any method. */
  get state(): CircuitState {
    return this.#state;
  }

  /** Whether calls are turned away now: a breaker that observes is open without effect. */
  get isBarred(): boolean {
    return this.#state === 'open' && !this.#isObserving;
  }

  /** May this call be made? True arms `call`, which must then be settled exactly once. Throws if it is armed already. */
  admit(call: Call, nowMs: number): boolean {
    if (this.awakeAt < 0) this.#wake(nowMs);
    // A call that has become too old may open the circuit, before another one follows it.
    if (this.calls.age(nowMs)) this.#judge(nowMs, false);
    if (this.#state !== 'closed' && !this.#admitProbe(nowMs)) {
      if (!this.#isObserving) {
        this.#turnedAway++;
        return false;
      }
      this.#wouldTurnAway++;
      appendUncounted(this.calls, call);
      return true;
    }
    append(this.calls, call, nowMs);
    return true;
  }

  /**
   * An admitted call whose request body is still coming in: how long that takes is the client's affair, so the call
   * has no age until `sent`. Throws if the call is not in flight here.
   */
  sending(call: Call): void {
    check(this.calls, call);
    call.isSending = true;
  }

  /** The whole request has been sent: the call's clock starts now. Throws if the call is not in flight here. */
  sent(call: Call, nowMs: number): void {
    check(this.calls, call);
    if (!call.isSending) return;
    call.isSending = false;
    // A stale call counts for nothing, and stays where it is so that the newest calls are those of this state.
    if (call.generation === this.calls.generation) restart(this.calls, call, nowMs);
  }

  /**
   * The response head has come: stop the clock of an admitted call, which is slow only if it was by now. Optional,
   * at most once, before `settle`; for calls whose end is not the upstream's alone to decide: streams, tunnels,
   * clients that read slowly. Throws if the call is not in flight here.
   */
  answered(call: Call, nowMs: number): void {
    check(this.calls, call);
    call.answeredMs = nowMs;
  }

  /** The end of an admitted call, exactly once; throws if the call is not in flight here. */
  settle(call: Call, end: CallEnd, nowMs: number): void {
    this.#settle(call, end, nowMs);
    // What is judged on ticks only is judged once more after the last call.
    if (this.awakeAt < 0 || this.#settings.compared !== undefined) return;
    if (this.isAtRest) this.#ticker.rest(this);
  }

  #settle(call: Call, end: CallEnd, nowMs: number): void {
    remove(this.calls, call);
    if (this.calls.age(nowMs)) this.#judge(nowMs, false);
    // Every call is part of the budget, whatever the breaker makes of it.
    if (this.#budget !== null && end !== 'ignored' && end !== 'left') this.#budget.count(end === 'failure');
    if (call.generation !== this.calls.generation) return;
    const ageMs = ageOf(call, nowMs);
    if (this.#state === 'half-open') {
      this.#settleProbe(call, end === 'left' ? 'ignored' : end, ageMs, nowMs);
    } else if (this.calls.end(call, end, ageMs, nowMs)) {
      this.#judge(nowMs, false);
    }
  }

  /** Let time pass: age the calls in flight, and leave the open state when it is due. Every 20 to 50 ms is enough. */
  tick(nowMs: number): void {
    this.#endForce(nowMs);
    if (this.#budget !== null) this.#spend(this.#budget, nowMs);
    if (this.#state === 'closed') {
      if (this.calls.age(nowMs)) this.#judge(nowMs, false);
      // Good calls leave the window while hung ones stay: the rate can rise without a new call.
      if (this.#criteria.isWatching) this.#judge(nowMs, true);
    } else if (this.#state === 'half-open') {
      this.#judgeProbes(nowMs);
    } else if (this.#isDue(nowMs)) {
      this.#halfOpen(nowMs);
    }
  }

  /**
   * For `forMs`, whatever the calls say: stay open (then recover by probes as usual), stay closed (then judge again by
   * what was counted meanwhile), or only observe. Throws RangeError unless 0 < `forMs` <= `FORCE_MAX_MS`.
   */
  force(kind: ForceKind, nowMs: number, reason: string, forMs: number): void {
    const force = forceFor(kind, forMs, reason, nowMs);
    if (this.awakeAt < 0) this.#wake(nowMs);
    this.#obey(force);
    if (kind === 'open') this.#open('forced', force.reason, forMs, nowMs);
    else if (kind === 'closed') this.#move('closed', 'forced', force.reason, nowMs);
    else this.#stance.tell(this.#state, 'forced', force.reason, nowMs);
  }

  /** Close by hand, forgetting all counts, the back-off, the calls under way, and what was forced. */
  reset(nowMs: number, reason: string): void {
    this.#obey(null);
    this.#stance.openings = 0;
    this.#move('closed', 'reset', `reset: ${reason}`, nowMs);
  }

  /** New settings from now on. The state, the counts and the end of a running open period stay. */
  reconfigure(settings: BreakerSettings, nowMs: number): void {
    this.#settings = settings;
    this.#stance.reconfigure(settings, nowMs);
    this.#budget = this.#stance.budget;
    this.#isObserving = isObserving(this.#stance.mode);
    this.#calls?.reconfigure(settings, nowMs);
    this.#criteria.reconfigure(settings);
  }

  /** Judge the calls beside those of the control from now on; null: there is none. */
  compareWith(control: Breaker | null): void {
    this.#criteria.compareWith(control);
    this.#stance.compareWith(control === null ? null : control.#stance);
  }

  /** How long a call turned away should stay away; 0 when closed, and when half-open with all probes under way. */
  retryAfterMs(nowMs: number): number {
    return this.#stance.remainingMs(nowMs);
  }

  /** Everything there is to see, as of `nowMs`. */
  view(nowMs: number): BreakerView {
    this.#calls?.evidence.advance(nowMs);
    return breakerView(
      {
        name: this.name,
        stance: this.#stance,
        calls: this.#calls ?? UNCALLED,
        heldBack: this.#criteria.held,
        probes: this.#probes,
        turnedAway: this.#turnedAway,
        wouldTurnAway: this.#wouldTurnAway,
        settings: this.#settings,
      },
      nowMs,
    );
  }

  get memory(): BreakerMemory {
    return this.#stance;
  }

  // With other workers: what the primary says, and what it is told. A breaker of its own has no use for these.

  /** Stand where the primary says, and let it be told nothing of it. */
  follow(standing: Standing, nowMs: number): void {
    const { force } = standing;
    this.#obey(force === null ? null : { ...force, untilMs: nowMs + force.forMs });
    if (this.#share?.follow(standing, this.#probes.admitted) !== true) return;
    this.#stance.openings = standing.openings;
    this.#stance.openUntilMs = nowMs + standing.openForMs;
    this.#enter(standing.state, standing.reason, nowMs);
  }

  /** Count what the other workers have, and judge the sum. */
  merge(elsewhere: Elsewhere, nowMs: number): void {
    if (elsewhere.era !== this.#share?.era || this.#state !== 'closed') return;
    if (elsewhere.overdue > 0 && this.awakeAt < 0) this.#wake(nowMs);
    if (this.calls.merge(elsewhere, nowMs)) this.#judge(nowMs, true);
  }

  /** What the others need to know of the calls here; null: nothing new since the last time. */
  report(nowMs: number): Report | null {
    if (this.#share === null) return null;
    return this.#share.report(this.name, {
      evidence: this.calls.evidence,
      aged: this.calls.aged(nowMs),
      held: this.#criteria.held,
      probes: this.#probes,
      budget: this.#budget,
      turnedAway: this.#turnedAway + this.#wouldTurnAway,
    });
  }

  /** How long this breaker, which has just opened by itself, is open. */
  opening(nowMs: number): Pick<Opening, 'era' | 'openForMs' | 'openings'> {
    const { openings } = this.#stance;
    return { era: this.#share?.era ?? 0, openForMs: this.#stance.remainingMs(nowMs), openings };
  }

  #wake(nowMs: number): void {
    if (!this.#hasBegun) this.calls.begin(nowMs);
    this.#hasBegun = true;
    this.#ticker.wake(this);
  }

  // Closed: judge every call.

  #judge(nowMs: number, isTick: boolean): void {
    if (this.#stance.force !== null) this.#endForce(nowMs);
    if (this.#stance.force?.kind === 'closed') return;
    const breach = this.#criteria.breach(nowMs, isTick);
    this.#isHeldBack = this.#criteria.held !== null;
    if (breach === null) return;
    if (this.#stance.hasLasted(this.#settings.windowMs, nowMs)) this.#stance.openings = 0;
    this.#openByItself(breach.cause, breach.reason, nowMs);
  }

  /** Enter what has been counted since the last tick; with other workers the primary does. */
  #spend(budget: Budget, nowMs: number): void {
    const spent = this.#share === null ? budget.take() : null;
    const reason = spent === null ? null : this.#stance.spend(spent, nowMs);
    if (reason !== null) this.#openByItself('budget-burn', reason, nowMs);
  }

  // Half-open: judge every probe.

  /** Take a probe's slot, moving out of the open state if it is time. */
  #admitProbe(nowMs: number): boolean {
    this.#endForce(nowMs);
    if (this.#state === 'half-open') this.#judgeProbes(nowMs);
    else if (this.#isDue(nowMs)) this.#halfOpen(nowMs);
    if (this.#state !== 'half-open') return this.#state === 'closed';
    return this.#probes.take(
      this.#share?.slots ?? rampedSlots(this.#probes.ok, this.#settings.halfOpenRequests),
    );
  }

  #settleProbe(call: Call, outcome: Outcome, ageMs: number, nowMs: number): void {
    const bad = this.#probes.settle(call, outcome, ageMs, probeLimitMs(this.#settings));
    if (bad !== null) this.#openByItself('probe-failed', bad, nowMs);
    else if (outcome !== 'ignored') this.#closeIfProven(nowMs);
  }

  #judgeProbes(nowMs: number): void {
    const { newest } = this.calls;
    const probe = newest?.generation === this.calls.generation ? newest : null;
    const bad = this.#probes.judge(probe, probeLimitMs(this.#settings), this.#settings.openForMs, nowMs);
    if (bad !== null) this.#openByItself('probe-failed', bad, nowMs);
    else this.#closeIfProven(nowMs);
  }

  #closeIfProven(nowMs: number): void {
    const { halfOpenRequests } = this.#settings;
    const { ok } = this.#probes;
    if (this.#share !== null || ok < halfOpenRequests) return;
    this.#move('closed', 'probes-ok', `good probes ${ok} >= ${halfOpenRequests}`, nowMs);
  }

  // Moves.

  #openByItself(cause: TransitionCause, reason: string, nowMs: number): void {
    const forMs = this.#stance.nextOpenMs(this.#random);
    this.#stance.countTrip(nowMs);
    this.#open(cause, openReason(reason, forMs), forMs, nowMs);
  }

  #open(cause: TransitionCause, reason: string, forMs: number, nowMs: number): void {
    this.#stance.openFor(forMs, nowMs);
    this.#move('open', cause, reason, nowMs);
  }

  /** Whether it is time for probes; with other workers that is for the primary to say. */
  #isDue(nowMs: number): boolean {
    return this.#share === null && nowMs >= this.#stance.openUntilMs;
  }

  #halfOpen(nowMs: number): void {
    const reason = halfOpenReason(this.#stance.openedForMs(nowMs), this.#settings.halfOpenRequests);
    this.#move('half-open', 'timer', reason, nowMs);
  }

  #move(to: CircuitState, cause: TransitionCause, reason: string, nowMs: number): void {
    const from = this.#state;
    this.#enter(to, reason, nowMs);
    this.#stance.tell(from, cause, reason, nowMs);
  }

  #obey(force: Force | null): void {
    this.#stance.force = force;
    this.#isForced = force !== null;
    this.#isObserving = isObserving(this.#stance.mode);
  }

  /** What was forced is over when its time is; with other workers that is for the primary to say. */
  #endForce(nowMs: number): void {
    if (this.#share !== null || !this.#stance.endForce(nowMs)) return;
    this.#isForced = false;
    this.#isObserving = isObserving(this.#stance.mode);
  }

  /** The one place where the state changes: what was counted is forgotten, and what is in flight is stale. */
  #enter(to: CircuitState, reason: string, nowMs: number): void {
    if (this.awakeAt < 0) this.#wake(nowMs);
    this.#circuit.enter(to);
    this.#state = this.#circuit.state;
    this.calls.enter(to === 'closed', nowMs);
    this.#criteria.held = null;
    this.#isHeldBack = false;
    this.#probes.clear();
    this.#stance.enter(to, reason, nowMs);
  }
}
