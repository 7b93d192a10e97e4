import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HeapTidying } from '../../../src/cli/heap-tidying.ts';

const LOOK_MS = 100;

describe('tidying the heap', () => {
  let cpuUs: number;
  let usedEachLook: number;
  let isIdle: boolean;
  const collect = vi.fn();

  beforeEach(() => {
    vi.useFakeTimers();
    collect.mockReset();
    [cpuUs, usedEachLook, isIdle] = [0, 0, true];
    // Two looks at each step: how much since the last one, and the start of the next.
    vi.spyOn(process, 'cpuUsage').mockImplementation((before) => {
      if (before === undefined) return { user: cpuUs, system: 0 };
      cpuUs += usedEachLook;
      return { user: cpuUs - before.user, system: 0 };
    });
  });

  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  it('happens once, in the first quiet moment after it was asked for', () => {
    const tidying = new HeapTidying(() => isIdle, collect);
    tidying.soon();
    expect(collect).not.toHaveBeenCalled();
    vi.advanceTimersByTime(LOOK_MS);
    expect(collect).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(600_000);
    expect(collect).toHaveBeenCalledTimes(1);
  });

  it('waits while a request is under way, or while the process works', () => {
    isIdle = false;
    new HeapTidying(() => isIdle, collect).soon();
    vi.advanceTimersByTime(5 * LOOK_MS);
    [isIdle, usedEachLook] = [true, 50_000];
    vi.advanceTimersByTime(5 * LOOK_MS);
    expect(collect).not.toHaveBeenCalled();
    usedEachLook = 100;
    vi.advanceTimersByTime(LOOK_MS);
    expect(collect).toHaveBeenCalledTimes(1);
  });

  it('is given up by who is busy for ten seconds, until it is asked for again', () => {
    isIdle = false;
    const tidying = new HeapTidying(() => isIdle, collect);
    tidying.soon();
    vi.advanceTimersByTime(11_000);
    isIdle = true;
    vi.advanceTimersByTime(60_000);
    expect(collect).not.toHaveBeenCalled();
    tidying.soon();
    vi.advanceTimersByTime(LOOK_MS);
    expect(collect).toHaveBeenCalledTimes(1);
  });

  it('asked for twice is done once, and never after it was closed', () => {
    const tidying = new HeapTidying(() => isIdle, collect);
    tidying.soon();
    tidying.soon();
    vi.advanceTimersByTime(10 * LOOK_MS);
    expect(collect).toHaveBeenCalledTimes(1);
    tidying.soon();
    tidying.close();
    vi.advanceTimersByTime(10 * LOOK_MS);
    expect(collect).toHaveBeenCalledTimes(1);
  });

  it('is left alone by a Node without --expose-gc', () => {
    new HeapTidying(() => isIdle, null).soon();
    expect(vi.getTimerCount()).toBe(0);
  });
});
