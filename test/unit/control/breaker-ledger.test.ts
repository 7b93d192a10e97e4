import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { EMPTY_RUNTIME } from '../../../src/config/runtime.ts';
import { BreakerLedger, KEPT_MAX, type SavedBreaker } from '../../../src/control/breaker-ledger.ts';
import { breakerLine, formatState, parseState, readState } from '../../../src/control/state-file.ts';
import type { KeptBreaker } from '../../../src/resilience/breaker.ts';
import type { BreakerMemory } from '../../../src/resilience/breaker-view.ts';

const NAME = 'api/ranking/candidate';
const START_MS = Date.UTC(2026, 10, 21, 12, 0, 0);
const MINUTE = 60_000;

/** A breaker as far as it is kept: calls, openings, and how old they are. */
class FakeMemory implements BreakerMemory {
  readonly isWorthKeeping = true;
  changes = 0;
  requests = 0;
  trips = 0;
  readonly #sinceMs = Date.now();

  count(requests: number, trips = 0): this {
    this.requests += requests;
    this.trips += trips;
    this.changes++;
    return this;
  }

  keep(nowMs: number): KeptBreaker {
    const ageMs = nowMs - this.#sinceMs;
    return {
      budget: { spans: [{ spanMs: 3_600_000, rows: [[ageMs, this.requests, 1]] }] },
      tripAgesMs: Array.from({ length: this.trips }, () => ageMs),
    };
  }

  restore(): void {}
}

let now: Map<string, FakeMemory>;
let written: (readonly string[])[];

beforeEach(() => {
  vi.useFakeTimers({ now: START_MS });
  now = new Map();
  written = [];
});
afterEach(() => void vi.useRealTimers());

function newLedger(saved: ReadonlyMap<string, SavedBreaker> = new Map()): BreakerLedger {
  const ledger = new BreakerLedger({
    clock: { now: () => Date.now(), wallMs: () => Date.now() },
    saved,
    onChange: (lines) => written.push(lines),
  });
  ledger.start(() => new Map(now));
  return ledger;
}

const memory = (requests: number): FakeMemory => new FakeMemory().count(requests);

describe('what is kept of breakers', () => {
  test('is read out once a minute, and written only when something was counted', async () => {
    const ledger = newLedger();
    now.set(NAME, memory(10));
    await vi.advanceTimersByTimeAsync(5 * MINUTE);
    expect(written).toHaveLength(1);
    expect(written[0]).toEqual([
      `  "${NAME}": {"budget":{"spans":[{"spanMs":3600000,"rows":[[1000,10,1]]}]},"tripAgesMs":[],"at":"2026-11-21T12:00:01.000Z"}`,
    ]);
    now.get(NAME)!.count(1);
    await vi.advanceTimersByTimeAsync(MINUTE);
    expect(written).toHaveLength(2);
    now.get(NAME)!.count(0, 1);
    ledger.close();
    expect(written).toHaveLength(3);
  });

  test('is read a few at a time, all within a minute, and written together', async () => {
    const ledger = newLedger();
    const asked: number[] = [];
    for (let n = 0; n < 300; n++) {
      const one = memory(1);
      one.keep = (nowMs) => {
        asked.push(nowMs);
        return { budget: null, tripAgesMs: [] };
      };
      now.set(`r/e/${n}`, one);
    }
    await vi.advanceTimersByTimeAsync(59_000);
    expect(written).toEqual([]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(written.map((lines) => lines.length)).toEqual([300]);
    const counts = [...Map.groupBy(asked, (atMs) => atMs).values()].map((turn) => turn.length);
    expect(counts).toEqual(Array.from({ length: 60 }, () => 5));
    ledger.close();
  });

  test('is given back with the time that has passed, and none when the clock was set back', () => {
    const kept: KeptBreaker = { budget: null, tripAgesMs: [7] };
    const ledger = newLedger(new Map([[NAME, { ...kept, at: '2026-11-21T11:00:00.000Z' }]]));
    expect(ledger.remembered(NAME)).toMatchObject({ agoMs: 60 * MINUTE, kept });
    vi.setSystemTime(START_MS - 5 * 60 * MINUTE);
    expect(ledger.remembered(NAME)?.agoMs).toBe(0);
    expect(ledger.remembered('api/ranking/other')).toBeNull();
    ledger.close();
  });

  test('is read of a breaker that goes with other rules, and there when it comes back', () => {
    const ledger = newLedger();
    now.set(NAME, memory(10));
    ledger.prepare();
    now.clear();
    ledger.adopted();
    expect(written).toHaveLength(1);
    vi.advanceTimersByTime(3 * MINUTE);
    expect(ledger.remembered(NAME)).toMatchObject({ agoMs: 3 * MINUTE });
    ledger.close();
  });

  test('is of at most so many breakers, those that were last counted', () => {
    const ledger = newLedger();
    for (let n = 0; n < KEPT_MAX + 10; n++) now.set(`r/e/${n}`, memory(1));
    ledger.prepare();
    now = new Map();
    ledger.adopted();
    expect(written.at(-1)!).toHaveLength(KEPT_MAX);
    now.set('r/e/late', memory(1));
    ledger.close();
    expect(written.at(-1)!).toHaveLength(KEPT_MAX);
    expect(written.at(-1)!.at(-1)).toContain('r/e/late');
  });
});

describe('the state file', () => {
  let folder: string;
  beforeEach(async () => {
    vi.useRealTimers();
    folder = await mkdtemp(join(tmpdir(), 'fairlead-ledger-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const saved = new Map<string, SavedBreaker>([
    [
      NAME,
      {
        budget: { spans: [{ spanMs: 3_600_000, rows: [[5, 10, 1] as const] }] },
        tripAgesMs: [5, 5],
        at: '2026-11-21T11:00:00.000Z',
      },
    ],
    ['api/ranking/other', { budget: null, tripAgesMs: [1], at: '2026-11-21T11:00:00.000Z' }],
  ]);

  const lines = Array.from(saved, ([name, one]) => breakerLine(name, one));

  test('has what breakers keep, a line each, beside the rest', async () => {
    const text = formatState(EMPTY_RUNTIME, lines);
    expect(text.split('\n').filter((line) => line.includes('api/ranking'))).toHaveLength(2);
    await writeFile(join(folder, 'state.json'), text);
    expect((await readState(join(folder, 'state.json'))).breakers).toEqual(saved);
    expect(parseState(text)).toEqual(EMPTY_RUNTIME);
  });

  test('that has something else there loses only that', async () => {
    const file = join(folder, 'state.json');
    await writeFile(
      file,
      formatState(EMPTY_RUNTIME, lines).replace('"requests"', '"r"').replace('[5,10,1]', '[5,-1]'),
    );
    const { breakers, problem, isBroken } = await readState(file);
    expect([breakers.size, problem, isBroken]).toEqual([0, null, false]);
  });
});
