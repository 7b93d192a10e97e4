/** What holds for every algorithm, through the configuration. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { COMPATIBLE_ALGORITHMS } from '../../../../src/experiment/algorithms/bucketing.ts';
import { SLOTS } from '../../../../src/experiment/bucket.ts';
import { snapshotOf, withExperiment } from '../../../support/config.ts';

const HALVES = 'variants: { control: { weight: 50% }, candidate: { weight: 50% } }';
const ALGORITHMS: Readonly<Record<(typeof COMPATIBLE_ALGORITHMS)[number], readonly string[]>> = {
  unleash: [HALVES, 'algorithm: unleash', 'traffic: 80%'],
  growthbook1: [HALVES, 'algorithm: growthbook1', 'traffic: 80%'],
  growthbook2: [HALVES, 'algorithm: { name: growthbook2, namespace: { id: n, range: [0.1, 0.9] } }'],
  flagd1: [HALVES, 'algorithm: flagd1'],
  flagd2: [HALVES, 'algorithm: flagd2'],
  launchdarkly: [HALVES, 'algorithm: { name: launchdarkly, salt: s }'],
  eppo: [
    'variants: { control: {}, candidate: {} }',
    'algorithm: { name: eppo, splits: [{ variant: control, shards: [{ salt: t, ranges: [{ start: 0, end: 8000 }] }, { salt: s, ranges: [{ start: 0, end: 5000 }] }] }, { variant: candidate, shards: [{ salt: t, ranges: [{ start: 0, end: 8000 }] }] }] }',
  ],
};

const unit = fc.oneof(fc.uuid(), fc.string({ unit: 'binary', minLength: 1, maxLength: 300 }));

function bucketingOf(lines: readonly string[]) {
  return snapshotOf(withExperiment(...lines)).experiments.get('ranking')!.bucketing!;
}

describe.each(COMPATIBLE_ALGORITHMS)('%s', (name) => {
  const lines = ALGORITHMS[name];

  test('gives the same unit the same place, also after a reload, and whatever came between', () => {
    const [one, other] = [bucketingOf(lines), bucketingOf(lines)];
    fc.assert(
      fc.property(unit, unit, (id, between) => {
        const place = one.place(id);
        one.place(between);
        expect(one.place(id)).toEqual(place);
        expect(other.place(id)).toEqual(place);
        if (place === null) return;
        expect([0, 1]).toContain(place.variant);
        expect(Number.isInteger(place.slot) && place.slot >= 0 && place.slot < SLOTS).toBe(true);
      }),
    );
  });

  test('says which algorithm it is and never the unit', () => {
    const bucketing = bucketingOf(lines);
    expect(bucketing.name).toBe(name);
    fc.assert(
      fc.property(fc.uuid(), (id) => {
        const trace: string[] = [];
        bucketing.place(id, trace);
        expect(trace.length).toBeGreaterThan(0);
        for (const sentence of trace) expect(sentence.startsWith(`${name}: `)).toBe(true);
        expect(trace.join()).not.toContain(id);
      }),
    );
  });

  test('gives each of two equal variants about half of who takes part', () => {
    const bucketing = bucketingOf(lines);
    const counts = [0, 0];
    for (let i = 0; i < 20_000; i++) {
      const place = bucketing.place(`user-${i}`);
      if (place !== null) counts[place.variant]!++;
    }
    const taken = counts[0]! + counts[1]!;
    expect(taken).toBeGreaterThan(15_000);
    // Five standard deviations.
    expect(Math.abs(counts[0]! - taken / 2)).toBeLessThan(2.5 * Math.sqrt(taken));
  });
});
