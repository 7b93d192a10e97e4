/** `fairlead replay` on files that are whole, cut, damaged, or without their rules. */
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CliError } from '../../../src/cli/io.ts';
import { replayCommand } from '../../../src/cli/replay.ts';
import { configOf, withExperiment } from '../../support/config.ts';
import { inForce, recorded, type Situation } from '../../support/decisions.ts';
import { Recorder } from '../../support/recorder.ts';

const RULES = inForce(configOf(withExperiment('traffic: 50%')));

let folder: string;
let file: string;
let rulesFile: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-replay-'));
  file = join(folder, 'decisions.ndjson');
  mkdirSync(`${file}.configs`);
  rulesFile = join(`${file}.configs`, `${RULES.archived.id}.json`);
  writeFileSync(rulesFile, RULES.archived.text);
  writeFileSync(file, ['anna', 'bob', 'cleo'].map(lineOf).join(''));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function lineOf(user: string): string {
  const nothing = { carried: null, override: null, excluded: null, ignoresRoutingKeys: false };
  const parts = { headers: { 'x-user-id': user } };
  const situation: Situation = { parts, wallMs: 0, kept: {}, open: [], ...nothing };
  return recorded(RULES.snapshot, situation, false);
}

async function replay(options: { configs?: string } = {}) {
  const io = new Recorder();
  const code = await replayCommand({ file, output: 'text', ...options }, io);
  return { code, text: io.stdout };
}

test('says that all agree, and exits with 0', async () => {
  expect(await replay()).toEqual({ code: 0, text: '3 decisions: 3 agree\n' });
});

test('finds the rules of a file that was moved aside, or where it is told that they are', async () => {
  writeFileSync(`${file}.1`, readFileSync(file));
  file = `${file}.1`;
  expect(await replay()).toMatchObject({ code: 0 });
  expect(await replay({ configs: folder })).toMatchObject({ code: 3 });
});

test('leaves out a last line that has no end, and takes one that only lacks its line feed', async () => {
  appendFileSync(file, lineOf('dora').slice(0, 100));
  const cut = 'the last line is not finished, and is left out\n3 decisions: 3 agree\n';
  expect(await replay()).toEqual({ code: 0, text: cut });
  writeFileSync(file, lineOf('anna').trimEnd());
  expect(await replay()).toEqual({ code: 0, text: '1 decision: 1 agree\n' });
});

test('names the lines that are no decisions, and exits with 2', async () => {
  appendFileSync(file, `{"msg":"request"}\n\n${lineOf('dora')}`);
  expect(await replay()).toEqual({
    code: 2,
    text: 'line 4: not a decision\nline 5: not a decision\n4 decisions: 4 agree, 2 other lines\n',
  });
});

test('names the rules that are not there, or that somebody has changed, and exits with 3', async () => {
  writeFileSync(rulesFile, RULES.archived.text.replace('"traffic":500000', '"traffic":600000'));
  const { code, text } = await replay();
  expect(code).toBe(3);
  expect(text).toContain('was changed: it is not what its name says');
  expect(text).toContain('3 decisions: 0 agree, 3 were made by rules that are not there');
  rmSync(rulesFile);
  expect((await replay()).text).toMatch(/^line 1: there is no file .* \(rules [0-9a-f]{16}\)\n3 decisions/);
});

test('a difference weighs more than all the rest; the first ten are named', async () => {
  const changed = lineOf('anna').replace('"epoch":1', '"epoch":2');
  appendFileSync(file, `nothing\n${changed.repeat(12)}`);
  const { code, text } = await replay();
  expect(code).toBe(1);
  expect(text.match(/ranking: epoch 2, now 1/g)).toHaveLength(10);
  expect(text).toContain('15 decisions: 3 agree, 12 do not, 1 other lines');
});

test('has the same in fields', async () => {
  const io = new Recorder();
  expect(await replayCommand({ file, output: 'json' }, io)).toBe(0);
  expect(JSON.parse(io.stdout)).toMatchObject({ decisions: 3, agree: 3, differ: 0, isCut: false });
});

test('a line beyond all bounds is not read into memory, and a file that is not there is a mistake of its caller', async () => {
  appendFileSync(file, `${'x'.repeat(2_000_000)}\n${lineOf('dora')}`);
  expect((await replay()).text).toContain('line 4: not a decision\n4 decisions: 4 agree');
  file = join(folder, 'nothing');
  await expect(replay()).rejects.toThrow(CliError);
});
