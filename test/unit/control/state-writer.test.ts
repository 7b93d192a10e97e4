import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EMPTY_RUNTIME } from '../../../src/config/runtime.ts';
import { StateWriter } from '../../../src/control/state-writer.ts';

let folder: string;
let file: string;
let problems: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-state-'));
  file = join(folder, 'state.json');
  problems = [];
  // In its place, so that it cannot be written.
  mkdirSync(file);
});
afterEach(() => rmSync(folder, { recursive: true }));

const writer = (retryMs: number) => new StateWriter(file, (message) => problems.push(message), retryMs);
const isWritten = () => {
  try {
    return readFileSync(file, 'utf8').includes('fairlead-state');
  } catch {
    return false;
  }
};

test('a state that could not be written is written as soon as it can be, and the trouble was told once', async () => {
  const state = writer(5);
  state.write(EMPTY_RUNTIME);
  await expect.poll(() => problems.length).toBe(1);
  rmdirSync(file);
  await expect.poll(isWritten).toBe(true);
  expect(problems).toHaveLength(1);
});

test('a flush tries once more, and does not wait for the next turn', async () => {
  const state = writer(1_000_000);
  state.write(EMPTY_RUNTIME);
  await state.flush();
  expect(isWritten()).toBe(false);
  rmdirSync(file);
  await state.flush();
  expect(isWritten()).toBe(true);
});
