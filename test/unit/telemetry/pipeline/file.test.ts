import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FileDestination } from '../../../../src/telemetry/pipeline/file-destination.ts';
import { newFolder } from '../../../support/destination.ts';

const NEVER = new AbortController().signal;

let folder: ReturnType<typeof newFolder>;

beforeEach(() => {
  folder = newFolder();
});

afterEach(() => folder.remove());

test('events are lines of a file, whose folder is made', async () => {
  const file = join(folder.path, 'new', 'events.ndjson');
  const destination = new FileDestination(file);
  expect(await destination.send([Buffer.from('{"id":1}'), Buffer.from('{"id":2}')], NEVER)).toEqual({
    kind: 'taken',
  });
  await destination.send([Buffer.from('{"id":3}')], NEVER);
  await destination.close();
  expect(readFileSync(file, 'utf8')).toBe('{"id":1}\n{"id":2}\n{"id":3}\n');
});

test('a line that a crash has cut short spoils no other', async () => {
  const file = join(folder.path, 'events.ndjson');
  appendFileSync(file, '{"id":1}\n{"id":');
  const destination = new FileDestination(file);
  await destination.send([Buffer.from('{"id":2}')], NEVER);
  await destination.close();
  expect(readFileSync(file, 'utf8')).toBe('{"id":1}\n{"id":\n{"id":2}\n');
});

test('a file that cannot be written takes them later', async () => {
  const file = join(folder.path, 'folder');
  mkdirSync(file);
  const destination = new FileDestination(file);
  expect(await destination.send([Buffer.from('{}')], NEVER)).toEqual({
    kind: 'later',
    problem: 'its file cannot be written (EISDIR)',
  });
  expect(existsSync(file)).toBe(true);
});
