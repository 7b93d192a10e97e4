import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ControlEvent } from '../../../src/control/events.ts';
import { FAULTS_MAX, type FaultOrder, FaultRegistry } from '../../../src/control/fault-registry.ts';
import type { ScopedFault } from '../../../src/resilience/fault.ts';

const ORDER: FaultOrder = {
  ...{ route: 'api', experiment: 'ranking', variant: 'candidate' },
  fault: { delay: null, abort: { status: 503, ratio: 0.5 }, reset: null, when: null },
  forMs: 60_000,
  reason: 'game day',
  actor: 'alice',
};

let registry: FaultRegistry;
let inForce: readonly ScopedFault[];
let audit: Extract<ControlEvent, { kind: 'audit' }>[];

beforeEach(() => {
  vi.useFakeTimers();
  inForce = [];
  audit = [];
  registry = new FaultRegistry({
    clock: { now: () => 500, wallMs: () => 1_700_000_000_000 },
    onChange: (faults) => {
      inForce = faults;
    },
    onEvent: (event) => void (event.kind === 'audit' && audit.push(event)),
  });
});
afterEach(() => {
  registry.close();
  vi.useRealTimers();
});

describe('a fault made while running', () => {
  test('is in force at once and ends by itself, both on the audit', () => {
    const { id } = registry.add(ORDER)!;
    expect(inForce).toMatchObject([
      { route: 'api', experiment: 'ranking', variant: 'candidate', untilMs: 60_500 },
    ]);
    vi.advanceTimersByTime(59_999);
    expect(registry.list()).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect([registry.list(), inForce]).toEqual([[], []]);
    const facts = audit.map(({ action, actor, target, reason, before, after }) => [
      action,
      actor,
      target,
      reason,
      `${before} -> ${after}`,
    ]);
    const name = `api/ranking/candidate (${id})`;
    expect(facts).toEqual([
      ['inject', 'alice', name, 'game day', 'none -> abort 503 50% for 1m'],
      ['end-fault', 'time', name, 'its time is over', 'abort 503 50% for 1m -> none'],
    ]);
  });

  test('can be ended before its time, once', () => {
    const { id } = registry.add(ORDER)!;
    registry.add({ ...ORDER, route: 'other' });
    expect(registry.remove(id, 'bob', 'seen enough')).toBe(true);
    expect(registry.remove(id, 'bob', 'seen enough')).toBe(false);
    expect(inForce).toMatchObject([{ route: 'other' }]);
    vi.advanceTimersByTime(60_000);
    expect(audit.map(({ action, actor }) => [action, actor])).toEqual([
      ['inject', 'alice'],
      ['inject', 'alice'],
      ['end-fault', 'bob'],
      ['end-fault', 'time'],
    ]);
  });

  test('is refused when there are too many, and then nothing changes', () => {
    for (let i = 0; i < FAULTS_MAX; i++) registry.add(ORDER);
    expect(registry.add(ORDER)).toBeNull();
    expect(inForce).toHaveLength(FAULTS_MAX);
    expect(audit).toHaveLength(FAULTS_MAX);
  });

  test('leaves no timer behind', () => {
    registry.add(ORDER);
    registry.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});
