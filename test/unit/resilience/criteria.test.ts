import { describe, expect, test } from 'vitest';
import type { BreakerSettings } from '../../../src/resilience/breaker.ts';
import type { QuantileLimit, SharedOutage } from '../../../src/resilience/limits.ts';
import { ArmsBench, COMPARED, SURE, UNLIMITED } from '../../support/arms-bench.ts';

const PLUS_ONE: Partial<BreakerSettings> = { compared: { ...COMPARED, error: { factor: 1, plus: 0.01 } } };
const HOLD: SharedOutage = { policy: 'hold', confidence: SURE };

function quantile(limit: QuantileLimit['limit']): Partial<BreakerSettings> {
  const levelsMs = limit.kind === 'fixed' ? [limit.ms] : [];
  return {
    compared: { ...COMPARED, quantiles: [{ name: 'p99', share: 0.01, limit }] },
    watch: { levelsMs, hasHistogram: limit.kind === 'relative' },
  };
}

describe('an error rate against the control', () => {
  test('opens the breaker when it is beyond doubt, with both counts in the sentence', () => {
    const bench = new ArmsBench(PLUS_ONE);
    bench.mix('control', 1990, 10).mix('candidate', 80, 20).wait(50);
    expect(bench.last.cause).toBe('error-rate');
    expect(bench.last.reason).toBe(
      "error rate 20% > control's 0.5% + 1% (20 of 100 calls, of control 10 of 2000, in 10s; sure to 99.999%); open for 5s",
    );
  });

  test('is not reached by one error in three calls, and is by 300 in 900', () => {
    const few = new ArmsBench({ ...PLUS_ONE, minimumRequests: 1 });
    few.mix('control', 1990, 10).mix('candidate', 2, 1).wait(50);
    expect(few.state).toBe('closed');
    const many = new ArmsBench({ ...PLUS_ONE, minimumRequests: 1 });
    many.mix('control', 1990, 10).mix('candidate', 600, 300).wait(50);
    expect(many.state).toBe('open');
  });

  test('is not reached by bad luck that a comparison of two numbers would call worse', () => {
    const bench = new ArmsBench(PLUS_ONE);
    bench.mix('control', 1990, 10).mix('candidate', 94, 6).wait(50);
    expect(bench.state).toBe('closed');
  });

  test('is never reached while the candidate is worse by less than it may be, however many calls show it', () => {
    const bench = new ArmsBench(PLUS_ONE);
    bench.mix('control', 99_500, 500).mix('candidate', 98_600, 1_400).wait(50);
    expect(bench.state).toBe('closed');
  });

  test('is not judged before both have their minimum of calls', () => {
    const bench = new ArmsBench(PLUS_ONE);
    bench.mix('candidate', 0, 100).mix('control', 19, 0).wait(50);
    expect(bench.state).toBe('closed');
    bench.run('control', 1, 'ok').wait(50);
    expect(bench.state).toBe('open');
  });

  test('as a multiple is reached beside a control without any error, given enough of both', () => {
    const bench = new ArmsBench({ compared: { ...COMPARED, error: { factor: 2, plus: 0 } } });
    bench.mix('control', 20, 0).mix('candidate', 94, 6).wait(50);
    expect(bench.state).toBe('closed');
    bench.mix('control', 2000, 0).wait(50);
    expect(bench.last.reason).toContain(
      "error rate 6% > 2 x control's 0% (6 of 100 calls, of control 0 of 2020",
    );
  });

  test('is not judged while the control is open: what it has counted is over', () => {
    const bench = new ArmsBench(PLUS_ONE);
    bench.mix('control', 100, 0);
    bench.control.force('open', bench.nowMs, 'test', 60_000);
    bench.mix('candidate', 0, 100).wait(50);
    expect(bench.state).toBe('closed');
  });

  test('compares the calls of one time: an outage of both is not blamed on the one that counts anew', () => {
    const bench = new ArmsBench(PLUS_ONE);
    bench.run('control', 4000, 'ok');
    bench.wait(5_000);
    bench.candidate.reset(bench.nowMs, 'test');
    bench.mix('control', 100, 100).mix('candidate', 100, 100).wait(50);
    expect(bench.state).toBe('closed');
    bench.mix('candidate', 0, 300).wait(50);
    expect(bench.last.reason).toContain('400 of 500 calls, of control 100 of 200');
  });
});

describe('windows of different lengths', () => {
  test('are compared as far as both remember', () => {
    const bench = new ArmsBench(PLUS_ONE, { windowMs: 60_000 });
    bench.run('control', 6000, 'ok').run('candidate', 600, 'ok');
    bench.wait(30_000);
    bench.mix('control', 50, 50).mix('candidate', 50, 50).wait(50);
    expect(bench.state).toBe('closed');
  });
});

describe('a reload that asks for other latencies', () => {
  test('compares what was counted since', () => {
    const bench = new ArmsBench(PLUS_ONE);
    bench.run('control', 2000, 'ok').wait(5_000);
    bench.control.reconfigure({ ...UNLIMITED, watch: { levelsMs: [100], hasHistogram: false } }, bench.nowMs);
    bench.mix('control', 50, 50).mix('candidate', 50, 50).wait(50);
    expect(bench.state).toBe('closed');
  });
});

describe('slow calls against the control', () => {
  const settings: Partial<BreakerSettings> = {
    slow: { thresholdMs: 250, ratio: 1 },
    compared: { ...COMPARED, slow: { factor: 1, plus: 0.05 } },
    watch: { levelsMs: [250], hasHistogram: false },
  };
  const control: Partial<BreakerSettings> = { watch: { levelsMs: [250], hasHistogram: false } };

  test('open the breaker, those in flight among them', () => {
    const bench = new ArmsBench(settings, control);
    bench.run('control', 1000, 'ok', 40).run('candidate', 100, 'ok', 40);
    bench.start('candidate', 40);
    bench.wait(240);
    expect(bench.state).toBe('closed');
    bench.wait(20);
    expect(bench.last.cause).toBe('slow-rate');
    expect(bench.last.reason).toContain(
      "slow calls 28.6% > control's 0% + 5% (40 of 140 calls, of control 0 of 1000",
    );
  });

  test('do not when those of the control are as slow', () => {
    const bench = new ArmsBench(settings, control);
    bench.run('control', 1000, 'ok', 40).run('candidate', 100, 'ok', 40);
    bench.start('candidate', 40);
    bench.start('control', 400);
    bench.wait(300);
    expect(bench.state).toBe('closed');
  });

  test('are those that a client gave up, too', () => {
    const bench = new ArmsBench(settings, control);
    bench.run('control', 1000, 'ok', 40).run('candidate', 100, 'ok', 40).run('candidate', 40, 'left', 1000);
    bench.wait(50);
    expect(bench.state).toBe('open');
  });
});

describe('a quantile with a limit of its own', () => {
  const p99 = quantile({ kind: 'fixed', ms: 300 });

  test('opens the breaker when too many calls take longer, beyond doubt', () => {
    const bench = new ArmsBench(p99);
    bench.run('candidate', 960, 'ok', 40).run('candidate', 40, 'ok', 301).wait(50);
    expect(bench.last.cause).toBe('latency-quantile');
    expect(bench.last.reason).toBe(
      'p99 > 300ms: 4% of the calls took longer (40 of 1000 calls; sure to 99.999%); open for 5s',
    );
  });

  test('does not for 1 % and a little luck', () => {
    const bench = new ArmsBench(p99);
    bench.run('candidate', 982, 'ok', 40).run('candidate', 18, 'ok', 301).wait(50);
    expect(bench.state).toBe('closed');
  });

  test('sees a candidate that hangs, before one call has ended', () => {
    const bench = new ArmsBench(p99);
    bench.start('candidate', 20);
    bench.wait(300);
    expect(bench.state).toBe('closed');
    bench.wait(1);
    expect(bench.last.reason).toContain('20 of 20 calls, 20 of them still in flight');
  });

  test('is not hidden by calls that fail fast', () => {
    const bench = new ArmsBench(p99);
    bench
      .run('candidate', 960, 'ok', 40)
      .run('candidate', 40, 'ok', 301)
      .run('candidate', 100_000, 'failure', 1);
    bench.wait(50);
    expect(bench.last.reason).toContain('40 of 1000 calls');
  });

  test('does not open for calls that fail, as long as they fail fast', () => {
    const bench = new ArmsBench(p99);
    bench.run('candidate', 1000, 'failure', 1).wait(50);
    expect(bench.state).toBe('closed');
    bench.run('candidate', 20, 'failure', 30_000).wait(50);
    expect(bench.last.reason).toContain('20 of 20 calls');
  });
});

describe('a quantile against the control', () => {
  const p99 = quantile({ kind: 'relative', factor: 1.5, plus: 0 });
  const control: Partial<BreakerSettings> = { watch: { levelsMs: [], hasHistogram: true } };

  test('opens the breaker when it is a larger multiple, with both in the sentence', () => {
    const bench = new ArmsBench(p99, control);
    bench.run('control', 1900, 'ok', 40).run('control', 100, 'ok', 100);
    bench.run('candidate', 500, 'ok', 40).run('candidate', 100, 'ok', 400).wait(50);
    expect(bench.last.cause).toBe('latency-quantile');
    expect(bench.last.reason).toMatch(
      /^p99 3\d\dms > 1\.5 x control's 98\.7ms \(600 calls, of control 2000, in 10s; sure to 99\.999%\); open/,
    );
  });

  test('does not when the control is as slow', () => {
    const bench = new ArmsBench(p99, control);
    bench.run('control', 1900, 'ok', 40).run('control', 100, 'ok', 400);
    bench.run('candidate', 500, 'ok', 40).run('candidate', 100, 'ok', 400).wait(50);
    expect(bench.state).toBe('closed');
  });

  test('sees a candidate that hangs', () => {
    const bench = new ArmsBench(p99, control);
    bench.run('control', 2000, 'ok', 40).run('candidate', 100, 'ok', 40);
    bench.start('candidate', 30);
    bench.wait(50);
    expect(bench.state).toBe('closed');
    bench.wait(100);
    expect(bench.state).toBe('open');
  });
});

describe('a limit that the control reaches as well', () => {
  const settings: Partial<BreakerSettings> = { errorRatio: 0.1, sharedOutage: HOLD };

  test('is held back and says so once, with the counts of both', () => {
    const bench = new ArmsBench(settings);
    bench.mix('control', 800, 200).mix('candidate', 80, 20);
    for (let i = 0; i < 20; i++) bench.run('candidate', 1, 'failure').run('control', 5, 'failure').wait(50);
    expect(bench.state).toBe('closed');
    expect(bench.held).toEqual([
      'held back, as control is bad too (20%, 200 of 1000 calls): error rate 10.1% >= 10% (9 of 89 calls in 10s)',
    ]);
    expect(bench.last).toMatchObject({ from: 'closed', to: 'closed' });
    expect(bench.view.heldBack).toBe(bench.held[0]);
    expect(bench.candidate.isAtRest).toBe(false);
  });

  test('opens the breaker where that is the policy', () => {
    const bench = new ArmsBench({ ...settings, sharedOutage: { policy: 'trip', confidence: SURE } });
    bench.mix('control', 800, 200).mix('candidate', 80, 20);
    expect(bench.state).toBe('open');
  });

  test('opens it once the control is well again and the candidate is not', () => {
    const bench = new ArmsBench(settings);
    bench.mix('control', 800, 200).mix('candidate', 80, 20).wait(50);
    expect(bench.state).toBe('closed');
    bench.wait(5_000).mix('control', 10_000, 0).wait(50);
    expect(bench.last).toMatchObject({ to: 'open', cause: 'error-rate' });
    expect(bench.view.heldBack).toBeNull();
  });

  test('is forgotten when both are well again', () => {
    const bench = new ArmsBench(settings);
    bench.mix('control', 800, 200).mix('candidate', 80, 20).wait(50);
    bench.wait(10_300);
    expect([bench.state, bench.view.heldBack, bench.candidate.isAtRest]).toEqual(['closed', null, true]);
  });

  test('opens it when the candidate is far worse than a control that is bad', () => {
    const bench = new ArmsBench(settings);
    bench.mix('control', 900, 100).mix('candidate', 0, 40);
    expect(bench.state).toBe('open');
  });

  test('is held back by a control at half of it, since either may be the first when both go bad', () => {
    const half = new ArmsBench(settings);
    half.mix('control', 950, 50).mix('candidate', 45, 5);
    expect(half.state).toBe('closed');
    const less = new ArmsBench(settings);
    less.mix('control', 951, 49).mix('candidate', 45, 5);
    expect(less.state).toBe('open');
  });

  test('opens it when the control has too few calls to say', () => {
    const bench = new ArmsBench(settings);
    bench.mix('control', 0, 19).mix('candidate', 80, 20);
    expect(bench.state).toBe('open');
  });

  test('is held back while the control is open itself: going there would be a 503', () => {
    const bench = new ArmsBench(settings, { errorRatio: 0.5 });
    bench.mix('control', 0, 20);
    expect(bench.control.state).toBe('open');
    bench.mix('candidate', 0, 100);
    expect([bench.state, bench.held]).toEqual([
      'closed',
      [expect.stringMatching(/^held back, as control is bad too: error/)],
    ]);
  });

  test('can be slow calls, failures in a row and quantiles', () => {
    const levelsMs = [250];
    const watch = { levelsMs, hasHistogram: false };
    const slow = new ArmsBench(
      { slow: { thresholdMs: 250, ratio: 0.2 }, sharedOutage: HOLD, watch },
      { watch },
    );
    slow.run('control', 500, 'ok', 300).run('candidate', 100, 'ok', 300).wait(50);
    expect([slow.state, slow.held]).toEqual([
      'closed',
      [expect.stringContaining('(100%, 500 of 500 calls): slow calls 100% >= 20%')],
    ]);
    const row = new ArmsBench({ consecutiveFailures: 7, sharedOutage: HOLD });
    row.run('control', 4, 'failure').run('candidate', 7, 'failure');
    expect([row.state, row.held.length]).toEqual(['closed', 1]);
    row.run('control', 1, 'ok').wait(50);
    expect(row.state).toBe('open');
    const past = new ArmsBench({ consecutiveFailures: 7, sharedOutage: HOLD });
    past.run('control', 7, 'failure').wait(60_000);
    past.run('candidate', 7, 'failure');
    expect(past.state).toBe('open');
    const { compared } = quantile({ kind: 'fixed', ms: 250 });
    const p99 = new ArmsBench({ compared: compared!, watch, sharedOutage: HOLD }, { watch });
    p99.run('control', 500, 'ok', 300).run('candidate', 100, 'ok', 300).wait(50);
    expect([p99.state, p99.held]).toEqual(['closed', [expect.stringContaining('p99 > 250ms')]]);
  });

  test('does not hide another limit that the control does not reach', () => {
    const bench = new ArmsBench({ ...settings, consecutiveFailures: 30 });
    bench.mix('control', 800, 200).run('control', 1, 'ok');
    bench.mix('candidate', 200, 29);
    expect(bench.state).toBe('closed');
    bench.mix('candidate', 0, 1).wait(50);
    expect(bench.last.cause).toBe('consecutive-failures');
  });
});
