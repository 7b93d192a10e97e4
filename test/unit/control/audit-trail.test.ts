import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { auditVerifyCommand } from '../../../src/cli/audit.ts';
import type { Io } from '../../../src/cli/io.ts';
import type { AuditEntry } from '../../../src/control/audit-chain.ts';
import { AuditTrail, type AuditTrailOptions } from '../../../src/control/audit-trail.ts';

let folder: string;
let file: string;
const trails: AuditTrail[] = [];
const problems: string[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-audit-'));
  file = join(folder, 'audit.ndjson');
});
afterEach(async () => {
  for (const trail of trails.splice(0)) await trail.close();
  problems.length = 0;
  rmSync(folder, { recursive: true });
});

function open(options: Partial<AuditTrailOptions> & { maxBytes?: number; keep?: number } = {}): AuditTrail {
  const { maxBytes = 1024 * 1024, keep = 10, ...rest } = options;
  const trail = new AuditTrail({
    file: { file, maxBytes, keep },
    key: null,
    clock: { wallMs: () => Date.UTC(2026, 0, 2, 3, 4, 5) },
    onProblem: (sentence) => problems.push(sentence),
    retryMs: 5,
    ...rest,
  });
  trails.push(trail);
  return trail;
}

const entry = (reason: string): AuditEntry => ({
  action: 'set-weights',
  target: 'ranking',
  actor: 'operator:alice',
  reason,
  result: 'done',
  before: '10%',
  after: '25%',
});

async function add(trail: AuditTrail, ...reasons: string[]): Promise<void> {
  for (const reason of reasons) trail.add(entry(reason));
  await trail.flush(30_000);
}

const files = () =>
  readdirSync(folder)
    .filter((name) => name.startsWith('audit.'))
    .map((name) => join(folder, name));
const records = () =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { id: number; action: string; reason: string });

/** What `fairlead audit verify` says of all there is. */
async function verified(options: { keyFile?: string; head?: string } = {}) {
  let said = '';
  const io: Io = {
    env: {},
    isTerminal: false,
    err: () => {},
    out: (text) => {
      said += text;
    },
  };
  const code = await auditVerifyCommand({ files: files(), output: 'text', ...options }, io);
  return { code, said };
}

describe('an audit file', () => {
  test('goes on with its chain over restarts', async () => {
    const first = open();
    await add(first, 'one', 'two');
    await first.close();
    const second = open();
    await add(second, 'three');
    expect(records().map(({ id, reason }) => [id, reason])).toEqual([
      [1, 'one'],
      [2, 'two'],
      [3, 'three'],
    ]);
    const { id, hash } = second.status.head;
    expect(await verified({ head: `${id}:${hash}` })).toEqual({
      code: 0,
      said: `3 records, 1 to 3: as they were written; head 3:${hash}\n`,
    });
  });

  test('is renamed when it is full, and the chain goes through all files; the oldest go', async () => {
    const trail = open({ maxBytes: 2000, keep: 3 });
    for (let number = 1; number <= 30; number++) await add(trail, `change ${number}`);
    expect(files()).toHaveLength(4);
    const { code, said } = await verified();
    expect([code, said]).toEqual([0, expect.stringContaining('note: begins at record')]);
    rmSync(files().sort()[2]!);
    expect((await verified()).said).toMatch(/records \d+ to \d+ are missing/);
  });

  test('that ends inside a record keeps what there is of it, and the next start says so', async () => {
    const first = open();
    await add(first, 'one', 'two');
    await first.close();
    truncateSync(file, readFileSync(file).length - 100);
    expect((await verified()).code).toBe(1);
    const second = open();
    await add(second, 'three');
    await second.close();
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    expect(lines).toHaveLength(4);
    expect(lines[1]).toContain('"two"');
    expect(JSON.parse(lines[2]!)).toMatchObject({ id: 2, action: 'audit-torn', actor: 'fairlead' });
    expect(problems[0]).toContain('were not written to their end');
    expect(await verified()).toMatchObject({ code: 0, said: expect.stringContaining(':2: note: ') });
    // And what was torn is under seal from then on.
    writeFileSync(file, readFileSync(file, 'utf8').replace('"two"', '"TWO"'));
    expect((await verified()).code).toBe(1);
  });

  test('is mended as often as it takes: a start that is killed while it says so is followed by another', async () => {
    const first = open();
    await add(first, 'one', 'two');
    await first.close();
    const whole = readFileSync(file, 'utf8');
    for (const rest of [whole.length - 1, whole.length - 90, whole.indexOf('\n') + 3, 20, 3]) {
      writeFileSync(file, whole.slice(0, rest));
      const second = open();
      await add(second, 'three');
      await second.close();
      const marked = readFileSync(file, 'utf8');
      const mark = marked.lastIndexOf('{"id"', marked.indexOf('audit-torn'));
      if (marked.includes('audit-torn')) {
        writeFileSync(file, marked.slice(0, mark + 30));
        const third = open();
        await add(third, 'four');
        await third.close();
      }
      expect(await verified(), `cut at ${rest}`).toMatchObject({ code: 0 });
    }
  });

  test('that was just begun and ends inside its first record goes on from the one before', async () => {
    const first = open({ maxBytes: 1500 });
    for (let number = 1; number <= 5; number++) await add(first, `change ${number}`);
    await first.close();
    const whole = readFileSync(file, 'utf8');
    expect(records()[0]!.id).toBeGreaterThan(1);
    for (const rest of [3, 7, 60]) {
      writeFileSync(file, whole.slice(0, rest));
      const second = open({ maxBytes: 15_000 });
      await add(second, 'again');
      await second.close();
      const { code, said } = await verified();
      expect([code, said], `cut to ${rest}`).toEqual([0, expect.stringContaining(':1: note: ')]);
    }
  });

  test('whose last record was changed is put aside, and verifying it still shows that', async () => {
    const first = open();
    await add(first, 'one', 'two');
    await first.close();
    writeFileSync(file, readFileSync(file, 'utf8').replace('"two"', '"TWO"'));
    const second = open();
    await add(second, 'three');
    expect(records().map(({ id, action }) => [id, action])).toEqual([
      [3, 'audit-changed'],
      [4, 'set-weights'],
    ]);
    expect(await verified()).toMatchObject({
      code: 1,
      said: expect.stringContaining(':2: the record is not what'),
    });
  });

  test('is sealed with a key from the start that has one, in a file of its own', async () => {
    const first = open();
    await add(first, 'one');
    await first.close();
    const second = open({ key: 'a key' });
    await add(second, 'two');
    expect(records()[0]).toMatchObject({ id: 2, action: 'audit-key' });
    const keyFile = join(folder, 'key');
    writeFileSync(keyFile, 'a key\n');
    rmSync(files().find((name) => name !== file)!);
    expect(await verified({ keyFile })).toMatchObject({ code: 0 });
    expect(await verified()).toMatchObject({ code: 1 });
    expect((await second.page({ before: null, limit: 10 })).map(({ id }) => id)).toEqual([3, 2]);
  });

  test('of another kind is left alone, and said', async () => {
    writeFileSync(file, 'version: 1\nupstreams: {}\n');
    const trail = open();
    await add(trail, 'one');
    expect(readFileSync(file, 'utf8')).toBe('version: 1\nupstreams: {}\n');
    expect(problems).toEqual([expect.stringContaining('it holds something else')]);
    expect(trail.status).toMatchObject({ isFailing: true, pending: 1 });
    expect(await trail.page({ before: null, limit: 10 })).toMatchObject([{ id: null, reason: 'one' }]);
  });

  test('that cannot be written gets its records later, and a record of those that were too many', async () => {
    mkdirSync(file);
    const trail = open();
    await add(trail, 'change 1');
    for (let number = 2; number <= 1003; number++) trail.add(entry(`change ${number}`));
    expect(trail.status).toMatchObject({ isFailing: true, pending: 1000, lost: 3 });
    rmSync(file, { recursive: true });
    await expect.poll(() => trail.status.pending).toBe(0);
    await add(trail, 'last');
    const found = records();
    expect(found).toHaveLength(1002);
    expect(found.at(-2)).toMatchObject({
      id: 1001,
      action: 'audit-gap',
      reason: expect.stringMatching(/^3 records/),
    });
    expect(await verified()).toMatchObject({ code: 0 });
    expect(problems).toHaveLength(2);
  });

  test('that somebody takes away is begun anew, and the chain goes on', async () => {
    const trail = open();
    await add(trail, 'one');
    rmSync(file);
    await add(trail, 'two');
    expect(records().map(({ id }) => id)).toEqual([2]);
    expect((await verified()).said).toContain('begins at record 2');
  });

  test.skipIf(process.platform !== 'linux')('is one trail’s at a time: the next waits', async () => {
    const first = open();
    await add(first, 'one');
    const second = open();
    await add(second, 'two');
    expect(problems).toEqual([expect.stringContaining('another process has it open')]);
    await add(first, 'three');
    await first.close();
    await expect.poll(() => second.status.pending).toBe(0);
    expect(records().map(({ reason }) => reason)).toEqual(['one', 'three', 'two']);
    expect(await verified()).toMatchObject({ code: 0 });
  });

  test('is read back page by page, through all files', async () => {
    const first = open({ maxBytes: 2000 });
    for (let number = 1; number <= 12; number++) await add(first, `change ${number}`);
    await first.close();
    const second = open({ maxBytes: 2000 });
    await add(second, 'thirteen', 'fourteen');
    const seen: (number | null)[] = [];
    for (let before: number | null = null; seen.length < 14; ) {
      const page = await second.page({ before, limit: 4 });
      expect(page.length).toBeGreaterThan(0);
      seen.push(...page.map(({ id }) => id));
      before = page.at(-1)!.id;
    }
    expect(seen).toEqual(Array.from({ length: 14 }, (_, index) => 14 - index));
    expect(await second.page({ before: 1, limit: 4 })).toEqual([]);
    expect(await second.page({ before: null, limit: 0 })).toEqual([]);
  });
});
