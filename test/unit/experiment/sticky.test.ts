import { describe, expect, test } from 'vitest';
import { assign } from '../../../src/experiment/assign.ts';
import type { Experiment } from '../../../src/experiment/model.ts';
import {
  isRenewalDue,
  judge,
  type Kept,
  type StickyEntry,
  type StickySettings,
} from '../../../src/experiment/sticky.ts';
import { experimentOf, givenOf, requestOf } from '../../support/experiment.ts';

const SETTINGS: StickySettings = {
  place: { kind: 'cookie', name: 'fairlead_sticky' },
  ttlMs: 10_000,
  bucketVersion: 3,
  minBucketVersion: 2,
};
const ENTRY: StickyEntry = {
  experiment: 'checkout',
  variant: 'candidate',
  bucketVersion: 2,
  issuedS: 1000,
  enrolSlot: 0,
};
const ISSUED_MS = 1_000_000;
const half = experimentOf({ control: 500_000, candidate: 500_000 }, { sticky: SETTINGS });
const [control, candidate] = half.variants;

describe('an entry', () => {
  const at = (entry: Partial<StickyEntry>, wallMs = ISSUED_MS, experiment = half) =>
    judge(experiment, SETTINGS, { ...ENTRY, ...entry }, wallMs);

  test('is kept until its time is over', () => {
    expect(at({})).toEqual({ variant: candidate, enrolSlot: 0 });
    expect(at({}, ISSUED_MS + 9_999)).toEqual({ variant: candidate, enrolSlot: 0 });
    expect(at({}, ISSUED_MS + 10_000)).toBe('expired');
  });

  test('of another version is kept down to the minimum', () => {
    expect(at({ bucketVersion: 4 })).toMatchObject({ variant: candidate });
    expect(at({ bucketVersion: 1 })).toBe('old-version');
  });

  test('is not kept for a variant that is gone, or that nobody is to get', () => {
    expect(at({ variant: 'other' })).toBe('unknown-variant');
    expect(at({}, ISSUED_MS, experimentOf({ control: 1_000_000, candidate: 0 }))).toBe('no-weight');
    expect(at({ variant: 'control' })).toEqual({ variant: control, enrolSlot: 0 });
  });

  test('that says who is not enrolled is kept with its slot', () => {
    expect(at({ variant: null, enrolSlot: 123_456 })).toEqual({ variant: null, enrolSlot: 123_456 });
  });

  test('is given out again in the second half of its time', () => {
    expect(isRenewalDue(SETTINGS, ENTRY, ISSUED_MS + 4_999)).toBe(false);
    expect(isRenewalDue(SETTINGS, ENTRY, ISSUED_MS + 5_000)).toBe(true);
  });
});

describe('what is kept', () => {
  const request = requestOf({ headers: { 'x-user-id': 'u1' } });
  const decide = (experiment: Experiment, kept: Kept | null, before = givenOf().before) =>
    assign(experiment, givenOf({ request, before, sticky: { kept: () => kept } }));
  const kept: Kept = { variant: candidate!, enrolSlot: 0 };

  test('is the variant, in the analysis and carried on, with the unit of now', () => {
    expect(decide(half, kept)).toMatchObject({
      variant: candidate,
      reason: 'sticky',
      isIncluded: true,
      isCarried: true,
      unit: 'u1',
      unitSource: 'header x-user-id',
      slot: -1,
    });
  });

  test('is not asked for by an experiment that is not sticky', () => {
    const plain = experimentOf({ control: 500_000, candidate: 500_000 });
    const never = {
      kept(): never {
        throw new Error('asked');
      },
    };
    expect(assign(plain, givenOf({ request, sticky: never })).reason).toBe('split');
  });

  test('gives way to the layer and to what is required', () => {
    const layer = { name: 'pages', salt: 'pages', ranges: [] };
    expect(decide({ ...half, layer }, kept).reason).toBe('not-in-layer');
    const requires = [{ experiment: 'canary', variants: ['candidate'] }];
    expect(decide({ ...half, requires }, kept).reason).toBe('prerequisite');
  });

  test('goes before targeting and the traffic gate', () => {
    const targeting = [{ text: 'never', matches: () => false }];
    expect(decide({ ...half, targeting, trafficPpm: 0 }, kept).reason).toBe('sticky');
  });

  test('of who is not enrolled is the slot of the gate, whatever the unit of now would get', () => {
    const at = (trafficPpm: number, enrolSlot: number) =>
      decide({ ...half, trafficPpm }, { variant: null, enrolSlot }).reason;
    expect([at(200_000, 199_999), at(200_000, 200_000), at(0, 0)]).toEqual([
      'split',
      'not-enrolled',
      'not-enrolled',
    ]);
  });

  test('of who another algorithm left out stays out until it is dealt anew', () => {
    const bucketing = { name: 'unleash', isExact: false, place: () => ({ variant: 1, slot: 5 }) } as const;
    const at = (trafficPpm: number) =>
      decide({ ...half, bucketing, trafficPpm }, { variant: null, enrolSlot: 1_000_000 }).reason;
    expect([at(500_000), at(1_000_000)]).toEqual(['not-enrolled', 'not-enrolled']);
    expect(decide({ ...half, bucketing }, null).reason).toBe('split');
  });
});
