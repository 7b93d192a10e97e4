import { describe, expect, test } from 'vitest';
import type { Answer } from '../../../src/proxy/dns-client.ts';
import { DnsName, type NameState } from '../../../src/proxy/dns-name.ts';

const found = (value: string, ttlMs = 5000): Answer<string> => ({ kind: 'found', value, ttlMs });
const failed: Answer<string> = { kind: 'failed', cause: 'ESERVFAIL' };
const missing: Answer<string> = { kind: 'missing' };

/** A name whose answers the test gives; its random numbers are 0, so nothing is early or late. */
function bench() {
  const state = {
    nowMs: 0,
    changes: [] as NameState[],
    asked: 0,
    waiting: [] as ((answer: Answer<string>) => void)[],
  };
  const name = new DnsName<string>('app.local', {
    ask: () => {
      state.asked++;
      return new Promise((resolve) => state.waiting.push(resolve));
    },
    limits: { minTtlMs: 1000, maxTtlMs: 60_000, keepMissingMs: 30_000 },
    random: { next: () => 0, hex: () => '' },
    now: () => state.nowMs,
    changed: () => state.changes.push(name.state),
  });
  name.timedIndex = 0;
  const answer = async (with_: Answer<string>): Promise<void> => {
    state.waiting.shift()!(with_);
    await Promise.resolve();
    await Promise.resolve();
  };
  return { name, state, answer };
}

describe('a name that is kept resolved', () => {
  test('is asked for again when its time to live is over', async () => {
    const { name, answer } = bench();
    name.ask();
    expect(name.state).toBe('asking');
    await answer(found('10.0.0.1', 5000));
    expect(name).toMatchObject({ state: 'known', value: '10.0.0.1', deadlineMs: 5000 });
  });

  test('is asked for no more often than minTtl and no less often than maxTtl', () => {
    const { name } = bench();
    name.take(found('10.0.0.1', 0));
    expect(name.deadlineMs).toBe(1000);
    name.take(found('10.0.0.1', 3_600_000));
    expect(name.deadlineMs).toBe(60_000);
  });

  test('keeps what is known for as long as nobody can be asked, and asks less and less often', () => {
    const { name, state } = bench();
    name.take(found('10.0.0.1'));
    const waits: number[] = [];
    for (let i = 0; i < 8; i++) {
      name.take(failed);
      waits.push(name.deadlineMs - state.nowMs);
      state.nowMs += 3_600_000;
      expect(name).toMatchObject({ state: 'stale', value: '10.0.0.1' });
    }
    expect(waits.slice(0, 5)).toEqual([1000, 2000, 4000, 8000, 16_000]);
    expect(Math.max(...waits)).toBeLessThanOrEqual(30_000);
    name.take(found('10.0.0.2'));
    expect(name).toMatchObject({ state: 'known', value: '10.0.0.2', failures: 0 });
  });

  test('that does not exist any more is used for keepMissing and then no more', () => {
    const { name, state } = bench();
    name.take(found('10.0.0.1'));
    name.take(missing);
    expect(name).toMatchObject({ state: 'stale', value: '10.0.0.1' });
    state.nowMs = 29_999;
    name.take(missing);
    expect(name.value).toBe('10.0.0.1');
    state.nowMs = 30_000;
    name.take(missing);
    expect(name).toMatchObject({ state: 'missing', value: null });
  });

  test('silence in between begins that time anew', () => {
    const { name, state } = bench();
    name.take(found('10.0.0.1'));
    name.take(missing);
    state.nowMs = 29_000;
    name.take(failed);
    state.nowMs = 31_000;
    name.take(missing);
    expect(name).toMatchObject({ state: 'stale', value: '10.0.0.1' });
  });

  test('that was never known is missing or failed, as the answer says', () => {
    const { name } = bench();
    name.take(failed);
    expect(name).toMatchObject({ state: 'failed', value: null });
    name.take(missing);
    expect(name).toMatchObject({ state: 'missing', value: null });
  });

  test('is asked once at a time, and again after an answer that may be old', async () => {
    const { name, state, answer } = bench();
    name.ask();
    name.ask();
    expect(state.asked).toBe(1);
    await answer(found('10.0.0.1'));
    expect(state.asked).toBe(2);
    expect(name.value).toBeNull();
    await answer(found('10.0.0.2'));
    expect(name.value).toBe('10.0.0.2');
  });

  test('that nobody wants any more takes no answer', async () => {
    const { name, state, answer } = bench();
    name.ask();
    name.timedIndex = -1;
    await answer(found('10.0.0.1'));
    expect(name.value).toBeNull();
    expect(state.changes).toEqual([]);
  });
});
