/** Verdicts with their sentences, and how long it takes to have one. */
import { describe, expect, test } from 'vitest';
import { mean, proportion } from '../../../src/analysis/estimate.ts';
import { observationsFor } from '../../../src/analysis/eta.ts';
import { compare, type Interval } from '../../../src/analysis/interval.ts';
import { Moments } from '../../../src/analysis/moments.ts';
import { judge, judgeGuardrail, type Meaning } from '../../../src/analysis/verdict.ts';
import { countInWords, differenceInWords, durationInWords, inWords } from '../../../src/analysis/wording.ts';

const TWO = { alpha: 0.05, sides: 'two', tunedFor: 5000 } as const;
const ONE = { ...TWO, sides: 'one' } as const;
const ERRORS: Meaning = { name: 'errors', unit: 'share', better: 'lower', margin: 0.005 };

/** Of shares with as many trials on both sides. */
function shares(
  control: number,
  candidate: number,
  trials: number,
  settings: Interval['settings'],
): Interval {
  return compare(proportion(control * trials, trials), proportion(candidate * trials, trials), settings);
}

describe('a verdict', () => {
  test('is worse, better, or none that matters, with the numbers', () => {
    expect(judge(shares(0.05, 0.08, 20_000, TWO), ERRORS, 10)).toEqual({
      kind: 'worse',
      reason: 'errors: worse: 8% instead of 5%, between +2.21 pp and +3.79 pp (n=40,000)',
    });
    expect(judge(shares(0.08, 0.05, 20_000, TWO), ERRORS, 10).kind).toBe('better');
    expect(judge(shares(0.05, 0.05, 100_000, TWO), ERRORS, 10)).toMatchObject({
      kind: 'noDifference',
      reason: expect.stringMatching(
        /^errors: within 0.5 pp: 5% instead of 5%, between -0.\d+ pp and \+0.\d+ pp/,
      ),
    });
  });

  test('turns round with what is better', () => {
    const conversions: Meaning = { ...ERRORS, name: 'conversions', better: 'higher' };
    expect(judge(shares(0.05, 0.08, 20_000, TWO), conversions, 10).kind).toBe('better');
    expect(judge(shares(0.08, 0.05, 20_000, TWO), conversions, 10).kind).toBe('worse');
  });

  test('of too little is that, with the time it takes, and the time is about right', () => {
    const early = judge(shares(0.05, 0.06, 2000, TWO), ERRORS, 2);
    if (early.kind !== 'insufficient') throw new Error(`it is ${early.kind}`);
    expect(early.reason).toMatch(/^errors: not enough data yet, about [\d.]+ h: 6% instead of 5%/);
    expect(early.etaMs! / 1000).toBeCloseTo((early.observationsNeeded! - 4000) / 2, 6);
    // With so many, and the same shares, it is decided; with 5 % fewer it is not.
    const later = (factor: number) =>
      judge(shares(0.05, 0.06, (early.observationsNeeded! / 2) * factor, TWO), ERRORS, 2).kind;
    expect(later(0.95)).toBe('insufficient');
    expect(later(1.01)).toBe('worse');
  });

  test('when nothing comes in, or nobody can say, says so', () => {
    expect(judge(shares(0.05, 0.06, 2000, TWO), ERRORS, 0)).toMatchObject({
      etaMs: null,
      reason: expect.stringContaining('none is coming in'),
    });
    const none = compare(proportion(0, 0), proportion(0, 0), TWO);
    expect(judge(none, ERRORS, 5)).toEqual({
      kind: 'insufficient',
      observationsNeeded: null,
      etaMs: null,
      reason: 'errors: not enough data yet, and nobody can say how long (n=0)',
    });
    // Values that are all the same: nobody knows when another one comes.
    const same = new Moments();
    for (let i = 0; i < 200; i++) same.add(20);
    const still = judge(compare(mean(same), mean(same), TWO), { ...ERRORS, unit: 'ms' }, 5);
    expect(still).toMatchObject({ etaMs: null, reason: expect.stringContaining('nobody can say how long') });
    // Exactly the same, and every difference matters.
    expect(judge(shares(0.05, 0.05, 2000, TWO), { ...ERRORS, margin: 0 }, 5)).toMatchObject({
      observationsNeeded: null,
    });
  });

  test('of a handful waits for the least there must be', () => {
    const handful = compare(proportion(1, 30), proportion(1, 30), TWO);
    expect(observationsFor(handful, 0.001)).toBe(100);
  });
});

describe('a guardrail', () => {
  test('is kept, broken, or undecided', () => {
    expect(judgeGuardrail(shares(0.05, 0.05, 100_000, ONE), ERRORS, 10)).toMatchObject({
      kind: 'pass',
      reason: expect.stringContaining('not worse by more than 0.5 pp'),
    });
    expect(judgeGuardrail(shares(0.05, 0.08, 20_000, ONE), ERRORS, 10).kind).toBe('breach');
    const undecided = judgeGuardrail(shares(0.05, 0.053, 5000, ONE), ERRORS, 10);
    if (undecided.kind !== 'insufficient') throw new Error(`it is ${undecided.kind}`);
    expect(judgeGuardrail(shares(0.05, 0.053, undecided.observationsNeeded! / 2, ONE), ERRORS, 10).kind).toBe(
      'pass',
    );
  });

  test('that is exactly at its margin is never decided', () => {
    const at = { ...shares(0.05, 0.055, 5000, ONE), difference: 0.005 };
    expect(judgeGuardrail(at, ERRORS, 10)).toMatchObject({ kind: 'insufficient', observationsNeeded: null });
  });
});

describe('words', () => {
  test('are short, with units', () => {
    expect(inWords(0.0512, 'share')).toBe('5.12%');
    expect(inWords(412.4, 'ms')).toBe('412 ms');
    expect(inWords(12_345.6, 'bytes')).toBe('12,346 B');
    expect(differenceInWords(-0.00031, 'share')).toBe('-0.031 pp');
    expect(differenceInWords(0, 'number')).toBe('0');
    expect(countInWords(1_234_567)).toBe('1,234,567');
    expect(['about 30 s', 'about 2 min', 'about 3 h', 'about 4.2 d', 'more than 90 d', 'about 1 s']).toEqual(
      [30_000, 120_000, 10_800_000, 362_880_000, 1e12, 3].map(durationInWords),
    );
  });
});
