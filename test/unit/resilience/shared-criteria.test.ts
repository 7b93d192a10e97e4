import { describe, expect, test } from 'vitest';
import type { BreakerSettings } from '../../../src/resilience/breaker.ts';
import { COMPARED, SURE, UNLIMITED } from '../../support/arms-bench.ts';
import { SharedBench } from '../../support/shared-bench.ts';

const WORKERS = [1, 2, 3, 4];

/** Two breakers that workers share, side by side in each worker, on clocks that go together. */
class SharedArms {
  readonly candidate: SharedBench;
  readonly control: SharedBench;

  constructor(candidate: Partial<BreakerSettings>, control: Partial<BreakerSettings> = {}) {
    const workers = WORKERS.length;
    this.candidate = new SharedBench({ workers, settings: { ...UNLIMITED, ...candidate } });
    this.control = new SharedBench({ workers, settings: { ...UNLIMITED, ...control } });
    for (const id of WORKERS) this.candidate.worker(id).compareWith(this.control.worker(id));
  }

  wait(ms: number): this {
    for (let i = 0; i < ms; i++) {
      this.control.step();
      this.candidate.step();
    }
    return this;
  }

  spread(): this {
    return this.wait(150);
  }
}

const P99 = { name: 'p99', share: 0.01 };

describe('workers that share a breaker', () => {
  test('judge a quantile by the calls of all of them', () => {
    const levels = { levelsMs: [300], hasHistogram: false };
    const quantiles = [{ ...P99, limit: { kind: 'fixed', ms: 300 } as const }];
    const bench = new SharedArms({ compared: { ...COMPARED, quantiles }, watch: levels });
    for (const id of WORKERS) {
      bench.candidate.run(id, 240, 'ok', 40);
      bench.candidate.run(id, 10, 'ok', 301);
    }
    expect(bench.candidate.states()).toEqual(WORKERS.map(() => 'closed'));
    bench.spread();
    expect(bench.candidate.moves.map(({ cause }) => cause)).toEqual(['latency-quantile']);
    expect(bench.candidate.states()).toEqual(WORKERS.map(() => 'open'));
  });

  test('see the calls that hang with the others', () => {
    const levels = { levelsMs: [300], hasHistogram: false };
    const quantiles = [{ ...P99, limit: { kind: 'fixed', ms: 300 } as const }];
    const bench = new SharedArms({ compared: { ...COMPARED, quantiles }, watch: levels });
    for (const id of WORKERS) bench.candidate.start(id, 6);
    bench.wait(300);
    expect(bench.candidate.moves).toEqual([]);
    bench.spread();
    expect(bench.candidate.moves[0]!.reason).toContain('(24 of 24 calls');
  });

  test('compare with the control of all of them, whichever gets its calls', () => {
    const bench = new SharedArms({ compared: { ...COMPARED, error: { factor: 1, plus: 0.01 } } });
    bench.control.run(1, 1990, 'ok');
    bench.control.run(1, 10, 'failure');
    for (const id of [2, 3]) {
      bench.candidate.run(id, 40, 'ok');
      bench.candidate.run(id, 10, 'failure');
    }
    bench.spread();
    expect(bench.candidate.moves[0]!.reason).toMatch(
      /^error rate 20% > control's 0\.5% \+ 1% \(20 of 100 calls, of control 10 of 2000/,
    );
  });

  test('compare relative quantiles by the calls of all of them', () => {
    const sizes = { levelsMs: [], hasHistogram: true };
    const quantiles = [{ ...P99, limit: { kind: 'relative', factor: 1.5, plus: 0 } as const }];
    const bench = new SharedArms({ compared: { ...COMPARED, quantiles }, watch: sizes }, { watch: sizes });
    for (const id of WORKERS) {
      bench.control.run(id, 500, 'ok', 40);
      bench.candidate.run(id, 100, 'ok', 40);
      bench.candidate.run(id, 10, 'ok', 400);
    }
    bench.spread();
    expect(bench.candidate.moves.map(({ cause }) => cause)).toEqual(['latency-quantile']);
  });

  test('hold it back together in an outage of both, and it is said once', () => {
    const sharedOutage = { policy: 'hold', confidence: SURE } as const;
    const bench = new SharedArms({ errorRatio: 0.1, sharedOutage });
    for (const id of WORKERS) {
      bench.control.run(id, 200, 'ok');
      bench.control.run(id, 50, 'failure');
    }
    bench.spread();
    for (let i = 0; i < 10; i++) {
      for (const id of WORKERS) {
        bench.candidate.run(id, 8, 'ok');
        bench.candidate.run(id, 2, 'failure');
      }
      bench.spread();
    }
    expect(bench.candidate.states()).toEqual(WORKERS.map(() => 'closed'));
    expect(bench.candidate.moves.map(({ cause, to }) => [cause, to])).toEqual([['held-back', 'closed']]);
  });
});
