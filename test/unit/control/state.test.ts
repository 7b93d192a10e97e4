/** The single writer of the rules: `src/control/state.ts`. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatIssue } from '../../../src/config/issue.ts';
import { ConfigInvalidError } from '../../../src/control/state.ts';
import { ControlFolder, halfAndHalf, kill, START_MS, weightOf } from '../../support/control.ts';

let here: ControlFolder;

beforeEach(() => {
  here = new ControlFolder();
});

afterEach(() => here.remove());

describe('at start', () => {
  test('a file that is not valid is refused with its issues', async () => {
    writeFileSync(here.file, 'version: 1\nupstream: {}\n');
    const error = await here.open().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConfigInvalidError);
    expect((error as ConfigInvalidError).message).toContain(
      `${here.file}:2:1: upstream: unknown key; did you mean "upstreams"?`,
    );
  });

  test.each([
    ['no file', () => undefined, 'there is no file'],
    ['a folder', () => mkdirSync(here.file), 'is a folder; expected a file'],
    [
      'bytes that are not UTF-8',
      () => writeFileSync(here.file, Buffer.from([0xff, 0xfe, 0x00])),
      'is not UTF-8 text',
    ],
  ])('%s is said as such', async (_name, arrange, said) => {
    arrange();
    await expect(here.open()).rejects.toThrow(said);
  });

  test('a secret in a file is read, and a missing one is refused at the key that names it', async () => {
    here.declare('10%', `admin: { tokenFile: ${here.path('token')} }`);
    await expect(here.open()).rejects.toThrow(/fairlead\.yaml:5:21: admin\.tokenFile: there is no file/);
    writeFileSync(here.path('token'), '\n');
    await expect(here.open()).rejects.toThrow(/is empty; expected a secret/);
    writeFileSync(here.path('token'), 's3cret\n');
    const control = await here.open();
    expect(control.snapshot.admin.token).toBe('s3cret');
    expect(control.files).toEqual([here.file, here.path('token')]);
    expect(JSON.stringify(control.view())).not.toContain('s3cret');
  });
});

describe('a reload', () => {
  test('swaps the Snapshot, leaves the old one as it was, and tells subscribers both', async () => {
    here.declare();
    const control = await here.open();
    const before = control.snapshot;
    const told: [number, number | undefined][] = [];
    control.subscribe((next, previous) => told.push([next.version, previous?.version]));
    here.declare('20%');
    expect(await control.reload('file')).toMatchObject({
      ok: true,
      changed: true,
      cause: 'file',
      issues: [],
    });
    expect(weightOf(control)).toBe(200_000);
    expect(before.experiments.get('ranking')?.variants[1]?.weightPpm).toBe(100_000);
    expect(told).toEqual([[2, 1]]);
  });

  test('that is not valid changes nothing and is reported', async () => {
    here.declare();
    const control = await here.open();
    const before = control.snapshot;
    let isTold = false;
    control.subscribe(() => {
      isTold = true;
    });
    writeFileSync(here.file, 'version: 1\nupstreams: { app: nowhere }\n');
    const result = await control.reload('signal');
    expect(result).toMatchObject({ ok: false, changed: false, cause: 'signal', atMs: START_MS });
    expect(result.issues.map(formatIssue)).toEqual([
      `${here.file}:2:19: upstreams.app: "nowhere" is not host:port or unix:/path`,
    ]);
    expect(control.snapshot).toBe(before);
    expect(isTold).toBe(false);
    expect(control.lastReload).toBe(result);
    expect(here.events).toContainEqual({
      kind: 'reload-refused',
      at: '2026-01-02T03:04:05.000Z',
      cause: 'signal',
      issues: result.issues,
    });
  });

  test('after a bad one, a good one is taken', async () => {
    here.declare();
    const control = await here.open();
    rmSync(here.file);
    expect((await control.reload('file')).ok).toBe(false);
    here.declare('30%');
    expect((await control.reload('file')).ok).toBe(true);
    expect(weightOf(control)).toBe(300_000);
  });

  test('of the same content makes no new version', async () => {
    here.declare();
    const control = await here.open();
    writeFileSync(here.file, `# a comment\n${readFileSync(here.file, 'utf8')}`);
    expect(await control.reload('file')).toMatchObject({ ok: true, changed: false });
    expect(control.snapshot.version).toBe(1);
  });

  test('of a rotated secret is a change, though the hash stays', async () => {
    here.declare('10%', `admin: { tokenFile: ${here.path('token')} }`);
    writeFileSync(here.path('token'), 'one');
    const control = await here.open();
    const { hash } = control.snapshot;
    writeFileSync(here.path('token'), 'two');
    expect((await control.reload('file')).changed).toBe(true);
    expect(control.snapshot.admin.token).toBe('two');
    expect(control.snapshot.hash).toBe(hash);
  });

  test('several at once run one after the other, and the last file holds', async () => {
    here.declare();
    const control = await here.open();
    here.declare('20%');
    const first = control.reload('file');
    const second = control.reload('signal');
    here.declare('30%');
    await Promise.all([first, second]);
    await control.reload('admin');
    expect(weightOf(control)).toBe(300_000);
    expect(control.lastReload.cause).toBe('admin');
  });

  test('has its warnings told, at the start and when it has changed, the first twenty of them', async () => {
    const told = () => here.events.flatMap((event) => (event.kind === 'warning' ? [event.message] : []));
    const declare = (count: number, service: string): void => {
      const each = Array.from(
        { length: count },
        (_, n) => `e${n}: { variants: { control: {}, b: { weight: 1% } } }`,
      );
      const text = `version: 1\nservice: ${service}\nupstreams: { a: "127.0.0.1:1" }\n`;
      writeFileSync(here.file, `${text}experiments: { ${each.join(', ')} }\n`);
    };
    declare(1, 'one');
    const control = await here.open();
    expect(told()).toEqual([expect.stringContaining('warning: experiments.e0: owner, hypothesis')]);
    await control.reload('signal');
    expect(told()).toHaveLength(1);
    declare(1, 'two');
    await control.reload('file');
    expect(told()).toHaveLength(2);
    declare(30, 'two');
    await control.reload('file');
    const last = told().slice(2);
    expect(last).toHaveLength(21);
    expect(last.at(-1)).toMatch(/has 10 more warnings; see fairlead validate$/);
  });

  test('says which changes wait for a restart', async () => {
    here.declare();
    const control = await here.open();
    here.declare('10%', 'listeners: [{ name: in, address: "127.0.0.1:1" }]', 'admin: { probeAddress: off }');
    expect((await control.reload('file')).restartNeeded).toEqual(['listeners', 'admin.probeAddress']);
    expect(
      here.events.some(
        (event) => event.kind === 'warning' && event.message.includes('only after a restart: listeners'),
      ),
    ).toBe(true);
  });
});

describe('a change', () => {
  test('takes effect before it returns and is on record', async () => {
    here.declare();
    const control = await here.open();
    const result = control.change(halfAndHalf, 'anna');
    expect(result).toEqual({
      ok: true,
      version: 2,
      before: 'running, control 90%, candidate 10%',
      after: 'running, control 50%, candidate 50%',
    });
    expect(weightOf(control)).toBe(500_000);
    expect(weightOf(control, 'control')).toBe(500_000);
    expect(here.events).toContainEqual({
      kind: 'audit',
      at: '2026-01-02T03:04:05.000Z',
      actor: 'anna',
      action: 'set-weights',
      target: 'ranking',
      reason: 'looks good',
      before: 'running, control 90%, candidate 10%',
      after: 'running, control 50%, candidate 50%',
    });
  });

  test('does not touch the declared config, and the view shows which is which', async () => {
    here.declare();
    const control = await here.open();
    const { hash } = control.snapshot;
    control.change(halfAndHalf, 'anna');
    control.change(kill, 'ben');
    expect(control.snapshot.hash).toBe(hash);
    const view = control.view();
    expect(view.declared.experiments.ranking?.variants.candidate?.weight).toBe(100_000);
    expect(view.runtime).toMatchObject({
      ranking: {
        status: { status: 'killed', actor: 'ben', reason: 'errors' },
        weights: { weightsPpm: { candidate: 500_000, control: 500_000 }, actor: 'anna' },
        isDeclared: true,
      },
    });
  });

  test('of weights moves only who must move, and back restores them', async () => {
    here.declare();
    const control = await here.open();
    const before = control.snapshot.experiments.get('ranking')?.slots;
    control.change(halfAndHalf, 'anna');
    expect(control.snapshot.experiments.get('ranking')?.slots[0]).toEqual({
      start: 0,
      end: 500_000,
      variant: 1,
    });
    control.change({ ...halfAndHalf, weightsPpm: { candidate: 100_000 } }, 'anna');
    expect(control.snapshot.experiments.get('ranking')?.slots).toEqual(before);
  });

  test('can be cleared: as declared again', async () => {
    here.declare();
    const control = await here.open();
    control.change(halfAndHalf, 'anna');
    control.change(kill, 'anna');
    control.change({ kind: 'clear', experiment: 'ranking', reason: 'done' }, 'anna');
    expect(control.snapshot.experiments.get('ranking')?.status).toBe('running');
    expect(weightOf(control)).toBe(100_000);
    expect(control.view().runtime).toEqual({});
  });

  test.each([
    [{ ...kill, experiment: 'rankin' }, 'experiment_not_found', 'experiment', 'did you mean "ranking"?'],
    [
      { ...kill, reason: ' ' },
      'reason_missing',
      'reason',
      'say in a few words why; it goes into the audit record',
    ],
    [
      { ...halfAndHalf, weightsPpm: { canddate: 1 } },
      'variant_not_found',
      'weightsPpm.canddate',
      'known: control, candidate',
    ],
    [
      { ...halfAndHalf, weightsPpm: { candidate: 0.5 } },
      'weights_invalid',
      'weightsPpm.candidate',
      'give whole parts per million, 0 to 1000000',
    ],
    [
      { ...halfAndHalf, weightsPpm: { candidate: 500_000, control: 1 } },
      'weights_invalid',
      'weightsPpm',
      'leave control out and it gets the rest',
    ],
  ] as const)('that cannot be is refused and changes nothing: %#', async (change, code, path, hint) => {
    here.declare();
    const control = await here.open();
    const before = control.snapshot;
    expect(control.change(change, 'anna')).toMatchObject({ ok: false, code, path, hint });
    expect(control.snapshot).toBe(before);
    expect(here.events.filter((event) => event.kind === 'audit')).toEqual([]);
  });
});

describe('run-time weights and the file', () => {
  test('survive a reload that leaves the declared weights alone', async () => {
    here.declare();
    const control = await here.open();
    control.change(halfAndHalf, 'anna');
    here.declare('10%', 'timeouts: { idle: 1s }');
    await control.reload('file');
    expect(weightOf(control)).toBe(500_000);
    expect(control.snapshot.timeouts.idleMs).toBe(1000);
  });

  test('are dropped, on record, when the file declares other weights', async () => {
    here.declare();
    const control = await here.open();
    control.change(halfAndHalf, 'anna');
    control.change(kill, 'anna');
    here.declare('20%');
    await control.reload('file');
    expect(weightOf(control)).toBe(200_000);
    expect(control.snapshot.experiments.get('ranking')?.status).toBe('killed');
    expect(
      here.events.filter((event) => event.kind === 'audit' && event.action === 'drop-weights'),
    ).toHaveLength(1);
  });

  test('are dropped at start when the file was changed while nothing ran', async () => {
    here.declare();
    const first = await here.open();
    first.change(halfAndHalf, 'anna');
    await first.flush();
    here.declare('20%');
    expect(weightOf(await here.open())).toBe(200_000);
  });
});
