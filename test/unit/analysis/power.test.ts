/** Sample sizes, against published ones (test/vectors/analysis.json). */
import { describe, expect, test } from 'vitest';
import {
  meanSpread,
  type PowerQuestion,
  proportionSpread,
  quantileSpread,
  ratioSpread,
  sampleSize,
} from '../../../src/analysis/power.ts';
import vectors from '../../vectors/analysis.json' with { type: 'json' };

const SETTINGS = { alpha: 0.05, sides: 'two', tunedFor: 5000 } as const;
const QUESTION: PowerQuestion = {
  spread: meanSpread(1),
  effect: 0.1,
  candidateShare: 0.5,
  power: 0.8,
  settings: SETTINGS,
};

describe('the number of observations for one look', () => {
  test.each(vectors.powerProportions)('to tell $candidate from $control is $perArm an arm', (vector) => {
    const { oneLook } = sampleSize({
      ...QUESTION,
      spread: proportionSpread(vector.control, vector.candidate, 0.5),
      effect: vector.candidate - vector.control,
      power: vector.power,
    });
    expect(oneLook! / 2).toBeCloseTo(vector.perArm, 0);
  });

  test.each(vectors.powerMeans)(
    'for an effect of $effect deviations is $first in the first arm',
    (vector) => {
      const { effect, alpha, power, ratio, first } = vector;
      const candidateShare = ratio / (1 + ratio);
      const settings = { ...SETTINGS, alpha };
      const { oneLook } = sampleSize({ ...QUESTION, effect, candidateShare, power, settings });
      // Whole observations of both.
      expect(oneLook).toBe(Math.ceil(first * (1 + ratio)));
    },
  );
});

describe('looks at any time', () => {
  test('cost more, less than three times as much, and least where they are tuned for', () => {
    const { oneLook, sequential, sequentialHalf } = sampleSize(QUESTION);
    expect(sequential!).toBeGreaterThan(oneLook!);
    expect(sequential!).toBeLessThan(3 * oneLook!);
    expect(sequentialHalf!).toBeLessThan(sequential!);
    const tuned = (tunedFor: number) =>
      sampleSize({ ...QUESTION, settings: { ...SETTINGS, tunedFor } }).sequential!;
    expect(tuned(sequential!)).toBeLessThan(tuned(sequential! / 50));
    expect(tuned(sequential!)).toBeLessThan(tuned(sequential! * 50));
  });

  test('one way need fewer', () => {
    const one = sampleSize({ ...QUESTION, settings: { ...SETTINGS, sides: 'one' } });
    expect(one.oneLook!).toBeLessThan(sampleSize(QUESTION).oneLook!);
    expect(one.sequential!).toBeLessThan(sampleSize(QUESTION).sequential!);
  });
});

describe('what is compared', () => {
  test('a ratio of independent requests needs as many requests, and of equal ones as many units', () => {
    const request = proportionSpread(0.05, 0.06, 0.5);
    const of = (spread: PowerQuestion['spread']) =>
      sampleSize({ ...QUESTION, spread, effect: 0.01 }).oneLook!;
    expect((of(ratioSpread(request, 20, 0)) * 20) / of(request)).toBeCloseTo(1, 2);
    expect(of(ratioSpread(request, 20, 1))).toBe(of(request));
  });

  test("a median of normal logarithms has the error that is published: pi / 2 times the mean's", () => {
    const { control } = quantileSpread({ control: 1, candidate: 1 }, 0.5, 1);
    expect(control).toBeCloseTo(Math.PI / 2, 10);
  });

  test('an effect that nobody can find has no size', () => {
    expect(sampleSize({ ...QUESTION, effect: 1e-9 })).toEqual({
      oneLook: null,
      sequentialHalf: null,
      sequential: null,
    });
  });
});
