/** Callers that wait for their answer before they ask again, and outages that last: the figures of docs/breakers.md. */
import { expect, test } from 'vitest';
import { Bench } from '../support/breaker-bench.ts';

const CALLERS = 32;

/** Ten seconds of 2,000 good calls a second; then as many calls hang as there are callers, and no more come. */
function hanging(changes: ConstructorParameters<typeof Bench>[0]) {
  const bench = new Bench(changes);
  for (let i = 0; i < 200; i++) {
    bench.run(100, 'ok');
    bench.wait(50);
  }
  return { bench, calls: bench.start(CALLERS), hungMs: bench.nowMs };
}

test('callers that all wait for a variant that hangs do not trip a share of calls before the window has passed', () => {
  const { bench, hungMs } = hanging({ slow: { thresholdMs: 250, ratio: 0.2 } });
  while (bench.state === 'closed') bench.wait(50);
  expect(bench.last.cause).toBe('slow-rate');
  expect(bench.nowMs - hungMs).toBeGreaterThan(9_500);
  expect(bench.nowMs - hungMs).toBeLessThan(10_500);
});

test('they trip failures in a row as soon as those calls are given up', () => {
  const { bench, calls, hungMs } = hanging({ consecutiveFailures: 10 });
  bench.wait(300);
  bench.end(calls, 'failure');
  expect(bench.last).toMatchObject({ to: 'open', cause: 'consecutive-failures' });
  expect(bench.nowMs - hungMs).toBe(300);
});

test('one outage that lasts is three openings after 15 seconds, or a little more by jitter', () => {
  const bench = new Bench({ openForMs: 5_000 }).open();
  const fromMs = bench.nowMs;
  for (const openMs of [5_000, 10_000]) {
    bench.wait(openMs);
    bench.run(1, 'failure');
  }
  expect(bench.moves.filter(({ to }) => to === 'open')).toHaveLength(3);
  expect(bench.nowMs - fromMs).toBe(15_000);
});
