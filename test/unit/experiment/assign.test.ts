import { expect, test } from 'vitest';
import { assign, type Context, reasonText } from '../../../src/experiment/assign.ts';
import type { Assignment, Experiment } from '../../../src/experiment/model.ts';
import { parseOverride } from '../../../src/experiment/override.ts';
import { compileTargeting } from '../../../src/experiment/targeting.ts';
import {
  countingRandom,
  experimentOf,
  givenOf,
  type RequestParts,
  requestOf,
} from '../../support/experiment.ts';

interface Given extends RequestParts {
  readonly carried?: string;
  readonly override?: string;
  readonly trace?: string[];
}

/** Decide for a request of user `alice` unless told otherwise. */
function decide(experiment: Experiment, given: Given = {}): Assignment {
  const request = requestOf({ headers: { 'x-user-id': 'alice' }, ...given });
  const { carried, override } = given;
  const context: Context | null =
    carried === undefined ? null : { carried: (name) => (name === 'checkout' ? carried : null) };
  const overrides = parseOverride(override ?? null, null);
  return assign(experiment, givenOf({ request, context, overrides }), given.trace);
}

const half = { control: 500_000, candidate: 500_000 };

test('the same user gets the same variant every time, and it is the golden one', () => {
  const ranking = experimentOf(half, { salt: 'ranking-1' });
  const first = decide(ranking);
  expect(first).toEqual(decide(ranking));
  // test/vectors/fairlead1.json: ranking-1, variant, alice
  expect(first.slot).toBe(718_669);
  expect(first.reason).toBe('split');
  expect(first.unit).toBe('alice');
});

test('a split is included and carried', () => {
  const { isIncluded, isCarried } = decide(experimentOf(half));
  expect({ isIncluded, isCarried }).toEqual({ isIncluded: true, isCarried: true });
});

test('killed goes before override and propagated, is carried and is no exposure', () => {
  const killed = experimentOf(half, { status: 'killed' });
  const assignment = decide(killed, { override: 'checkout=candidate', carried: 'candidate' });
  expect(assignment.variant.name).toBe('control');
  expect(assignment.reason).toBe('killed');
  expect(assignment.isIncluded).toBe(false);
  expect(assignment.isCarried).toBe(true);
});

test('override goes before propagated, propagated before paused, targeting and traffic', () => {
  const closed = experimentOf(half, {
    status: 'paused',
    trafficPpm: 0,
    targeting: [compileTargeting({ path: true, equals: '/nowhere' })],
  });
  const both = decide(closed, { override: 'checkout=control', carried: 'candidate' });
  expect([both.variant.name, both.reason]).toEqual(['control', 'override']);
  const carried = decide(closed, { carried: 'candidate' });
  expect([carried.variant.name, carried.reason]).toEqual(['candidate', 'propagated']);
  const neither = decide(closed);
  expect([neither.variant.name, neither.reason]).toEqual(['control', 'off']);
  for (const assignment of [both, carried]) expect(assignment.isIncluded && assignment.isCarried).toBe(true);
  expect(neither.isIncluded || neither.isCarried).toBe(false);
});

test('an override of a name that is not there is ignored', () => {
  const experiment = experimentOf({ control: 0, candidate: 1_000_000 });
  expect(decide(experiment, { override: 'checkout=x' }).reason).toBe('split');
});

test('a carried variant of a name that is not there gets the fallback, takes no part, and is not carried by us', () => {
  const experiment = experimentOf({ control: 0, candidate: 1_000_000 });
  const { variant, reason, isIncluded, isCarried } = decide(experiment, { carried: 'y' });
  expect([variant.name, reason, isIncluded, isCarried]).toEqual(['control', 'unknown-variant', false, false]);
  expect(decide(experiment, { carried: 'y', override: 'always' }).reason).toBe('override');
  expect(decide({ ...experiment, status: 'killed' }, { carried: 'y' }).reason).toBe('killed');
});

test('an override and a carried variant keep the unit for the exposure', () => {
  const experiment = experimentOf(half);
  expect(decide(experiment, { override: 'always' }).unit).toBe('alice');
  expect(decide(experiment, { carried: 'candidate' }).unit).toBe('alice');
  expect(decide(experiment, { carried: 'candidate', headers: {} }).unit).toBe(null);
});

test('targeting comes before the unit, all clauses must hold', () => {
  const targeting = [
    compileTargeting({ header: 'x-country', in: ['DE', 'FR'] }),
    compileTargeting({ method: true, equals: 'GET' }),
  ];
  const experiment = experimentOf(half, { targeting });
  expect(decide(experiment, { headers: { 'x-country': 'US' } }).reason).toBe('not-targeted');
  expect(decide(experiment, { headers: { 'x-country': 'DE' }, method: 'POST' }).reason).toBe('not-targeted');
  expect(decide(experiment, { headers: { 'x-country': 'DE' } }).reason).toBe('no-unit');
  expect(decide(experiment, { headers: { 'x-country': 'DE', 'x-user-id': 'alice' } }).reason).toBe('split');
});

test('the first unit source that is present and not empty is used', () => {
  const experiment = experimentOf(half, {
    unit: [
      { kind: 'header', name: 'x-user-id' },
      { kind: 'cookie', name: 'sid' },
      { kind: 'query', name: 'uid' },
    ],
  });
  const all = { headers: { 'x-user-id': 'h' }, cookies: { sid: 'c' }, query: { uid: 'q' } };
  expect(decide(experiment, all).unit).toBe('h');
  expect(decide(experiment, { ...all, headers: {} }).unit).toBe('c');
  expect(decide(experiment, { ...all, headers: { 'x-user-id': '' } }).unit).toBe('c');
  expect(decide(experiment, { query: { uid: 'q' }, headers: {} }).unit).toBe('q');
  const byClient = experimentOf(half, { unit: [{ kind: 'clientIdentity' }] });
  expect(decide(byClient, { ...all, clientIdentity: 'web' }).unit).toBe('web');
  expect(decide(byClient, all).reason).toBe('no-unit');
});

test('the same id gives the same variant whichever source it comes from', () => {
  const unit = [{ kind: 'header', name: 'x-user-id' } as const, { kind: 'query', name: 'uid' } as const];
  const experiment = experimentOf(half, { unit });
  const byHeader = decide(experiment, { headers: { 'x-user-id': 'bob' } });
  expect(decide(experiment, { headers: {}, query: { uid: 'bob' } }).slot).toBe(byHeader.slot);
});

test('without a unit it is the fallback, never a random variant', () => {
  const random = countingRandom();
  const experiment = experimentOf({ control: 0, candidate: 1_000_000 });
  const assignment = assign(experiment, givenOf({ random }));
  expect([assignment.variant.name, assignment.reason]).toEqual(['control', 'no-unit']);
  expect(assignment.isIncluded || assignment.isCarried).toBe(false);
  expect(random.calls).toBe(0);
});

test('unit: request makes a new unit for every request, and none for one that is overridden', () => {
  const random = countingRandom();
  const experiment = experimentOf(half, { unit: [{ kind: 'request' }] });
  expect(assign(experiment, givenOf({ random })).unit).toBe('0000000000000001');
  expect(assign(experiment, givenOf({ random })).unit).toBe('0000000000000002');
  const forced = assign(experiment, givenOf({ random, overrides: parseOverride('always', null) }));
  expect([forced.reason, forced.unit, random.calls]).toEqual(['override', null, 2]);
});

test('outside the traffic share it is the fallback, with the unit on record and nothing carried', () => {
  const none = decide(experimentOf({ control: 0, candidate: 1_000_000 }, { trafficPpm: 0 }));
  expect([none.variant.name, none.reason, none.unit, none.slot]).toEqual([
    'control',
    'not-enrolled',
    'alice',
    -1,
  ]);
  expect(none.isIncluded || none.isCarried).toBe(false);
});

test('the traffic share ends exactly at its slot', () => {
  // test/vectors/fairlead1.json: ranking-1, enrol, alice
  const at = (trafficPpm: number) => decide(experimentOf(half, { salt: 'ranking-1', trafficPpm })).reason;
  expect([at(247_780), at(247_781)]).toEqual(['not-enrolled', 'split']);
});

test('the traffic share enrols that share, and growing it only adds users', () => {
  const enrolled = (trafficPpm: number) => {
    const experiment = experimentOf(half, { trafficPpm });
    const users = new Set<number>();
    for (let i = 0; i < 50_000; i++) {
      if (decide(experiment, { headers: { 'x-user-id': `user-${i}` } }).reason === 'split') users.add(i);
    }
    return users;
  };
  const small = enrolled(100_000);
  const large = enrolled(300_000);
  expect(Math.abs(small.size / 50_000 - 0.1)).toBeLessThan(0.0045); // 3.3 standard errors
  expect(Math.abs(large.size / 50_000 - 0.3)).toBeLessThan(0.0068);
  expect([...small].every((user) => large.has(user))).toBe(true);
});

test('of the enrolled the split is what the weights say: the gate and the split are independent', () => {
  const experiment = experimentOf({ control: 900_000, a: 50_000, b: 50_000 }, { trafficPpm: 100_000 });
  const counts = [0, 0, 0];
  for (let i = 0; i < 200_000; i++) {
    const assignment = decide(experiment, { headers: { 'x-user-id': `user-${i}` } });
    if (assignment.reason === 'split') counts[assignment.variant.index]!++;
  }
  const total = counts[0]! + counts[1]! + counts[2]!;
  const expected = [0.9 * total, 0.05 * total, 0.05 * total];
  const statistic = counts.reduce((sum, seen, i) => sum + (seen - expected[i]!) ** 2 / expected[i]!, 0);
  expect(Math.abs(total - 20_000)).toBeLessThan(450); // 3.3 standard errors
  expect(statistic).toBeLessThan(13.82); // chi-squared, 2 degrees of freedom, p = 0.001
});

test('1,000 users land within sampling error of 90/10', () => {
  const experiment = experimentOf({ control: 900_000, candidate: 100_000 });
  let candidates = 0;
  for (let i = 0; i < 1000; i++) {
    candidates += decide(experiment, { headers: { 'x-user-id': `user-${i}` } }).variant.index;
  }
  expect(Math.abs(candidates - 100)).toBeLessThan(32); // 3.3 standard errors
});

test('two experiments on the same users split them independently', () => {
  const one = experimentOf(half, { salt: 'one' });
  const other = experimentOf(half, { salt: 'other' });
  let both = 0;
  for (let i = 0; i < 40_000; i++) {
    const headers = { 'x-user-id': `user-${i}` };
    both += decide(one, { headers }).variant.index & decide(other, { headers }).variant.index;
  }
  expect(Math.abs(both - 10_000)).toBeLessThan(286); // 3.3 standard errors
});

test('a decision that needs no unit is one frozen object per experiment', () => {
  const paused = experimentOf(half, { status: 'paused' });
  expect(decide(paused)).toBe(decide(paused));
  expect(Object.isFrozen(decide(paused))).toBe(true);
  expect(decide(experimentOf(half, { status: 'paused' }))).not.toBe(decide(paused));
});

test('the trace tells every step in order and never the unit’s id', () => {
  const experiment = experimentOf(half, {
    trafficPpm: 999_999,
    targeting: [compileTargeting({ method: true, equals: 'GET' })],
    unit: [
      { kind: 'cookie', name: 'sid' },
      { kind: 'header', name: 'x-user-id' },
    ],
  });
  const trace: string[] = [];
  decide(experiment, { override: 'checkout=typo', trace });
  expect(trace.map((line) => line.replace(/slot \d+/, 'slot N'))).toEqual([
    'override: asks for typo, which checkout does not have; ignored',
    'propagated: the caller carries nothing',
    'targeting: method equals GET: yes',
    'unit: cookie sid: absent',
    'unit: header x-user-id: present, used',
    'traffic: slot N is inside the first 999999 of 1000000',
    expect.stringMatching(/^split: slot N of 1000000 belongs to (control|candidate)$/),
  ]);
  expect(trace.join('\n')).not.toContain('alice');
});

test('the trace ends where the decision falls', () => {
  const last = (experiment: Experiment, given: Given = {}) => {
    const trace: string[] = [];
    decide(experiment, { ...given, trace });
    return trace.at(-1);
  };
  const nowhere = [compileTargeting({ path: true, equals: '/nowhere' })];
  expect(last(experimentOf(half, { status: 'killed' }))).toBe('status: killed, so everyone gets control');
  expect(last(experimentOf(half, { status: 'paused' }))).toBe(
    'status: paused, so who carries nothing gets control',
  );
  expect(last(experimentOf(half), { override: 'always' })).toBe('override: the header asks for candidate');
  expect(last(experimentOf(half), { carried: 'candidate' })).toBe('propagated: the caller carries candidate');
  expect(last(experimentOf(half), { carried: 'old' })).toBe(
    'propagated: the caller carries old, which is not a variant here, so it gets control',
  );
  expect(last(experimentOf(half, { refusesUnknown: true }), { carried: 'old' })).toBe(
    'propagated: the caller carries old, which is not a variant here, so it is refused',
  );
  expect(last(experimentOf(half, { targeting: nowhere }))).toBe(
    'targeting: path equals /nowhere: no, so it gets control',
  );
  expect(last(experimentOf(half), { headers: {} })).toBe(
    'unit: none of the sources is present, so it gets control',
  );
});

test('a trace changes nothing about the decision', () => {
  const experiment = experimentOf(half, { trafficPpm: 500_000 });
  for (let i = 0; i < 200; i++) {
    const headers = { 'x-user-id': `user-${i}` };
    expect(decide(experiment, { headers, trace: [] })).toEqual(decide(experiment, { headers }));
  }
});

test('the reason as a field tells the place of a split', () => {
  const experiment = experimentOf(half);
  const at = (slot: number) => reasonText({ ...decide(experiment), slot });
  expect(at(73_199)).toBe('split:0.0731');
  expect(at(0)).toBe('split:0.0000');
  expect(at(999_999)).toBe('split:0.9999');
  expect(reasonText(decide(experimentOf(half, { status: 'killed' })))).toBe('killed');
});
