import { describe, expect, test } from 'vitest';
import {
  describeFault,
  type Fault,
  kindsOf,
  nameOfScope,
  strike,
  together,
} from '../../../src/resilience/fault.ts';

const NONE: Fault = { delay: null, abort: null, reset: null, when: null };
const DELAY = { durationMs: 100, jitterMs: 40, ratio: 0.5 };

/** Draws these numbers, in this order, and no more. */
function draws(...numbers: number[]): () => number {
  return () => {
    const next = numbers.shift();
    if (next === undefined) throw new Error('one draw too many');
    return next;
  };
}

describe('strike', () => {
  test('hits below the rate and not at it', () => {
    const fault = { ...NONE, abort: { status: 503, ratio: 0.25 } };
    expect(strike(fault, draws(0.2499))).toEqual({ delayMs: 0, ending: { kind: 'abort', status: 503 } });
    expect(strike(fault, draws(0.25))).toBeNull();
  });

  test('at 100% hits always, and what is left out costs no draw', () => {
    expect(strike({ ...NONE, reset: { ratio: 1 } }, draws(0.999999))).toEqual({
      delayMs: 0,
      ending: { kind: 'reset' },
    });
  });

  test('a reset wins over an abort', () => {
    const both = { ...NONE, reset: { ratio: 0.5 }, abort: { status: 500, ratio: 1 } };
    expect(strike(both, draws(0.1))?.ending).toEqual({ kind: 'reset' });
    expect(strike(both, draws(0.9, 0.1))?.ending).toEqual({ kind: 'abort', status: 500 });
  });

  test('jitter goes both ways, and never below nothing', () => {
    const fault = { ...NONE, delay: DELAY };
    expect(strike(fault, draws(0, 0))?.delayMs).toBe(60);
    expect(strike(fault, draws(0, 0.5))?.delayMs).toBe(100);
    expect(strike(fault, draws(0, 0.75))?.delayMs).toBe(120);
    expect(strike({ ...NONE, delay: { ...DELAY, jitterMs: 400 } }, draws(0, 0))?.delayMs).toBe(0);
    expect(strike(fault, draws(0.5))).toBeNull();
  });
});

test('two blows are one: delays add up, and the first ending stands', () => {
  const late = { delayMs: 10, ending: null };
  const cut = { delayMs: 5, ending: { kind: 'reset' } as const };
  const failed = { delayMs: 0, ending: { kind: 'abort', status: 500 } as const };
  expect(together(late, cut)).toEqual({ delayMs: 15, ending: { kind: 'reset' } });
  expect(together(cut, failed)).toEqual({ delayMs: 5, ending: { kind: 'reset' } });
  expect(together(null, cut)).toBe(cut);
  expect(together(late, null)).toBe(late);
  expect(kindsOf(together(late, failed)!)).toEqual(['delay', 'abort']);
});

test('people read what a fault does and to whom', () => {
  const fault: Fault = {
    delay: DELAY,
    abort: { status: 503, ratio: 0.1 },
    reset: { ratio: 0.000001 },
    when: { header: 'x-game-day', value: 'a value is nobody’s business' },
  };
  expect(describeFault(fault)).toBe(
    'delay 100ms +-40ms 50%, abort 503 10%, reset 0.0001%, when x-game-day has its value',
  );
  expect(nameOfScope({ route: 'api', experiment: null, variant: null })).toBe('api');
  expect(nameOfScope({ route: null, experiment: 'ranking', variant: 'candidate' })).toBe('ranking/candidate');
});
