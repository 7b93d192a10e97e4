import { describe, expect, test, vi } from 'vitest';
import { Circuit, type CircuitState } from '../../../src/resilience/circuit.ts';

const STATES: readonly CircuitState[] = ['closed', 'open', 'half-open'];

describe('a circuit', () => {
  test('starts closed', () => {
    expect(new Circuit('r').state).toBe('closed');
  });

  test('moves from every state to every state', () => {
    for (const from of STATES) {
      for (const to of STATES) {
        const circuit = new Circuit('r');
        circuit.enter(from);
        circuit.enter(to);
        expect([from, to, circuit.state]).toEqual([from, to, to]);
      }
    }
  });

  test('is its own: moving one leaves the others', () => {
    const first = new Circuit('first');
    const second = new Circuit('second');
    first.enter('open');
    expect(second.state).toBe('closed');
  });

  test('never arms a timer, however often it opens', () => {
    vi.useFakeTimers();
    const circuit = new Circuit('r');
    for (let i = 0; i < 10; i++) for (const state of STATES) circuit.enter(state);
    circuit.enter('open');
    const timers = vi.getTimerCount();
    vi.useRealTimers();
    expect(timers).toBe(0);
  });
});
