/** The files of segments: read with the configuration, from its folder, and again when they change. */
import { createHash, createHmac } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compile } from '../../../src/config/compile.ts';
import { configHash } from '../../../src/config/hash.ts';
import { formatIssue } from '../../../src/config/issue.ts';
import { EMPTY_RUNTIME } from '../../../src/config/runtime.ts';
import { loadConfig } from '../../../src/control/source.ts';
import type { ControlState } from '../../../src/control/state.ts';
import { ControlFolder } from '../../support/control.ts';
import { requestOf } from '../../support/experiment.ts';

let here: ControlFolder;

beforeEach(() => {
  here = new ControlFolder();
});
afterEach(() => here.remove());

const plain = (id: string): string => createHash('sha256').update(id).digest('hex');
const keyed = (key: string) => (id: string) => createHmac('sha256', key).update(id).digest('hex');

/** Writes a file of hashed ids into the folder of the configuration. */
function hashed(name: string, ids: readonly string[], hash = plain): void {
  writeFileSync(here.path(name), ids.map((id) => `${hash(id)}\n`).join(''));
}

/** A configuration whose experiment takes who is in the segment `beta`. */
function declare(segment: string): void {
  const text = [
    'version: 1',
    'upstreams: { app: "127.0.0.1:9001" }',
    `segments: { beta: ${segment} }`,
    'experiments:',
    '  ranking:',
    '    targeting: [{ header: x-user-id, segment: beta }]',
    '    variants: { control: {}, candidate: { weight: 10% } }',
    'requireMetadata: false',
    '',
  ];
  writeFileSync(here.file, text.join('\n'));
}

const load = () => loadConfig({ file: here.file, environment: {} });

/** What is wrong with the files, with its place in the configuration. */
async function said(): Promise<string[]> {
  const { config, issues } = await load();
  const errors = issues.filter(({ severity }) => severity === 'error');
  expect(config === null).toBe(errors.length > 0);
  return errors.map((issue) => formatIssue(issue).replaceAll(`${here.folder}/`, ''));
}

function isIn(control: Pick<ControlState, 'snapshot'>, id: string): boolean {
  const [clause] = control.snapshot.experiments.get('ranking')!.targeting;
  return clause!.matches(requestOf({ headers: { 'x-user-id': id } }));
}

/** Which of these ids the configuration takes. */
async function members(ids: readonly string[]): Promise<string[]> {
  const { config } = await load();
  const snapshot = compile(config!, EMPTY_RUNTIME, 1);
  return ids.filter((id) => isIn({ snapshot }, id));
}

describe('a file of hashed ids', () => {
  test('is found beside the configuration and not where the sidecar was started, and is watched', async () => {
    mkdirSync(here.path('lists'));
    hashed('lists/beta.txt', ['u-1', 'jürgen', 'u-3']);
    declare('{ hashedFile: lists/beta.txt }');
    expect(await members(['u-1', 'u-2', 'jürgen', '', plain('u-1'), 'U-3'])).toEqual(['u-1', 'jürgen']);
    expect((await load()).files).toEqual([here.file, here.path('lists/beta.txt')]);
  });

  test('may be anywhere by its whole name', async () => {
    hashed('beta.txt', ['u-1']);
    declare(`{ hashedFile: ${here.path('beta.txt')} }`);
    expect(await members(['u-1', 'u-2'])).toEqual(['u-1']);
  });

  test('is hashed with a key, declared or in a file beside the configuration', async () => {
    hashed('beta.txt', ['u-1'], keyed('pepper'));
    declare('{ hashedFile: beta.txt, key: pepper }');
    expect(await members(['u-1', 'u-2'])).toEqual(['u-1']);
    writeFileSync(here.path('key'), 'pepper\n');
    declare('{ hashedFile: beta.txt, keyFile: key }');
    expect(await members(['u-1', 'u-2'])).toEqual(['u-1']);
    expect((await load()).files).toContain(here.path('key'));
    declare('{ hashedFile: beta.txt, key: salt }');
    expect(await members(['u-1', 'u-2'])).toEqual([]);
    declare('{ hashedFile: beta.txt }');
    expect(await members(['u-1', 'u-2'])).toEqual([]);
  });

  test('does not have a value that is longer than an id can be', async () => {
    const long = 'u'.repeat(2048);
    hashed('beta.txt', [long, `${long}u`]);
    declare('{ hashedFile: beta.txt }');
    expect(await members([long, `${long}u`])).toEqual([long]);
  });
});

describe('what is wrong with it is told at the key that names it', () => {
  const at = (line: string) => `fairlead.yaml:3:33: segments.beta.hashedFile: ${line}`;

  test('a file that is not there, is empty, or is a folder', async () => {
    declare('{ hashedFile: beta.txt }');
    expect(await said()).toEqual([at('there is no file beta.txt')]);
    writeFileSync(here.path('beta.txt'), '\n\n');
    expect(await said()).toEqual([at('the file beta.txt is empty; expected hashed ids in it')]);
    rmSync(here.path('beta.txt'));
    mkdirSync(here.path('beta.txt'));
    expect(await said()).toEqual([at('beta.txt is a folder; expected a file')]);
  });

  test('ids that are not hashed, without showing them', async () => {
    declare('{ hashedFile: beta.txt }');
    writeFileSync(here.path('beta.txt'), `${plain('u-1')}\nann@shop.example\n`);
    const [message, ...others] = await said();
    expect(others).toEqual([]);
    expect(message).toContain(
      at('the file beta.txt line 2 holds something else; expected the 64 hex digits'),
    );
    expect(message).not.toContain('ann');
  });

  test('a key file that is not there or empty', async () => {
    hashed('beta.txt', ['u-1']);
    declare('{ hashedFile: beta.txt, keyFile: key }');
    expect(await said()).toEqual(['fairlead.yaml:3:52: segments.beta.keyFile: there is no file key']);
    writeFileSync(here.path('key'), ' \n');
    expect(await said()).toEqual([
      'fairlead.yaml:3:52: segments.beta.keyFile: the file key is empty; expected a key in it',
    ]);
  });
});

describe('a reload', () => {
  test('takes up another content of the file, as another configuration', async () => {
    hashed('beta.txt', ['u-1']);
    declare('{ hashedFile: beta.txt }');
    const control = await here.open();
    const before = configHash(control.rules.config);
    hashed('beta.txt', ['u-2']);
    expect(await control.reload('file')).toMatchObject({ ok: true, changed: true });
    expect([isIn(control, 'u-1'), isIn(control, 'u-2')]).toEqual([false, true]);
    expect(configHash(control.rules.config)).not.toBe(before);
    expect(await control.reload('file')).toMatchObject({ ok: true, changed: false });
    await control.flush();
  });

  test('with a file that is bad changes nothing', async () => {
    hashed('beta.txt', ['u-1']);
    declare('{ hashedFile: beta.txt }');
    const control = await here.open();
    const { snapshot } = control;
    writeFileSync(here.path('beta.txt'), 'u-2\n');
    expect(await control.reload('file')).toMatchObject({ ok: false });
    expect(control.snapshot).toBe(snapshot);
    expect(isIn(control, 'u-1')).toBe(true);
    await control.flush();
  });
});
