import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { Counter } from '../../../src/telemetry/series.ts';
import { Sink, type SinkOptions } from '../../../src/telemetry/sink.ts';

const folder = mkdtempSync(join(tmpdir(), 'fairlead-sink-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SINK_URL = new URL('../../../src/telemetry/sink.ts', import.meta.url).href;
const SERIES_URL = new URL('../../../src/telemetry/series.ts', import.meta.url).href;

/**
 * A sink with a short retry, what it dropped and what it told. Its flush waits until the line is written or an attempt has
 * failed, however long a machine that pauses takes for it.
 */
function newSink(target: string | number, options: Partial<SinkOptions> = {}) {
  const dropped = new Counter();
  const problems: string[] = [];
  const onProblem = (message: string) => problems.push(message);
  const sink = new Sink({ target, dropped, onProblem, retryMs: 1, flushMs: 30_000, ...options });
  return { sink, dropped, problems };
}

/** Runs a program that has `Sink` and `Counter`; answers it once it has begun. */
function runProgram(body: string) {
  const source = `import { Sink } from '${SINK_URL}'; import { Counter } from '${SERIES_URL}'; ${body}`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', source], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let errorText = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errorText += chunk.toString();
  });
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, errorText }));
  return { child, ended };
}

describe('a file', () => {
  test('gets every line in order, in a folder that is made for it', async () => {
    const path = join(folder, 'made/for/it/lines.log');
    const { sink, dropped } = newSink(path);
    for (let index = 0; index < 1000; index++) sink.write(`line ${index} \u00e4\u{1f600}\n`);
    await sink.close();
    const lines = readFileSync(path, 'utf8').split('\n');
    expect(lines).toHaveLength(1001);
    expect(lines[999]).toBe('line 999 \u00e4\u{1f600}');
    expect(dropped.value).toBe(0);
  });

  test('is appended to', async () => {
    const path = join(folder, 'appended.log');
    writeFileSync(path, 'before\n');
    const { sink } = newSink(path);
    sink.write('after\n');
    await sink.flush();
    expect(readFileSync(path, 'utf8')).toBe('before\nafter\n');
    await sink.close();
  });

  test('takes nothing after close, and the loss is counted', async () => {
    const { sink, dropped } = newSink(join(folder, 'closed.log'));
    await sink.close();
    expect(sink.write('late\n')).toBe(false);
    expect(dropped.value).toBe(1);
    await sink.close();
  });
});

describe('a disk that is full', () => {
  test('throws nothing, is told of once, and what does not fit the queue is counted', async () => {
    const { sink, dropped, problems } = newSink('/dev/full', { queueMaxBytes: 100 });
    for (let index = 0; index < 30; index++) sink.write('123456789\n');
    expect(dropped.value).toBe(20);
    await sink.flush();
    await sink.flush();
    expect(sink.isFailing).toBe(true);
    expect(problems).toEqual(['/dev/full cannot be written: ENOSPC; lines are kept while they fit']);
    await sink.close();
    expect(dropped.value).toBe(30);
  });
});

describe('a path that cannot be written', () => {
  test('is tried again, and what was kept is written when it can be', async () => {
    const blocker = join(folder, 'blocker');
    writeFileSync(blocker, 'a file where a folder should be');
    const path = join(blocker, 'lines.log');
    const { sink, dropped, problems } = newSink(path);
    sink.write('kept\n');
    await sink.flush();
    expect(problems).toEqual([`${path} cannot be written: ENOTDIR; lines are kept while they fit`]);
    rmSync(blocker);
    await vi.waitFor(() => expect(readFileSync(path, 'utf8')).toBe('kept\n'), { timeout: 20_000 });
    await sink.flush();
    expect(sink.isFailing).toBe(false);
    expect(problems[1]).toBe(`${path} is written again; 0 lines were lost so far`);
    expect(dropped.value).toBe(0);
    await sink.close();
  });
});

describe('a named pipe', () => {
  test('without a reader does not block, and is opened when somebody reads', async () => {
    const path = join(folder, 'no-reader');
    execFileSync('mkfifo', [path]);
    const { sink, problems } = newSink(path);
    sink.write('hello\n');
    await sink.flush();
    expect(problems[0]).toContain('ENXIO');
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    await vi.waitFor(() => expect(sink.isFailing).toBe(false), { timeout: 20_000 });
    expect(readText(reader)).toBe('hello\n');
    closeSync(reader);
    await sink.close();
  });

  test('that is full loses whole lines and never half of one', async () => {
    const path = join(folder, 'slow-reader');
    execFileSync('mkfifo', [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const { sink, dropped } = newSink(path, { queueMaxBytes: 200_000, flushMs: 50 });
    const line = `${'x'.repeat(99)}\n`;
    let taken = 0;
    for (let index = 0; index < 10_000; index++) if (sink.write(line)) taken++;
    await sink.flush();
    expect(taken + dropped.value).toBe(10_000);
    expect(dropped.value).toBeGreaterThan(5000);
    let text = '';
    await vi.waitFor(
      () => {
        text += readText(reader);
        expect(text).toHaveLength(taken * 100);
      },
      { timeout: 20_000 },
    );
    expect(text.split('\n').every((part) => part === '' || part.length === 99)).toBe(true);
    closeSync(reader);
    await sink.close();
  });

  test('whose reader goes away costs its lines and nothing else', async () => {
    const path = join(folder, 'gone-reader');
    execFileSync('mkfifo', [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const { sink, dropped, problems } = newSink(path);
    sink.write('read\n');
    await sink.flush();
    closeSync(reader);
    sink.write('lost\n');
    await sink.flush();
    expect(problems[0]).toContain('EPIPE');
    expect(dropped.value).toBe(1);
    await sink.close();
  });
});

describe('stdout', () => {
  test('that is closed by its reader leaves the process running', async () => {
    const { child, ended } = runProgram(`
      const dropped = new Counter();
      const sink = new Sink({ target: 1, dropped, onProblem: (text) => console.error(text) });
      sink.write('first\\n');
      await sink.flush();
      process.stderr.write('ready\\n');
      const timer = setInterval(() => {
        sink.write('more\\n');
        if (dropped.value < 3) return;
        clearInterval(timer);
        console.error('dropped');
      }, 5);
    `);
    child.stdout.once('data', () => child.stdout.destroy());
    const { code, errorText } = await ended;
    expect(errorText).toContain('stdout cannot be written: EPIPE');
    expect(errorText).toContain('dropped');
    expect(code).toBe(0);
  });

  test('that nobody reads neither blocks the loop nor the exit', async () => {
    const { child, ended } = runProgram(`
      const dropped = new Counter();
      const sink = new Sink({ target: 1, dropped, queueMaxBytes: 500_000, flushMs: 100 });
      const line = 'x'.repeat(999) + '\\n';
      for (let index = 0; index < 1000; index++) sink.write(line);
      await sink.close();
      console.error('closed with drops: ' + (dropped.value > 500));
      process.exit(0);
    `);
    child.stdout.pause();
    const code = await new Promise((resolve) => child.once('exit', resolve));
    child.stdout.resume();
    expect(code).toBe(0);
    expect((await ended).errorText).toContain('closed with drops: true');
  });

  test('that two sinks share has whole lines only', async () => {
    const { child, ended } = runProgram(`
      const dropped = new Counter();
      const sinks = ['a', 'b'].map((name) => ({ name, sink: new Sink({ target: 1, dropped, flushMs: 30000 }) }));
      for (let round = 0; round < 400; round++)
        for (const { name, sink } of sinks) sink.write(name.repeat(1999) + '\\n');
      await Promise.all(sinks.map(({ sink }) => sink.close()));
      console.error('dropped ' + dropped.value);
    `);
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    expect((await ended).errorText).toBe('dropped 0\n');
    const lines = text.split('\n').slice(0, -1);
    expect(lines).toHaveLength(800);
    expect(lines.filter((line) => !/^(a{1999}|b{1999})$/.test(line))).toEqual([]);
  });
});

/** What is in the pipe now. */
function readText(fd: number): string {
  const buffer = Buffer.alloc(1 << 20);
  let text = '';
  for (;;) {
    try {
      const bytes = readSync(fd, buffer);
      if (bytes === 0) return text;
      text += buffer.toString('utf8', 0, bytes);
    } catch {
      return text;
    }
  }
}

describe('a file with a limit', () => {
  const line = (n: number) => `${String(n).padStart(99, '0')}\n`;

  test('is moved aside before it would grow beyond it, and no line is lost or torn', async () => {
    const path = join(folder, 'limited.ndjson');
    const { sink, dropped } = newSink(path, { fileMaxBytes: 1000 });
    for (let n = 0; n < 25; n++) {
      sink.write(line(n));
      await sink.flush();
    }
    await sink.close();
    const [before, now] = [readFileSync(`${path}.1`, 'utf8'), readFileSync(path, 'utf8')];
    expect([before.length, now.length, dropped.value]).toEqual([1000, 500, 0]);
    expect(before + now).toBe(Array.from({ length: 15 }, (_, n) => line(n + 10)).join(''));
  });

  test('counts what was there before', async () => {
    const path = join(folder, 'grown.ndjson');
    writeFileSync(path, line(0).repeat(9));
    const { sink } = newSink(path, { fileMaxBytes: 1000 });
    sink.write(line(1) + line(2));
    await sink.close();
    expect([readFileSync(`${path}.1`, 'utf8').length, readFileSync(path, 'utf8')]).toEqual([
      900,
      line(1) + line(2),
    ]);
  });

  test('takes a batch that is larger than the limit whole', async () => {
    const path = join(folder, 'large.ndjson');
    const { sink } = newSink(path, { fileMaxBytes: 150 });
    sink.write(line(1).repeat(5));
    await sink.close();
    expect(readFileSync(path, 'utf8')).toHaveLength(500);
  });

  test('is a regular one: a named pipe stays where it is', async () => {
    const path = join(folder, 'limited.pipe');
    execFileSync('mkfifo', [path]);
    const reader = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    const { sink, problems } = newSink(path, { fileMaxBytes: 150 });
    for (let n = 0; n < 5; n++) {
      sink.write(line(n));
      await sink.flush();
    }
    const bytes = Buffer.alloc(1000);
    expect(readSync(reader, bytes)).toBe(500);
    await sink.close();
    closeSync(reader);
    expect([existsSync(`${path}.1`), problems]).toEqual([false, []]);
  });
});
