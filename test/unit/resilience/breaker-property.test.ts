import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Breaker, type BreakerSettings, type BreakerView, Call } from '../../../src/resilience/breaker.ts';
import type { ForceKind } from '../../../src/resilience/mode.ts';
import type { Outcome } from '../../../src/resilience/outcome.ts';
import { ReferenceBreaker, type ReferenceView } from '../../support/reference-breaker.ts';
import { seededRandom } from '../../support/seeded-random.ts';

type Step =
  | { kind: 'admit' }
  | { kind: 'answered'; pick: number }
  | { kind: 'settle'; pick: number; outcome: Outcome }
  | { kind: 'tick' }
  | { kind: 'wait'; ms: number }
  | { kind: 'force'; force: ForceKind; forMs: number }
  | { kind: 'reset' }
  | { kind: 'reconfigure'; settings: BreakerSettings };

/** One length of the window for all, so that a change of settings keeps the counts the same in both. */
const settings: fc.Arbitrary<BreakerSettings> = fc.record({
  windowMs: fc.constant(1_000),
  minimumRequests: fc.integer({ min: 1, max: 12 }),
  errorRatio: fc.constantFrom(null, 0.05, 0.3, 0.5, 1),
  slow: fc.constantFrom(null, { thresholdMs: 100, ratio: 0.2 }, { thresholdMs: 250, ratio: 0.5 }),
  consecutiveFailures: fc.constantFrom(null, 2, 5),
  openForMs: fc.constantFrom(200, 500),
  openForMaxMs: fc.constantFrom(500, 4_000),
  halfOpenRequests: fc.integer({ min: 1, max: 9 }),
  mode: fc.constantFrom('enforce', 'enforce', 'observe'),
});

const outcome = fc.constantFrom<Outcome>('ok', 'ok', 'ok', 'failure', 'failure', 'slow', 'ignored');
const pick = fc.nat(1_000);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: fc.constant<Step>({ kind: 'admit' }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('answered' as const), pick }) },
  { weight: 9, arbitrary: fc.record({ kind: fc.constant('settle' as const), pick, outcome }) },
  { weight: 4, arbitrary: fc.constant<Step>({ kind: 'tick' }) },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 60 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 60, max: 2_000 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('force' as const),
      force: fc.constantFrom<ForceKind>('open', 'closed', 'observe'),
      forMs: fc.integer({ min: 1, max: 900 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'reset' }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reconfigure' as const), settings }) },
);

/** The real breaker and the plain one, side by side on one clock. */
class Pair {
  nowMs = 0;
  readonly moves: string[] = [];
  readonly real: Breaker;
  readonly reference: ReferenceBreaker;
  readonly #calls = new Map<number, Call>();
  /** Settled calls, used again as an exchange does. */
  readonly #spare: Call[] = [];
  #nextId = 0;

  constructor(first: BreakerSettings, seed: number) {
    this.real = new Breaker('r', first, seededRandom(seed), (move) => {
      if (move.from !== move.to) this.moves.push(`${move.from} -> ${move.to} at ${move.atMs}`);
    });
    this.reference = new ReferenceBreaker(first, seededRandom(seed));
  }

  take(step: Step): void {
    const { real, reference, nowMs } = this;
    if (step.kind === 'wait') this.nowMs += step.ms;
    else if (step.kind === 'admit') this.#admit();
    else if (step.kind === 'answered') this.#answer(step.pick);
    else if (step.kind === 'settle') this.#settle(step.pick, step.outcome);
    else if (step.kind === 'tick') {
      real.tick(nowMs);
      reference.tick(nowMs);
    } else if (step.kind === 'force') {
      real.force(step.force, nowMs, 'test', step.forMs);
      reference.force(step.force, nowMs, step.forMs);
    } else if (step.kind === 'reset') {
      real.reset(nowMs, 'test');
      reference.reset(nowMs);
    } else {
      real.reconfigure(step.settings, nowMs);
      reference.reconfigure(step.settings);
    }
  }

  #admit(): void {
    const call = this.#spare.pop() ?? new Call();
    const id = this.#nextId++;
    const isAdmitted = this.real.admit(call, this.nowMs);
    expect(isAdmitted).toBe(this.reference.admit(id, this.nowMs));
    if (isAdmitted) this.#calls.set(id, call);
    else this.#spare.push(call);
  }

  #answer(pick: number): void {
    const id = this.#idAt(pick);
    if (id === null || this.#calls.get(id)!.answeredMs >= 0) return;
    this.real.answered(this.#calls.get(id)!, this.nowMs);
    this.reference.answered(id, this.nowMs);
  }

  #settle(pick: number, outcome: Outcome): void {
    const id = this.#idAt(pick);
    if (id === null) return;
    this.real.settle(this.#calls.get(id)!, outcome, this.nowMs);
    this.reference.settle(id, outcome, this.nowMs);
    this.#spare.push(this.#calls.get(id)!);
    this.#calls.delete(id);
  }

  #idAt(pick: number): number | null {
    const ids = [...this.#calls.keys()];
    return ids.length === 0 ? null : ids[pick % ids.length]!;
  }
}

function comparable(view: BreakerView | ReferenceView): Omit<ReferenceView, 'mode'> {
  const { state, requests, failures, slow, consecutiveFailures, inFlight, overdue } = view;
  const { probes, probesOk, trips, openUntilMs, turnedAway, wouldTurnAway } = view;
  return {
    state,
    requests,
    failures,
    slow,
    consecutiveFailures,
    inFlight,
    overdue,
    probes,
    probesOk,
    trips,
    openUntilMs,
    turnedAway,
    wouldTurnAway,
  };
}

const history = fc.array(step, { minLength: 20, maxLength: 400, size: 'max' });

describe('a breaker and one that remembers everything', () => {
  test('agree on every admission, count and move, whatever happens in whatever order', () => {
    fc.assert(
      fc.property(settings, fc.nat(), history, (first, seed, steps) => {
        const pair = new Pair(first, seed);
        for (const step of steps) {
          pair.take(step);
          expect(comparable(pair.real.view(pair.nowMs))).toEqual(comparable(pair.reference.view(pair.nowMs)));
        }
        expect(pair.moves).toEqual(pair.reference.moves);
      }),
      { numRuns: 400 },
    );
  });
});

describe('whatever has happened to a breaker', () => {
  test('good traffic closes it in bounded time', () => {
    fc.assert(
      fc.property(settings, fc.nat(), history, (first, seed, steps) => {
        const pair = new Pair(first, seed);
        for (const step of steps) pair.take(step);
        const { real } = pair;
        // Everything under way is left hanging; what comes from now on is good.
        const endMs = pair.nowMs + 20_000;
        for (let nowMs = pair.nowMs; nowMs <= endMs; nowMs += 20) {
          const call = new Call();
          if (real.admit(call, nowMs)) real.settle(call, 'ok', nowMs);
          real.tick(nowMs);
        }
        expect(real.state).toBe('closed');
      }),
      { numRuns: 200 },
    );
  });

  test('half-open never lets more probes through at one time than it may', () => {
    fc.assert(
      fc.property(settings, fc.nat(), history, (first, seed, steps) => {
        const pair = new Pair({ ...first, halfOpenRequests: 2 }, seed);
        for (const step of steps) {
          if (step.kind === 'reconfigure') continue;
          pair.take(step);
          const { probes, probesOk } = pair.real.view(pair.nowMs);
          expect(probes).toBeLessThanOrEqual(2);
          expect(probesOk).toBeLessThanOrEqual(probes);
        }
      }),
    );
  });
});
