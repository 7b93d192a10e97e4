/** Whatever workers, people and faults do to a breaker that workers share: it is never stuck, and probes are few. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { BreakerSettings, Call } from '../../../src/resilience/breaker.ts';
import type { ForceKind } from '../../../src/resilience/mode.ts';
import type { Outcome } from '../../../src/resilience/outcome.ts';
import { SETTINGS } from '../../support/breaker-bench.ts';
import { SharedBench } from '../../support/shared-bench.ts';

type Step =
  | { kind: 'run'; worker: number; count: number; outcome: Outcome }
  | { kind: 'start'; worker: number; count: number }
  | { kind: 'force'; force: ForceKind; forMs: number }
  | { kind: 'reset' }
  | { kind: 'crash'; worker: number }
  | { kind: 'join' }
  | { kind: 'reconfigure'; settings: BreakerSettings }
  | { kind: 'wait'; ms: number };

const settings: fc.Arbitrary<BreakerSettings> = fc.record({
  windowMs: fc.constant(1_000),
  minimumRequests: fc.integer({ min: 1, max: 12 }),
  errorRatio: fc.constantFrom(null, 0.3, 0.5),
  slow: fc.constantFrom(null, { thresholdMs: 100, ratio: 0.2 }),
  consecutiveFailures: fc.constantFrom(null, 2, 5),
  openForMs: fc.constantFrom(200, 500),
  openForMaxMs: fc.constantFrom(500, 2_000),
  halfOpenRequests: fc.integer({ min: 1, max: 9 }),
  mode: fc.constantFrom('enforce', 'enforce', 'observe'),
  budget: fc.constantFrom(null, {
    targetRatio: 0.9,
    periodMs: 60_000,
    burn: [{ rate: 3, longMs: 2_000, shortMs: 1_000 }],
  }),
});
const worker = fc.integer({ min: 0, max: 3 });
const outcome = fc.constantFrom<Outcome>('ok', 'ok', 'failure', 'slow', 'ignored');
const count = fc.integer({ min: 1, max: 8 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('run' as const), worker, count, outcome }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('start' as const), worker, count }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('force' as const),
      force: fc.constantFrom<ForceKind>('open', 'closed', 'observe'),
      forMs: fc.integer({ min: 1, max: 900 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'reset' }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const), worker }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'join' }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reconfigure' as const), settings }) },
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 300 }) }),
  },
);
const history = fc.array(step, { maxLength: 60, size: 'max' });

class World {
  readonly bench: SharedBench;
  readonly hanging: Call[] = [];
  #nextWorker = 5;

  constructor(first: BreakerSettings, seed: number) {
    this.bench = new SharedBench({ workers: 4, settings: first, seed });
  }

  take(step: Step): void {
    const { bench } = this;
    switch (step.kind) {
      case 'run':
        bench.run(this.#idOf(step.worker), step.count, step.outcome);
        return;
      case 'start':
        this.hanging.push(...bench.start(this.#idOf(step.worker), step.count));
        return;
      case 'force':
        return bench.shared.force(step.force, bench.nowMs, 'test', step.forMs);
      case 'reset':
        return bench.shared.reset(bench.nowMs, 'test');
      case 'crash':
        if (bench.workers.size > 1) bench.crash(this.#idOf(step.worker));
        return;
      case 'join':
        if (bench.workers.size < 6) bench.join(this.#nextWorker++);
        return;
      case 'reconfigure':
        for (const breaker of bench.workers.values()) breaker.reconfigure(step.settings, bench.nowMs);
        return bench.shared.reconfigure(step.settings, bench.nowMs);
      case 'wait':
        return bench.wait(step.ms);
    }
  }

  #idOf(index: number): number {
    const ids = [...this.bench.workers.keys()];
    return ids[index % ids.length]!;
  }
}

test('good traffic of any one worker closes it everywhere in bounded time', () => {
  fc.assert(
    fc.property(settings, fc.nat(), history, fc.nat(5), (first, seed, steps, pick) => {
      const world = new World(first, seed);
      for (const step of steps) world.take(step);
      const { bench } = world;
      const ids = [...bench.workers.keys()];
      const busy = ids[pick % ids.length]!;
      // What hangs goes on hanging; what comes from now on is good, and comes to one worker alone.
      for (const endMs = bench.nowMs + 30_000; bench.nowMs < endMs; ) {
        for (let ms = 0; ms < 10; ms++) bench.step();
        bench.run(busy, 1, 'ok');
      }
      expect(bench.states()).toEqual(ids.map(() => 'closed'));
      expect(bench.shared.state).toBe('closed');
      expect(bench.worker(busy).isBarred).toBe(false);
    }),
    { numRuns: 60 },
  );
});

test('a half-open breaker that enforces never has more probes under way than were good before, and one', () => {
  fc.assert(
    fc.property(fc.nat(), history, (seed, steps) => {
      const world = new World({ ...SETTINGS, openForMs: 200, openForMaxMs: 500, halfOpenRequests: 9 }, seed);
      for (const step of steps) {
        if (step.kind === 'reconfigure' || step.kind === 'crash') continue;
        world.take(step);
        const views = [...world.bench.workers.values()].map((breaker) => breaker.view(world.bench.nowMs));
        const probing = views.filter(({ state }) => state === 'half-open');
        const admitted = probing.reduce((sum, { probes }) => sum + probes, 0);
        const good = probing.reduce((sum, { probesOk }) => sum + probesOk, 0);
        expect(admitted).toBeLessThanOrEqual(Math.min(9, 2 * good + 1));
      }
    }),
    { numRuns: 100 },
  );
});
