import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { EMPTY_RUNTIME } from '../../../src/config/runtime.ts';
import { BreakerLedger, KEPT_MAX, type SavedBreaker } from '../../../src/control/breaker-ledger.ts';
import { formatState, parseState, readState } from '../../../src/control/state-file.ts';
import type { KeptBreaker } from '../../../src/resilience/breaker.ts';

const NAME = 'api/ranking/candidate';
const START_MS = Date.UTC(2026, 10, 21, 12, 0, 0);
const MINUTE = 60_000;

const kept = (requests: number, ageMs = 0, trips = 0): KeptBreaker => ({
  budget: { spans: [{ spanMs: 3_600_000, rows: [[ageMs, requests, 1]] }] },
  tripAgesMs: Array.from({ length: trips }, () => ageMs),
});

let now: Map<string, KeptBreaker>;
let written: ReadonlyMap<string, SavedBreaker>[];

beforeEach(() => {
  vi.useFakeTimers({ now: START_MS });
  now = new Map();
  written = [];
});
afterEach(() => void vi.useRealTimers());

function newLedger(saved: ReadonlyMap<string, SavedBreaker> = new Map()): BreakerLedger {
  const ledger = new BreakerLedger({
    clock: { wallMs: () => Date.now() },
    saved,
    onChange: (all) => written.push(new Map(all)),
  });
  ledger.start(() => now);
  return ledger;
}

describe('what is kept of breakers', () => {
  test('is read out once a minute, and written only when something was counted', async () => {
    const ledger = newLedger();
    now.set(NAME, kept(10));
    await vi.advanceTimersByTimeAsync(MINUTE);
    now.set(NAME, kept(10, MINUTE));
    await vi.advanceTimersByTimeAsync(5 * MINUTE);
    expect(written).toHaveLength(1);
    expect(written[0]!.get(NAME)).toEqual({ ...kept(10), at: '2026-11-21T12:01:00.000Z' });
    now.set(NAME, kept(11, 6 * MINUTE));
    await vi.advanceTimersByTimeAsync(MINUTE);
    now.set(NAME, kept(11, 7 * MINUTE, 1));
    ledger.close();
    expect(written).toHaveLength(3);
  });

  test('is given back with the time that has passed, and none when the clock was set back', () => {
    const saved = new Map([[NAME, { ...kept(10), at: '2026-11-21T11:00:00.000Z' }]]);
    const ledger = newLedger(saved);
    expect(ledger.remembered(NAME)).toMatchObject({ agoMs: 60 * MINUTE, kept: kept(10) });
    vi.setSystemTime(START_MS - 5 * 60 * MINUTE);
    expect(ledger.remembered(NAME)?.agoMs).toBe(0);
    expect(ledger.remembered('api/ranking/other')).toBeNull();
    ledger.close();
  });

  test('stays for a breaker that is not there for a while, and comes back with it', () => {
    const ledger = newLedger();
    now.set(NAME, kept(10));
    ledger.keep();
    now.clear();
    ledger.keep();
    vi.advanceTimersByTime(3 * MINUTE);
    expect(ledger.remembered(NAME)).toMatchObject({ agoMs: 3 * MINUTE });
    ledger.close();
  });

  test('is of at most so many breakers, those that were last counted', () => {
    const ledger = newLedger();
    for (let n = 0; n < KEPT_MAX + 10; n++) now.set(`r/e/${n}`, kept(1));
    ledger.keep();
    expect(written.at(-1)!.size).toBe(KEPT_MAX);
    now = new Map([['r/e/late', kept(1)]]);
    ledger.close();
    expect(written.at(-1)!.size).toBe(KEPT_MAX);
    expect(written.at(-1)!.has('r/e/late')).toBe(true);
  });
});

describe('the state file', () => {
  let folder: string;
  beforeEach(async () => {
    vi.useRealTimers();
    folder = await mkdtemp(join(tmpdir(), 'fairlead-ledger-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const saved = new Map([
    [NAME, { ...kept(10, 5, 2), at: '2026-11-21T11:00:00.000Z' }],
    ['api/ranking/other', { budget: null, tripAgesMs: [1], at: '2026-11-21T11:00:00.000Z' }],
  ]);

  test('has what breakers keep, a line each, beside the rest', async () => {
    const text = formatState(EMPTY_RUNTIME, saved);
    expect(text.split('\n').filter((line) => line.includes('api/ranking'))).toHaveLength(2);
    await writeFile(join(folder, 'state.json'), text);
    expect((await readState(join(folder, 'state.json'))).breakers).toEqual(saved);
    expect(parseState(text)).toEqual(EMPTY_RUNTIME);
  });

  test('that has something else there loses only that', async () => {
    const file = join(folder, 'state.json');
    await writeFile(
      file,
      formatState(EMPTY_RUNTIME, saved).replace('"requests"', '"r"').replace('[5,10,1]', '[5,-1]'),
    );
    const { breakers, problem, isBroken } = await readState(file);
    expect([breakers.size, problem, isBroken]).toEqual([0, null, false]);
  });
});
