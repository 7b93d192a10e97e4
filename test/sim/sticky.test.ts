/**
 * Users who come back again and again, each time under another id, with a cookie that keeps their variant: what the
 * sidecar reads and gives out, without the sockets. If only the candidate were kept, all others would be drawn again
 * at each visit, and a share of 10 % would end near 100 %.
 */
import { parseSetCookie } from 'cookie';
import { describe, expect, test } from 'vitest';
import { assign } from '../../src/experiment/assign.ts';
import type { Assignment, Experiment } from '../../src/experiment/model.ts';
import type { Sticky } from '../../src/experiment/sticky.ts';
import { StickyPlan } from '../../src/proxy/sticky-plan.ts';
import { StickySession } from '../../src/proxy/sticky-session.ts';
import { IdentityMetrics } from '../../src/telemetry/identity-metrics.ts';
import { LabelBudget } from '../../src/telemetry/label-sets.ts';
import { snapshotOf } from '../support/config.ts';
import { givenOf, requestOf } from '../support/experiment.ts';

const USERS = 2000;
const VISITS = 50;
const COOKIE = 'fairlead_sticky';

interface World {
  readonly experiment: Experiment;
  readonly plan: StickyPlan;
}

/** 10 % candidate on this share of the traffic. */
function worldOf(traffic: string): World {
  const snapshot = snapshotOf(
    JSON.stringify({
      version: 1,
      upstreams: { app: '127.0.0.1:9001' },
      stickyKeys: [{ id: 'k1', key: 'a secret of thirty-two characters or more' }],
      experiments: {
        checkout: { sticky: {}, traffic, variants: { control: {}, candidate: { weight: '10%' } } },
      },
    }),
  );
  const metrics = new IdentityMetrics(new LabelBudget(100));
  const plan = new StickyPlan(snapshot, { wallMs: () => 1_800_000_000_000 }, metrics);
  return { experiment: snapshot.experiments.get('checkout')!, plan };
}

/** What becomes of a request of a client; the client keeps what it is given. */
type Visit = (world: World, id: string) => Assignment;

/** As the sidecar does it. */
function browser(): Visit {
  const session = new StickySession();
  let cookie: string | null = null;
  return ({ experiment, plan }, id) => {
    const request = requestOf({
      headers: { 'x-user-id': id },
      cookies: cookie === null ? {} : { [COOKIE]: cookie },
    });
    session.begin(plan, request);
    const assignment = assign(experiment, givenOf({ request, sticky: session }));
    const [line = ''] = session.fields([assignment]).split('\r\n');
    if (line !== '') cookie = parseSetCookie(line.replace('set-cookie: ', '')).value ?? null;
    return assignment;
  };
}

/** What a sidecar would do that kept the candidate alone. */
function ratchet(): Visit {
  let isCandidate = false;
  return ({ experiment }, id) => {
    const sticky: Sticky = {
      kept: () => (isCandidate ? { variant: experiment.variants[1]!, enrolSlot: 0 } : null),
    };
    const request = requestOf({ headers: { 'x-user-id': id } });
    const assignment = assign(experiment, givenOf({ request, sticky }));
    isCandidate = assignment.isIncluded && assignment.variant.name === 'candidate';
    return assignment;
  };
}

/** The share of users that has the candidate, and of those that are in the experiment, at their last visit. */
function simulate(world: World, client: () => Visit): { candidate: number; enrolled: number } {
  let candidate = 0;
  let enrolled = 0;
  for (let user = 0; user < USERS; user++) {
    const visit = client();
    let last: Assignment | null = null;
    for (let count = 0; count < VISITS; count++) last = visit(world, `user-${user}-visit-${count}`);
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
  test('a candidate of 10 % stays at 10 %', () => {
    const { candidate } = simulate(worldOf('100%'), browser);
    expect(Math.abs(candidate - 0.1)).toBeLessThan(tolerance(0.1));
  });

  test('an experiment on 20 % of the traffic stays at 20 %, and its candidate at 2 %', () => {
    const { candidate, enrolled } = simulate(worldOf('20%'), browser);
    expect(Math.abs(enrolled - 0.2)).toBeLessThan(tolerance(0.2));
    expect(Math.abs(candidate - 0.02)).toBeLessThan(tolerance(0.02));
  });

  test('with the candidate alone kept, this very simulation finds the ratchet', () => {
    const { candidate } = simulate(worldOf('100%'), ratchet);
    // 1 - 0.9^50
    expect(Math.abs(candidate - 0.9948)).toBeLessThan(tolerance(0.9948));
  });

  test('more traffic enrols more of those who were left out, and nobody leaves', () => {
    const [before, after] = [worldOf('20%'), worldOf('50%')];
    let wasIn = 0;
    let isIn = 0;
    for (let user = 0; user < USERS; user++) {
      const visit = browser();
      const first = visit(before, `user-${user}-a`);
      const second = visit(after, `user-${user}-b`);
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
