import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CliError } from '../../../src/cli/io.ts';
import { topCommand } from '../../../src/cli/top.ts';
import { type Key, keysIn, type Screen } from '../../../src/cli/top-screen.ts';
import { blocks } from '../../support/docs.ts';
import { LiveAdmin, oneExperiment, rolloutAt, SaidIo, statsOf } from '../../support/live-admin.ts';
import { Signal } from '../../support/rig.ts';

let admin: LiveAdmin;
beforeEach(async () => {
  admin = await new LiveAdmin().open();
  Object.assign(admin.resources, oneExperiment());
});
afterEach(() => admin.close());

class FakeScreen implements Screen {
  columns = 120;
  rows = 30;
  readonly isColoured = false;
  readonly drawn: string[][] = [];
  isClosed = false;
  readonly signal = new Signal();
  press: (key: Key) => void = () => {};
  resize: () => void = () => {};

  draw(lines: readonly string[]): void {
    this.drawn.push([...lines]);
    this.signal.wake();
  }

  listen(onKey: (key: Key) => void, onResize: () => void): void {
    this.press = onKey;
    this.resize = onResize;
  }

  close(): void {
    this.isClosed = true;
  }

  get last(): string {
    return this.drawn.at(-1)?.join('\n') ?? '';
  }

  until(found: string): Promise<void> {
    return this.signal.until(
      () => this.last.includes(found),
      () => `${found} in\n${this.last}`,
    );
  }
}

const options = (more: object = {}) => ({ admin: admin.url, interval: 2, ...more });
const open =
  (screen: Screen | null, everyMs = 5) =>
  () => ({ screen, everyMs });

describe('top without a terminal', () => {
  test('prints what docs/terminal.md shows: a row for each variant, the rollout and the verdict', async () => {
    const readings = [statsOf(900, 100), statsOf(980, 120)];
    admin.resources['/v1/stats'] = () => readings.shift()!;
    const io = new SaidIo();
    expect(await topCommand(options({ count: 2 }), io, open(null))).toBe(0);
    const example = (await blocks('docs/terminal.md', 'text')).find((text) =>
      text.startsWith('fairlead top'),
    )!;
    const shown = io.outText.split('\n\n')[1]!.replace(admin.url, 'http://127.0.0.1:15100');
    expect(`${shown}\n`).toBe(example);
  });

  test('shows a dash for all that an older sidecar does not have', async () => {
    for (const path of ['/v1/stats', '/v1/rollouts', '/v1/results', '/v1/breakers'])
      delete admin.resources[path];
    const io = new SaidIo();
    expect(await topCommand(options({ count: 1 }), io, open(null))).toBe(0);
    expect(io.outText).toContain('  ranking  running\n');
    expect(io.outText).toMatch(/ {4}candidate +- +10%( +-){7}\n/);
  });

  test('is an error when nobody answers at first, and only a word later', async () => {
    const gone = { admin: 'http://127.0.0.1:1', interval: 1 };
    await expect(topCommand(gone, new SaidIo(), open(null))).rejects.toThrow(CliError);
    let asked = 0;
    admin.resources['/v1/stats'] = () => {
      if (++asked === 2) void admin.close();
      return statsOf(900, 100);
    };
    const io = new SaidIo();
    expect(await topCommand(options({ count: 4 }), io, open(null))).toBe(0);
    expect(io.errText).toContain('cannot be reached');
  });
});

describe('top on a terminal', () => {
  test('selects by keys, shows what the lines are too short for, and ends by q with the screen closed', async () => {
    const { experiments } = admin.resources['/v1/experiments'] as { experiments: object[] };
    experiments.push({ ...experiments[0], name: 'checkout' });
    admin.resources['/v1/rollouts'] = {
      rollouts: [rolloutAt('rolled-back', 1, '0%', `10% -> 0%: ${'very '.repeat(40)}slow`)],
    };
    const screen = new FakeScreen();
    const running = topCommand(options(), new SaidIo(), open(screen, 60_000));
    await screen.until('> ranking');
    expect(screen.last).not.toContain('very slow');
    screen.press('enter');
    expect(screen.last).toContain('very slow');
    expect(screen.last).toContain('      api/ranking/candidate is closed: has never opened');
    screen.press('down');
    expect(screen.last).toContain('> checkout');
    screen.press('down');
    expect(screen.last).toContain('> checkout');
    screen.press('first');
    expect(screen.last).toContain('> ranking');
    screen.press('quit');
    expect(await running).toBe(0);
    expect(screen.isClosed).toBe(true);
  });

  test('leaves columns out that do not fit, and has the breaker in 80', async () => {
    const screen = new FakeScreen();
    const running = topCommand(options(), new SaidIo(), open(screen, 60_000));
    screen.columns = 80;
    await screen.until('> ranking');
    expect(screen.drawn.at(-1)![1]).toMatch(/P99 {3}BREAKER$/);
    expect(screen.last).toMatch(/ {4}control .* closed$/m);
    screen.columns = 40;
    screen.resize();
    expect(screen.drawn.at(-1)![1]).toMatch(/WANTED {3}SEEN$/);
    screen.press('quit');
    expect(await running).toBe(0);
  });

  test('is 130 by Ctrl-C', async () => {
    const screen = new FakeScreen();
    const running = topCommand(options(), new SaidIo(), open(screen, 60_000));
    await screen.until('> ranking');
    screen.press('interrupt');
    expect(await running).toBe(130);
  });

  test('never draws more than fits, and always the selected experiment', async () => {
    const { experiments } = admin.resources['/v1/experiments'] as { experiments: object[] };
    const [one] = experiments;
    const many = Array.from({ length: 200 }, (_, index) => ({ ...one, name: `e-${index}` }));
    admin.resources['/v1/experiments'] = { experiments: many };
    const screen = new FakeScreen();
    const running = topCommand(options(), new SaidIo(), open(screen, 60_000));
    await screen.until('> e-0');
    for (const [columns, rows] of [
      [120, 30],
      [40, 8],
      [20, 4],
      [1, 1],
    ] as const) {
      Object.assign(screen, { columns, rows });
      screen.resize();
      for (const key of ['last', 'up', 'up', 'first', 'down'] as const) screen.press(key);
      for (const lines of screen.drawn.slice(-5)) {
        expect(lines.length).toBeLessThanOrEqual(rows);
        expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
        if (rows > 3) expect(lines.some((line) => line.startsWith('> e-'))).toBe(true);
      }
    }
    screen.press('quit');
    expect(await running).toBe(0);
  });

  test('keeps the last figures when the sidecar goes away, and says so', async () => {
    const screen = new FakeScreen();
    const running = topCommand(options(), new SaidIo(), open(screen));
    await screen.until('> ranking');
    await admin.close();
    await screen.until('cannot be reached');
    expect(screen.last).toContain('45.0');
    screen.press('quit');
    expect(await running).toBe(0);
  });
});

test('keys are told from what a terminal sends, also several at once', () => {
  expect(keysIn('\u001b[A\u001b[Bjk\r')).toEqual(['up', 'down', 'down', 'up', 'enter']);
  expect(keysIn('\u001bOA\u001b[15~xq\u0003')).toEqual(['up', 'quit', 'interrupt']);
  expect(keysIn('\u001b')).toEqual([]);
});
