/** Statuses, dates, holdouts and layers: which goes before which, and what follows. */
import { expect, test } from 'vitest';
import { assign } from '../../../src/experiment/assign.ts';
import { SLOTS, slotOf } from '../../../src/experiment/bucket.ts';
import type { LayerShare } from '../../../src/experiment/layer.ts';
import { conditionOf } from '../../../src/experiment/lifecycle.ts';
import type { Assignment, Experiment } from '../../../src/experiment/model.ts';
import { parseOverride } from '../../../src/experiment/override.ts';
import type { Kept, StickySettings } from '../../../src/experiment/sticky.ts';
import { compileTargeting } from '../../../src/experiment/targeting.ts';
import { experimentOf, givenOf, requestOf } from '../../support/experiment.ts';

const START = Date.UTC(2026, 10, 1);
const END = Date.UTC(2026, 11, 1);
const weights = { control: 0, candidate: 1_000_000 };
const everyoneHeld = { kind: 'holdout', salt: 'h', sharePpm: SLOTS } as const;
const nobodysLayer: LayerShare = { name: 'search', salt: 'search', ranges: [] };

interface Given {
  readonly carried?: string;
  readonly override?: string;
  readonly wallMs?: number;
  readonly trace?: string[];
  readonly user?: string | null;
  readonly kept?: Kept;
}

function decide(settings: Partial<Experiment>, given: Given = {}): Assignment {
  const { carried, override, user = 'alice' } = given;
  return assign(
    experimentOf(weights, settings),
    givenOf({
      request: requestOf(user === null ? {} : { headers: { 'x-user-id': user } }),
      context: carried === undefined ? null : { carried: () => carried },
      overrides: parseOverride(override ?? null, null),
      wallMs: given.wallMs ?? START,
      sticky: given.kept === undefined ? null : { kept: () => given.kept ?? null },
    }),
    given.trace,
  );
}

/** Variant, reason, whether it counts and whether it is carried on. */
function told({ variant, reason, isIncluded, isCarried }: Assignment): unknown[] {
  return [variant.name, reason, isIncluded, isCarried];
}

const [control, candidate] = experimentOf(weights).variants as [
  Experiment['fallback'],
  Experiment['fallback'],
];
/** What it says in detail is nothing to assignment. */
const STICKY = {} as StickySettings;
const schedule = { startsAtMs: START, endsAtMs: END, afterwards: control };

test('a draft is for nobody, whatever is asked for or carried', () => {
  const asked = decide({ status: 'draft' }, { override: 'checkout=candidate', carried: 'candidate' });
  expect(told(asked)).toEqual(['control', 'off', false, false]);
});

test('a concluded experiment gives everyone the winner and carries it, and counts nobody', () => {
  const over = { status: 'concluded', winner: candidate } as const;
  expect(told(decide(over))).toEqual(['candidate', 'concluded', false, true]);
  expect(told(decide(over, { override: 'never', carried: 'control', user: null }))).toEqual([
    'candidate',
    'concluded',
    false,
    true,
  ]);
});

test('dates: before the first the fallback, from then on the split, from the second on the fallback', () => {
  const at = (wallMs: number) => told(decide({ schedule }, { wallMs }));
  expect(at(START - 1)).toEqual(['control', 'not-started', false, false]);
  expect(at(START)).toEqual(['candidate', 'split', true, true]);
  expect(at(END - 1)).toEqual(['candidate', 'split', true, true]);
  expect(at(END)).toEqual(['control', 'ended', false, false]);
});

test('a winner after the end is for everyone, is carried and counts nobody', () => {
  const won = { schedule: { ...schedule, afterwards: candidate } };
  expect(told(decide(won, { wallMs: END }))).toEqual(['candidate', 'ended', false, true]);
  expect(told(decide(won, { wallMs: END, user: null }))).toEqual(['candidate', 'ended', false, true]);
});

test('what is over, with a winner, is for those who are held out as well', () => {
  const held = { holdouts: [everyoneHeld], layer: nobodysLayer };
  const won = { ...held, schedule: { ...schedule, afterwards: candidate } };
  expect(decide(won, { wallMs: END - 1 }).reason).toBe('holdout');
  expect(told(decide(won, { wallMs: END }))).toEqual(['candidate', 'ended', false, true]);
  expect(told(decide({ ...held, status: 'concluded', winner: candidate }))).toEqual([
    'candidate',
    'concluded',
    false,
    true,
  ]);
});

test('an override and a carried variant go before dates, prerequisites, holdouts and the layer', () => {
  const closed: Partial<Experiment> = {
    schedule,
    requires: [{ experiment: 'canary', variants: ['candidate'] }],
    holdouts: [everyoneHeld],
    layer: nobodysLayer,
  };
  for (const wallMs of [START - 1, START, END]) {
    expect(decide(closed, { wallMs, override: 'checkout=candidate' }).reason).toBe('override');
    expect(decide(closed, { wallMs, carried: 'candidate' }).reason).toBe('propagated');
  }
});

test('killed goes before the dates, paused before them too', () => {
  const won = { schedule: { ...schedule, afterwards: candidate } };
  expect(told(decide({ ...won, status: 'killed' }, { wallMs: END }))).toEqual([
    'control',
    'killed',
    false,
    true,
  ]);
  expect(told(decide({ ...won, status: 'paused' }, { wallMs: END }))).toEqual([
    'control',
    'off',
    false,
    false,
  ]);
});

test('the order is dates, prerequisites, holdout, layer, targeting, unit, traffic', () => {
  const settings: [keyof Experiment, Partial<Experiment>, string][] = [
    ['schedule', { schedule: { ...schedule, startsAtMs: START + 1 } }, 'not-started'],
    ['requires', { requires: [{ experiment: 'canary', variants: ['candidate'] }] }, 'prerequisite'],
    ['holdouts', { holdouts: [everyoneHeld] }, 'holdout'],
    ['layer', { layer: nobodysLayer }, 'not-in-layer'],
    ['targeting', { targeting: [compileTargeting({ path: true, equals: '/nowhere' })] }, 'not-targeted'],
    ['trafficPpm', { trafficPpm: 0 }, 'not-enrolled'],
  ];
  for (let first = 0; first < settings.length; first++) {
    const merged = Object.assign({}, ...settings.slice(first).map(([, part]) => part)) as Partial<Experiment>;
    expect(decide(merged).reason).toBe(settings[first]![2]);
  }
});

test('a unit that is held out or in another part of the layer is on record, and no exposure', () => {
  const held = decide({ holdouts: [everyoneHeld] });
  expect([...told(held), held.unit, held.unitSource, held.slot]).toEqual([
    'control',
    'holdout',
    false,
    false,
    'alice',
    'header x-user-id',
    -1,
  ]);
  const outside = decide({ layer: nobodysLayer });
  expect([...told(outside), outside.unit]).toEqual(['control', 'not-in-layer', false, false, 'alice']);
});

test('nothing sticky gets a candidate past a holdout or a layer, with a unit or without', () => {
  const layer: LayerShare = { name: 'search', salt: 'search', ranges: [{ start: 0, end: SLOTS }] };
  const reason = (settings: Partial<Experiment>, user: string | null = 'alice') =>
    decide({ ...settings, sticky: STICKY }, { user, kept: { variant: candidate, enrolSlot: 0 } }).reason;
  expect([reason({}), reason({}, null), reason({ layer })]).toEqual(['sticky', 'sticky', 'sticky']);
  expect(reason({ holdouts: [everyoneHeld] })).toBe('holdout');
  expect(reason({ layer: nobodysLayer })).toBe('not-in-layer');
  // Without a unit nobody can tell whether it is held out, or which experiment of the layer has it.
  for (const settings of [{ holdouts: [everyoneHeld] }, { layer }])
    expect(reason(settings, null)).toBe('no-unit');
});

test('in a layer the experiment has exactly the slots of its ranges', () => {
  const slot = slotOf('search', 'layer', 'alice');
  const within = (start: number, end: number) =>
    decide({ layer: { name: 'search', salt: 'search', ranges: [{ start, end }] } }).reason;
  expect(within(slot, slot + 1)).toBe('split');
  expect(within(slot + 1, SLOTS)).toBe('not-in-layer');
  expect(within(0, slot)).toBe('not-in-layer');
});

test('the trace has a sentence for each, and never the unit’s id', () => {
  const trace: string[] = [];
  decide(
    {
      schedule,
      holdouts: [{ kind: 'holdout', salt: 'h', sharePpm: 1 }],
      layer: { name: 'search', salt: 'search', ranges: [{ start: 0, end: SLOTS }] },
    },
    { trace },
  );
  expect(trace.map((line) => line.replace(/slot \d+/, 'slot N'))).toEqual([
    'override: none',
    'propagated: the caller carries nothing',
    'dates: it has started and has not ended',
    'unit: header x-user-id: present, used',
    'holdout: not held out',
    'layer search: slot N is in its range',
    'split: slot N of 1000000 belongs to candidate',
  ]);
  expect(trace.join('\n')).not.toContain('alice');
});

test('the trace ends where the decision falls', () => {
  const last = (settings: Partial<Experiment>, given: Given = {}) => {
    const trace: string[] = [];
    decide(settings, { ...given, trace });
    return trace.at(-1);
  };
  expect(last({ status: 'draft' })).toBe('status: draft, so everyone gets control');
  expect(last({ status: 'concluded', winner: candidate })).toBe(
    'status: concluded, so everyone gets the winner, candidate',
  );
  expect(last({ schedule }, { wallMs: 0 })).toBe(
    'dates: it starts at 2026-11-01T00:00:00.000Z, so it gets control',
  );
  expect(last({ schedule }, { wallMs: END })).toBe(
    'dates: it ended at 2026-12-01T00:00:00.000Z, so it gets control',
  );
  expect(last({ requires: [{ experiment: 'canary', variants: ['a', 'b'] }] })).toBe(
    'requires: canary gives nothing, needed is a or b, so it gets control',
  );
  expect(last({ holdouts: [everyoneHeld] })).toBe(
    'holdout: among the 100% that are held out of every experiment, so it gets control',
  );
  expect(last({ layer: nobodysLayer })).toMatch(
    /^layer search: slot \d+ is not in its range, so it gets control$/,
  );
});

test('decisions without a unit are one frozen object each', () => {
  const experiment = experimentOf(weights, { status: 'concluded', winner: candidate });
  const twice = [assign(experiment, givenOf()), assign(experiment, givenOf())];
  expect(twice[0]).toBe(twice[1]);
  expect(Object.isFrozen(twice[0])).toBe(true);
});

test('beside the status people are told what is the matter', () => {
  const at = (settings: Partial<Experiment>, wallMs: number) =>
    conditionOf(experimentOf(weights, settings), wallMs);
  expect([START - 1, START, END].map((wallMs) => at({ schedule }, wallMs))).toEqual([
    'not-started',
    null,
    'ended',
  ]);
  expect(at({ staleAtMs: START }, START - 1)).toBe(null);
  expect(at({ staleAtMs: START }, START)).toBe('stale');
  expect(at({ staleAtMs: START, status: 'paused' }, START)).toBe(null);
  expect(at({ staleAtMs: START, schedule }, END)).toBe('ended');
  for (const status of ['draft', 'killed', 'concluded'] as const)
    expect(at({ status, schedule, staleAtMs: 0 }, END)).toBe(null);
});
