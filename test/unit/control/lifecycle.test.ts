/** What the control plane keeps of an experiment's life: epochs, since when it was seen, statuses that are fixed. */
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { StaleWatch } from '../../../src/control/stale-watch.ts';
import type { ControlState } from '../../../src/control/state.ts';
import { ControlFolder, halfAndHalf, kill, START_MS } from '../../support/control.ts';

let here: ControlFolder;

beforeEach(() => {
  here = new ControlFolder();
});

afterEach(() => here.remove());

const epochIn = (control: ControlState) => control.snapshot.experiments.get('ranking')?.epoch;
const statusIn = (control: ControlState) => control.snapshot.experiments.get('ranking')?.status;

/** A config with these settings of `ranking`. */
function declare(settings: string): void {
  writeFileSync(
    here.file,
    `version: 1
upstreams: { app: "127.0.0.1:9001" }
stateFile: ${here.stateFile}
requireMetadata: false
experiments: { ranking: { variants: { control: {}, candidate: { weight: 10% } }, ${settings} } }
`,
  );
}

describe('epochs', () => {
  test('each change of the weights is one more, and what moves nobody is none', async () => {
    here.declare();
    const control = await here.open();
    expect(epochIn(control)).toBe(1);
    control.change(halfAndHalf, 'anna');
    expect(epochIn(control)).toBe(2);
    control.change(halfAndHalf, 'anna');
    control.change(kill, 'anna');
    expect(epochIn(control)).toBe(2);
    control.change({ kind: 'clear', experiment: 'ranking', reason: 'back' }, 'anna');
    expect(epochIn(control)).toBe(3);
  });

  test('weights and a salt that are edited in the file are one more each', async () => {
    declare('salt: a');
    const control = await here.open();
    declare('salt: b');
    await control.reload('file');
    expect(epochIn(control)).toBe(2);
    here.declare('20%');
    await control.reload('file');
    expect(epochIn(control)).toBe(3);
  });

  test('they go on from where they were after a restart', async () => {
    here.declare();
    const first = await here.open();
    first.change(halfAndHalf, 'anna');
    await first.flush();
    const second = await here.open();
    expect(epochIn(second)).toBe(2);
    second.change({ ...halfAndHalf, weightsPpm: { candidate: 600_000 } }, 'anna');
    expect(epochIn(second)).toBe(3);
    await second.flush();
  });

  test('a state file from before there were any is read, and they begin with 1', async () => {
    here.declare();
    const slots = [
      { start: 0, end: 100_000, variant: 'candidate' },
      { start: 100_000, end: 1_000_000, variant: 'control' },
    ];
    const ranking = { salt: 'ranking', status: null, weights: null, slots };
    writeFileSync(
      here.stateFile,
      JSON.stringify({ format: 'fairlead-state', version: 1, experiments: { ranking } }),
    );
    const control = await here.open();
    expect(here.warnings()).toEqual([]);
    expect(epochIn(control)).toBe(1);
    expect(control.rules.runtime.experiments.get('ranking')?.seenAt).toBe(new Date(START_MS).toISOString());
    await control.flush();
  });
});

describe('since when an experiment is seen', () => {
  const DAY = 86_400_000;

  test('is remembered, so that it goes stale, and a new salt is a new run', async () => {
    declare('staleAfter: 10d');
    const control = await here.open();
    const staleAt = () => control.snapshot.experiments.get('ranking')?.staleAtMs;
    expect(staleAt()).toBe(START_MS + 10 * DAY);
    await control.flush();
    // Three days later.
    const later = await here.open(START_MS + 3 * DAY);
    expect(later.snapshot.experiments.get('ranking')?.staleAtMs).toBe(START_MS + 10 * DAY);
    declare('staleAfter: 10d, salt: second-run');
    await later.reload('file');
    expect(later.snapshot.experiments.get('ranking')?.staleAtMs).toBe(START_MS + 13 * DAY);
    await later.flush();
  });
});

describe('a draft and a concluded experiment', () => {
  test.each([
    ['status: draft', 'draft'],
    ['status: concluded, winner: candidate', 'concluded'],
  ])('%s is neither started nor paused at run time, but can be killed', async (settings, status) => {
    declare(settings);
    const control = await here.open();
    for (const asked of ['running', 'paused'] as const) {
      expect(control.change({ ...kill, status: asked }, 'anna')).toMatchObject({
        ok: false,
        code: 'status_fixed',
        message: `the experiment is declared ${status}`,
      });
    }
    expect(statusIn(control)).toBe(status);
    expect(control.change(kill, 'anna')).toMatchObject({ ok: true });
    expect(statusIn(control)).toBe('killed');
    await control.flush();
  });

  test('a conclusion in the file ends what was started at run time, and not what was killed', async () => {
    here.declare();
    const control = await here.open();
    control.change({ ...kill, status: 'running' }, 'anna');
    declare('status: concluded, winner: candidate');
    await control.reload('file');
    expect(statusIn(control)).toBe('concluded');
    here.declare();
    await control.reload('file');
    control.change(kill, 'anna');
    declare('status: concluded, winner: candidate');
    await control.reload('file');
    expect(statusIn(control)).toBe('killed');
    await control.flush();
  });
});

test('what is stale is told once, and again when it was put right in between', () => {
  let stale = ['ranking'];
  const told: string[] = [];
  const watch = new StaleWatch({ stale: () => stale, onStale: (experiment) => told.push(experiment) });
  watch.look();
  expect(told).toEqual(['ranking']);
  stale = ['ranking', 'search'];
  watch.look();
  expect(told).toEqual(['ranking', 'search']);
  stale = [];
  watch.look();
  stale = ['ranking'];
  watch.look();
  expect(told).toEqual(['ranking', 'search', 'ranking']);
  watch.close();
});

test('it looks again by itself', async () => {
  const told = await new Promise<string>((resolve) => {
    let stale: string[] = [];
    const watch = new StaleWatch({
      stale: () => stale,
      onStale: (experiment) => {
        watch.close();
        resolve(experiment);
      },
      everyMs: 1,
    });
    stale = ['ranking'];
    // The watch keeps no process alive; this does, for the moment that it takes.
    setTimeout(() => {}, 1000);
  });
  expect(told).toBe('ranking');
});
