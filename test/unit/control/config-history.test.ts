/** The last changes of the rules, in sentences: `src/control/config-history.ts`; and of breakers. */
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BreakerHistory } from '../../../src/control/breaker-history.ts';
import { type ConfigChange, ConfigHistory } from '../../../src/control/config-history.ts';
import type { ControlState } from '../../../src/control/state.ts';
import { ControlFolder, halfAndHalf, kill, START_MS } from '../../support/control.ts';

let here: ControlFolder;
let control: ControlState;
let history: ConfigHistory;

beforeEach(async () => {
  here = new ControlFolder();
  here.declare();
  control = await here.open();
  history = new ConfigHistory(control, { wallMs: () => START_MS });
});
afterEach(() => here.remove());

describe('the changes of the rules', () => {
  test('begin with the start', () => {
    const { version, hash } = control.snapshot;
    expect(history.list()).toEqual([
      { version, hash, at: '2026-01-02T03:04:05.000Z', by: 'file', reason: 'started', changes: [] },
    ]);
  });

  test('while running: by whom, why, and what is different', () => {
    control.change(halfAndHalf, 'operator:ann');
    control.change(kill, 'operator:bob');
    expect(history.list()).toMatchObject([
      {
        version: 3,
        by: 'operator:bob',
        reason: 'errors',
        changes: [
          'changed ranking: running, control 50%, candidate 50% -> killed, control 50%, candidate 50%',
        ],
      },
      {
        version: 2,
        by: 'operator:ann',
        reason: 'looks good',
        changes: [
          'changed ranking: running, control 90%, candidate 10% -> running, control 50%, candidate 50%',
        ],
      },
      { version: 1 },
    ]);
  });

  test('of the file: what made it be read, and each experiment and setting that differs', async () => {
    here.declare('25%', 'service: shop');
    expect((await control.reload('file')).ok).toBe(true);
    here.declare('25%', 'admin: { token: s3cret, address: "127.0.0.1:1" }');
    expect((await control.reload('signal')).ok).toBe(true);
    const [second, first] = history.list();
    expect(first).toMatchObject({ version: 2, by: 'file', reason: 'the file was changed' });
    expect(first!.changes).toEqual([
      'changed ranking: running, control 90%, candidate 10% -> running, control 75%, candidate 25%',
      'other settings: service',
    ]);
    expect(second).toMatchObject({ version: 3, reason: 'SIGHUP' });
    expect(second!.changes).toEqual([
      'other settings: service, admin',
      'in effect only after a restart: admin.address',
    ]);
    expect(JSON.stringify(history.list())).not.toContain('s3cret');
  });

  test('that are refused are none', async () => {
    writeFileSync(here.file, 'version: 1\nupstream: {}\n');
    await control.reload('file');
    expect(control.change({ ...halfAndHalf, experiment: 'nothing' }, 'ann').ok).toBe(false);
    expect(history.list()).toHaveLength(1);
  });

  test('are kept for the last 50, and told at once to who watches', () => {
    const told: ConfigChange[] = [];
    const stop = history.subscribe((change) => told.push(change));
    for (let i = 1; i <= 60; i++)
      control.change({ ...halfAndHalf, weightsPpm: { candidate: i * 1000 }, reason: `${i}` }, 'ann');
    stop();
    control.change(kill, 'ann');
    expect(told.map(({ version }) => version)).toEqual(Array.from({ length: 60 }, (_, index) => index + 2));
    const versions = history.list().map(({ version }) => version);
    expect([versions.length, versions[0], versions.at(-1)]).toEqual([50, 62, 13]);
  });

  test('say of a file that changes very much only the beginning', async () => {
    const experiments = Array.from(
      { length: 70 },
      (_, index) => `  e${index}: { variants: { control: {}, candidate: { weight: 1% } } }`,
    );
    writeFileSync(
      here.file,
      ['version: 1', 'upstreams: { app: "127.0.0.1:9001" }', 'experiments:', ...experiments, ''].join('\n'),
    );
    expect((await control.reload('admin')).ok).toBe(true);
    const [{ reason, changes }] = history.list() as [ConfigChange];
    expect(reason).toBe('asked for by the admin API');
    expect(changes).toHaveLength(51);
    expect(changes[0]).toBe('removed ranking: running, control 90%, candidate 10%');
    expect(changes.at(-1)).toMatch(/^and [0-9]+ more$/);
  });
});

test('moves of breakers are kept for the last 200, the newest first, with the time of day', () => {
  const breakers = new BreakerHistory({ wallMs: () => START_MS });
  const told: string[] = [];
  breakers.subscribe(({ reason }) => told.push(reason));
  const move = {
    breaker: 'api/ranking/candidate',
    from: 'closed',
    to: 'open',
    mode: 'enforce',
    cause: 'reset',
    tooOften: null,
    atMs: 12,
  } as const;
  for (let i = 1; i <= 210; i++) breakers.moved({ ...move, reason: `${i}` });
  expect(told).toHaveLength(210);
  const kept = breakers.list();
  expect([kept.length, kept[0]!.reason, kept.at(-1)!.reason]).toEqual([200, '210', '11']);
  expect(kept[0]).toEqual({
    name: 'api/ranking/candidate',
    from: 'closed',
    to: 'open',
    mode: 'enforce',
    cause: 'reset',
    reason: '210',
    tooOften: null,
    at: '2026-01-02T03:04:05.000Z',
  });
});
