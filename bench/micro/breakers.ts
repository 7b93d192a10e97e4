/**
 * What does a breaker cost a request? CPU time for one call, admitted and settled, and for one tick of 50 ms: the best of
 * thirty rounds, since noise only ever adds. (The bytes are those of the clock of this benchmark.)
 * Run: npm exec -c 'node --expose-gc bench/micro/breakers.ts'
 */
import { Breaker, type BreakerSettings, Call } from '../../src/resilience/breaker.ts';
import { criticalSurprise } from '../../src/resilience/confidence.ts';

const ROUNDS = 30;
const CALLS = 500_000;
const TICKS = 5_000;
/** 10,000 calls a second. */
const CALL_MS = 0.1;
const IN_FLIGHT = 64;

const CONFIDENCE = { ratio: 0.99999, surprise: criticalSurprise(0.00001) };

/** What there is unless something is configured. */
const DEFAULT: BreakerSettings = {
  windowMs: 10_000,
  minimumRequests: 20,
  errorRatio: 0.5,
  slow: null,
  consecutiveFailures: null,
  openForMs: 5_000,
  openForMaxMs: 60_000,
  halfOpenRequests: 5,
  sharedOutage: { policy: 'hold', confidence: CONFIDENCE },
};

const SLOW: BreakerSettings = {
  ...DEFAULT,
  slow: { thresholdMs: 250, ratio: 0.2 },
  watch: { levelsMs: [250], hasHistogram: false },
};

const ALL: BreakerSettings = {
  ...SLOW,
  consecutiveFailures: 7,
  compared: {
    confidence: CONFIDENCE,
    error: { factor: 2, plus: 0.01 },
    slow: { factor: 1, plus: 0.05 },
    quantiles: [
      { name: 'p50', share: 0.5, limit: { kind: 'fixed', ms: 100 } },
      { name: 'p99', share: 0.01, limit: { kind: 'fixed', ms: 300 } },
      { name: 'p99', share: 0.01, limit: { kind: 'relative', factor: 1.3, plus: 0 } },
    ],
  },
  watch: { levelsMs: [100, 250, 300], hasHistogram: true },
};

/** Calls one after another, so many of them in flight at a time; one in 200 fails. */
class Load {
  readonly breaker: Breaker;
  #n = 0;
  readonly #calls = Array.from({ length: IN_FLIGHT }, () => new Call());

  constructor(name: string, settings: BreakerSettings) {
    this.breaker = new Breaker(name, settings, { next: () => 0.5, hex: () => '' }, ({ to, reason }) => {
      if (to === 'open') throw new Error(reason);
    });
  }

  run(calls: number): void {
    const { breaker } = this;
    for (let i = 0; i < calls; i++) {
      const n = this.#n++;
      const call = this.#calls[n % IN_FLIGHT]!;
      if (call.isArmed) breaker.settle(call, n % 200 === 0 ? 'failure' : 'ok', nowMs);
      nowMs += CALL_MS;
      breaker.admit(call, nowMs);
    }
  }

  /** Ends what is in flight. */
  end(): void {
    for (const call of this.#calls) if (call.isArmed) this.breaker.settle(call, 'ok', nowMs);
  }
}

/** One clock for all. */
let nowMs = 0;

function best(count: number, run: () => void): number {
  let bestNs = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.cpuUsage();
    run();
    bestNs = Math.min(bestNs, (process.cpuUsage(start).user * 1_000) / count);
  }
  return bestNs;
}

function bytesPerCall(load: Load): string {
  if (globalThis.gc === undefined) return 'not measured';
  globalThis.gc();
  const before = process.memoryUsage().heapUsed;
  load.run(CALLS);
  return ((process.memoryUsage().heapUsed - before) / CALLS).toFixed(2);
}

for (const [name, settings] of Object.entries({ default: DEFAULT, slow: SLOW, 'all criteria': ALL })) {
  const { compared: _, sharedOutage: __, ...alone } = settings;
  const control = new Load('control', alone);
  const candidate = new Load('candidate', settings);
  candidate.breaker.compareWith(control.breaker);
  const callNs = best(CALLS, () => candidate.run(CALLS));
  const bytes = bytesPerCall(candidate);
  candidate.end();
  // A window of both, side by side.
  for (let i = 0; i < 1_000; i++) {
    control.run(100);
    candidate.run(100);
  }
  const tickNs = best(TICKS, () => {
    for (let i = 0; i < TICKS; i++) candidate.breaker.tick(nowMs);
  });
  process.stdout.write(
    `${name}: ${callNs.toFixed(0)} ns a call, ${bytes} bytes a call, ${(tickNs / 1_000).toFixed(2)} us a tick\n`,
  );
}
