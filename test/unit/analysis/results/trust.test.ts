/** May the numbers be believed: shares of the units, who is to blame, units on two variants, interactions, gaps and clocks. */
import { describe, expect, test } from 'vitest';
import { judgeCrossover } from '../../../../src/analysis/crossover.ts';
import { findCulprits } from '../../../../src/analysis/culprit.ts';
import { proportion } from '../../../../src/analysis/estimate.ts';
import { independenceP, interactions } from '../../../../src/analysis/interaction.ts';
import { mismatchEvidence, mismatchP } from '../../../../src/analysis/sequential-srm.ts';
import { findInvalidities, type Span } from '../../../../src/analysis/validity.ts';
import vectors from '../../../vectors/analysis.json' with { type: 'json' };

describe('the sequential test of shares', () => {
  test.each(vectors.sequentialSrm)("of $shares is that of Optimizely's package", (vector) => {
    const counts = vector.shares.map(() => 0);
    let lowest = 1;
    for (const [look, batch] of vector.batches.entries()) {
      for (const [variant, units] of batch.entries()) counts[variant]! += units;
      const parts = [{ counts, shares: vector.shares }];
      // The package starts over its multinomial coefficients at every batch: they cancel.
      expect(mismatchEvidence(parts, vector.concentration)).toBeCloseTo(vector.logBayesFactors[look]!, 6);
      lowest = mismatchP(parts, lowest, vector.concentration);
      expect(lowest).toBeCloseTo(vector.ps[look]!, 6);
    }
  });

  test('adds up over the times that the shares were others', () => {
    const first = { counts: [990, 10], shares: [99, 1] };
    const then = { counts: [480, 520], shares: [1, 1] };
    expect(mismatchEvidence([first, then])).toBeCloseTo(
      mismatchEvidence([first]) + mismatchEvidence([then]),
      10,
    );
    // Taken together they would look wrong under either.
    expect(mismatchP([{ counts: [1470, 530], shares: [99, 1] }])).toBeLessThan(1e-9);
    expect(mismatchP([first, then])).toBeGreaterThan(0.05);
  });

  test('is certain of what cannot be, and knows nothing of nobody', () => {
    expect(mismatchP([{ counts: [100, 1], shares: [1, 0] }])).toBe(0);
    expect(mismatchP([{ counts: [100, 0], shares: [1, 0] }])).toBeCloseTo(1, 10);
    expect(mismatchP([{ counts: [0, 0], shares: [1, 1] }])).toBe(1);
    expect(mismatchP([])).toBe(1);
  });
});

describe('the culprit of wrong shares', () => {
  const shares = [50, 50];
  const listeners = {
    name: 'listener',
    slices: [
      { name: 'public', counts: [5000, 5040] },
      { name: 'partner', counts: [900, 1500] },
      { name: 'internal', counts: [310, 290] },
    ],
  };

  test('is the slice whose own shares are wrong, when the rest is as declared', () => {
    const workers = {
      name: 'worker',
      slices: [
        { name: '1', counts: [3105, 3415] },
        { name: '2', counts: [3105, 3415] },
      ],
    };
    const [culprit] = findCulprits([workers, listeners], shares);
    expect(culprit).toMatchObject({
      dimension: 'listener',
      slice: 'partner',
      units: 2400,
      variant: 1,
      share: 0.625,
      expectedShare: 0.5,
      explainsAll: true,
    });
  });

  test('is nobody when the units are as declared', () => {
    expect(findCulprits([{ name: 'listener', slices: listeners.slices.slice(0, 1) }], shares)).toEqual([]);
    expect(findCulprits([{ name: 'listener', slices: [] }], shares)).toEqual([]);
  });

  test('is every slice when all are wrong, and none of them explains it', () => {
    const all = { name: 'agent', slices: ['a', 'b'].map((name) => ({ name, counts: [4000, 5000] })) };
    expect(findCulprits([all], shares).map(({ slice }) => slice)).toEqual(['a', 'b']);
  });
});

describe('units on several variants', () => {
  test('are a breach only when they are surely too many, and fine only when surely few', () => {
    const alpha = 0.01;
    expect(judgeCrossover(2, 100, { alpha }).state).toBe('insufficient');
    expect(judgeCrossover(300, 10_000, { alpha }).state).toBe('breach');
    expect(judgeCrossover(3, 10_000, { alpha }).state).toBe('ok');
    expect(judgeCrossover(0, 0, { alpha })).toMatchObject({ state: 'insufficient', share: 0 });
    expect(judgeCrossover(300, 10_000, { alpha, max: 0.05 }).state).toBe('ok');
  });
});

describe('two experiments at once', () => {
  test('are independent, or not, by the test of a table', () => {
    // Fisher's data of criminality of twins, without correction: chi-squared 13.032, p 0.000306.
    expect(
      independenceP([
        [10, 3],
        [2, 15],
      ]),
    ).toBeCloseTo(0.000306, 6);
    expect(
      independenceP([
        [1000, 1000],
        [500, 500],
      ]),
    ).toBeCloseTo(1, 10);
    expect(
      independenceP([
        [3, 2],
        [1, 4],
      ]),
    ).toBeNull();
    expect(independenceP([[30, 20]])).toBeNull();
  });

  test("interact when an effect is another one beside the other's treatment", () => {
    const settings = { alpha: 0.05, sides: 'two', tunedFor: 5000 } as const;
    const of = (bad: number) => proportion(bad, 20_000);
    expect(
      interactions(
        [
          [of(1000), of(1200)],
          [of(1100), of(1300)],
        ],
        settings,
      )[0],
    ).toMatchObject({ p: 1 });
    const [found] = interactions(
      [
        [of(1000), of(1200)],
        [of(1100), of(2300)],
      ],
      settings,
    );
    expect(found!.difference).toBeCloseTo(0.05, 12);
    expect(found!.low).toBeGreaterThan(0);
    expect(found!.p).toBeLessThan(0.01);
    expect(
      interactions(
        [
          [of(1), of(1)],
          [of(1), proportion(1, 9)],
        ],
        settings,
      ),
    ).toEqual([]);
    expect(
      interactions(
        [
          [of(1), of(1), of(1)],
          [of(1), of(1), of(1)],
        ],
        settings,
      ),
    ).toHaveLength(2);
  });
});

describe('the numbers are not to be believed', () => {
  const MINUTE = 60_000;
  const spans = (...observations: number[]): Span[] =>
    observations.map((count, i) => ({ startMs: i * MINUTE, endMs: (i + 1) * MINUTE, observations: count }));
  const ask = (what: Span[], skewMs = 0, nowMs = what.length * MINUTE) =>
    findInvalidities({ spans: what, nowMs, skewMs }).map(({ reason }) => reason);
  const steady = [200, 210, 190, 205, 195, 200];

  test('unless nothing is wrong', () => {
    expect(ask(spans(...steady))).toEqual([]);
    expect(ask([])).toEqual([]);
    expect(ask(spans(5, 6, 4, 5, 6, 0))).toEqual([]);
  });

  test('with a gap, also one that is still open', () => {
    expect(ask(spans(200, 0, 0, 0, 0, 0, 0, 200))[0]).toBe('no data for 360 s (at most 300 s)');
    expect(ask(spans(...steady), 0, 13 * MINUTE)).toEqual(['no data for 420 s (at most 300 s)']);
  });

  test('and not without, where little comes', () => {
    expect(ask(spans(2, 0, 1, 0, 0, 0, 0, 0, 0, 1, 2))).toEqual([]);
  });

  test('with clocks that disagree, either way', () => {
    expect(ask(spans(...steady), 90_000)).toEqual(['clocks differ by 90 s (at most 60 s)']);
    expect(ask(spans(...steady), -61_000)).toEqual(['clocks differ by 61 s (at most 60 s)']);
  });

  test('with a jump no experiment makes, up or down', () => {
    expect(ask(spans(...steady, 2100))).toEqual([
      '2100 observations in the last span, 200 are usual (a factor of at most 10)',
    ]);
    expect(ask(spans(...steady, 19))).toHaveLength(1);
    expect(ask(spans(...steady, 1900))).toEqual([]);
  });
});
