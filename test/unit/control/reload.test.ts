/** Changes on disk are noticed, whatever way the file is replaced: `src/control/reload.ts`. */
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ConfigWatcher } from '../../../src/control/reload.ts';

let folder = '';
let watcher: ConfigWatcher | null = null;
/** Far longer than any test: what is noticed is noticed by watching. */
const NEVER_MS = 600_000;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-reload-'));
});

afterEach(() => {
  watcher?.close();
  watcher = null;
  rmSync(folder, { recursive: true, force: true });
});

/** Counts the changes that are noticed and lets a test wait for the next. */
async function watching(
  files: readonly string[],
  pollMs = NEVER_MS,
): Promise<{ count(): number; next(): Promise<void> }> {
  let count = 0;
  let wake: (() => void) | null = null;
  let seen = 0;
  watcher = await ConfigWatcher.start({
    files: () => files,
    settleMs: 20,
    pollMs,
    onChange: async () => {
      count++;
      wake?.();
    },
  });
  return {
    count: () => count,
    next: async () => {
      if (count === seen)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      seen = count;
    },
  };
}

describe('a file', () => {
  test('written in place is noticed', async () => {
    const file = join(folder, 'a.yaml');
    writeFileSync(file, 'one');
    const changes = await watching([file]);
    appendFileSync(file, 'two');
    await changes.next();
    expect(changes.count()).toBe(1);
  });

  test('replaced by rename is noticed, again and again', async () => {
    const file = join(folder, 'a.yaml');
    writeFileSync(file, 'one');
    const changes = await watching([file]);
    for (const text of ['two', 'three', 'four']) {
      writeFileSync(join(folder, '.a.yaml.swp'), text);
      renameSync(join(folder, '.a.yaml.swp'), file);
      await changes.next();
    }
    expect(changes.count()).toBe(3);
  });

  test('that is removed and comes back is noticed', async () => {
    const file = join(folder, 'a.yaml');
    writeFileSync(file, 'one');
    const changes = await watching([file]);
    unlinkSync(file);
    await changes.next();
    writeFileSync(file, 'two');
    await changes.next();
    expect(changes.count()).toBe(2);
  });

  test('with a neighbour that changes is left alone', async () => {
    const file = join(folder, 'a.yaml');
    const other = join(folder, 'b.yaml');
    writeFileSync(file, 'one');
    const changes = await watching([file]);
    writeFileSync(other, 'x');
    writeFileSync(join(folder, 'a.yaml~'), 'x');
    appendFileSync(file, 'two');
    await changes.next();
    expect(changes.count()).toBe(1);
  });

  test('written in many small pieces is read when it is whole', async () => {
    const file = join(folder, 'a.yaml');
    writeFileSync(file, '');
    const changes = await watching([file]);
    for (let piece = 0; piece < 50; piece++) appendFileSync(file, 'piece\n');
    await changes.next();
    expect(changes.count()).toBe(1);
  });
});

describe('a ConfigMap', () => {
  test('that Kubernetes swaps behind its symbolic link is noticed', async () => {
    // As the kubelet lays it out: file -> ..data/file, ..data -> ..revision
    mkdirSync(join(folder, '..one'));
    mkdirSync(join(folder, '..two'));
    writeFileSync(join(folder, '..one', 'a.yaml'), 'one');
    writeFileSync(join(folder, '..two', 'a.yaml'), 'two');
    symlinkSync('..one', join(folder, '..data'));
    symlinkSync(join('..data', 'a.yaml'), join(folder, 'a.yaml'));
    const changes = await watching([join(folder, 'a.yaml')]);
    symlinkSync('..two', join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    rmSync(join(folder, '..one'), { recursive: true });
    await changes.next();
    expect(changes.count()).toBe(1);
  });

  test('that is linked from another folder is noticed by the poll', async () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'fairlead-reload-else-'));
    writeFileSync(join(elsewhere, 'a.yaml'), 'one');
    symlinkSync(join(elsewhere, 'a.yaml'), join(folder, 'a.yaml'));
    const changes = await watching([join(folder, 'a.yaml')], 20);
    appendFileSync(join(elsewhere, 'a.yaml'), 'two');
    await changes.next();
    expect(changes.count()).toBe(1);
    rmSync(elsewhere, { recursive: true });
  });
});

describe('the watcher', () => {
  test('notices a folder that is not there yet by the poll', async () => {
    const file = join(folder, 'later', 'a.yaml');
    const changes = await watching([file], 20);
    mkdirSync(join(folder, 'later'));
    writeFileSync(file, 'one');
    await changes.next();
    expect(changes.count()).toBe(1);
  });

  test('goes on after a reload that failed', async () => {
    const file = join(folder, 'a.yaml');
    writeFileSync(file, 'one');
    let calls = 0;
    const done = Promise.withResolvers<void>();
    watcher = await ConfigWatcher.start({
      files: () => [file],
      settleMs: 20,
      pollMs: 20,
      onChange: () => {
        calls++;
        if (calls === 2) done.resolve();
        else appendFileSync(file, 'three');
        return Promise.reject(new Error('no'));
      },
    });
    appendFileSync(file, 'two');
    await done.promise;
    expect(calls).toBe(2);
  });

  test('says nothing after it is closed', async () => {
    const file = join(folder, 'a.yaml');
    writeFileSync(file, 'one');
    const changes = await watching([file], 20);
    watcher?.close();
    const other = await ConfigWatcher.start({
      files: () => [file],
      settleMs: 20,
      pollMs: 20,
      onChange: async () => heard.resolve(),
    });
    const heard = Promise.withResolvers<void>();
    appendFileSync(file, 'two');
    await heard.promise;
    other.close();
    expect(changes.count()).toBe(0);
  });
});
