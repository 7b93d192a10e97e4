/**
 * Users who come back again and again, each time under another id, with a cookie that keeps their variant. If only
 * the candidate were kept, all others would be drawn again at each visit, and a share of 10 % would end near 100 %.
 */
import { describe, expect, test } from 'vitest';
import { assign } from '../../src/experiment/assign.ts';
import { slotOf } from '../../src/experiment/bucket.ts';
import type { Assignment, Experiment } from '../../src/experiment/model.ts';
import type { Kept, Sticky } from '../../src/experiment/sticky.ts';
import { experimentOf, givenOf, requestOf } from '../support/experiment.ts';

const USERS = 4000;
const VISITS = 50;
const STICKY = {
  place: { kind: 'cookie', name: 'fairlead_sticky' },
  ttlMs: 86_400_000,
  bucketVersion: 1,
  minBucketVersion: 1,
} as const;

/** What of an assignment a client keeps. */
type Keeping = (assignment: Assignment) => Kept | null;

const everythingDrawn: Keeping = ({ experiment, variant, reason, unit }) => {
  if (reason === 'split') return { variant, enrolSlot: 0 };
  if (reason !== 'not-enrolled') return null;
  return { variant: null, enrolSlot: slotOf(experiment.salt, 'enrol', unit!) };
};
const candidateOnly: Keeping = ({ variant, reason }) =>
  reason === 'split' && variant.name === 'candidate' ? { variant, enrolSlot: 0 } : null;

class Client implements Sticky {
  #kept: Kept | null = null;

  kept(): Kept | null {
    return this.#kept;
  }

  visit(experiment: Experiment, id: string, keeping: Keeping): Assignment {
    const request = requestOf({ headers: { 'x-user-id': id } });
    const assignment = assign(experiment, givenOf({ request, sticky: this }));
    this.#kept ??= keeping(assignment);
    return assignment;
  }
}

/** The share of users that has the candidate, and of those that are in the experiment, at their last visit. */
function simulate(experiment: Experiment, keeping: Keeping): { candidate: number; enrolled: number } {
  let candidate = 0;
  let enrolled = 0;
  for (let user = 0; user < USERS; user++) {
    const client = new Client();
    let last: Assignment | null = null;
    for (let visit = 0; visit < VISITS; visit++)
      last = client.visit(experiment, `user-${user}-visit-${visit}`, keeping);
    if (last!.isIncluded) enrolled++;
    if (last!.isIncluded && last!.variant.name === 'candidate') candidate++;
  }
  return { candidate: candidate / USERS, enrolled: enrolled / USERS };
}

/** Five standard errors of a share. */
function tolerance(share: number): number {
  return 5 * Math.sqrt((share * (1 - share)) / USERS);
}

describe(`${USERS} users who come back ${VISITS} times under new ids`, () => {
  const weights = { control: 900_000, candidate: 100_000 };

  test('a candidate of 10 % stays at 10 %', () => {
    const { candidate } = simulate(experimentOf(weights, { sticky: STICKY }), everythingDrawn);
    expect(Math.abs(candidate - 0.1)).toBeLessThan(tolerance(0.1));
  });

  test('an experiment on 20 % of the traffic stays at 20 %, and its candidate at 2 %', () => {
    const experiment = experimentOf(weights, { sticky: STICKY, trafficPpm: 200_000 });
    const { candidate, enrolled } = simulate(experiment, everythingDrawn);
    expect(Math.abs(enrolled - 0.2)).toBeLessThan(tolerance(0.2));
    expect(Math.abs(candidate - 0.02)).toBeLessThan(tolerance(0.02));
  });

  test('with the candidate alone kept, this very simulation finds the ratchet', () => {
    const { candidate } = simulate(experimentOf(weights, { sticky: STICKY }), candidateOnly);
    // 1 - 0.9^50
    expect(Math.abs(candidate - 0.9948)).toBeLessThan(tolerance(0.9948));
  });

  test('more traffic enrols more of those who were left out, and nobody leaves', () => {
    const at = (trafficPpm: number) => experimentOf(weights, { sticky: STICKY, trafficPpm });
    const before = at(200_000);
    const after = at(500_000);
    let wasIn = 0;
    let isIn = 0;
    for (let user = 0; user < USERS; user++) {
      const client = new Client();
      const first = client.visit(before, `user-${user}-a`, everythingDrawn);
      const second = client.visit(after, `user-${user}-b`, everythingDrawn);
      if (first.isIncluded) {
        wasIn++;
        expect(second.variant.name).toBe(first.variant.name);
      }
      if (second.isIncluded) isIn++;
    }
    expect(Math.abs(wasIn / USERS - 0.2)).toBeLessThan(tolerance(0.2));
    expect(Math.abs(isIn / USERS - 0.5)).toBeLessThan(tolerance(0.5));
  });
});
