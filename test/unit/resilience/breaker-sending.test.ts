/** Calls whose request is still being sent: how long that takes is the client's affair. */
import { describe, expect, it } from 'vitest';
import { Breaker, type BreakerSettings, Call, type Transition } from '../../../src/resilience/breaker.ts';

const SETTINGS: BreakerSettings = {
  windowMs: 10_000,
  minimumRequests: 1,
  errorRatio: null,
  slow: { thresholdMs: 250, ratio: 0.5 },
  consecutiveFailures: null,
  openForMs: 1000,
  openForMaxMs: 10_000,
  halfOpenRequests: 1,
};

function breakerWith(settings: BreakerSettings): { breaker: Breaker; moves: Transition[] } {
  const moves: Transition[] = [];
  const random = { next: () => 0, hex: () => '00' };
  return { breaker: new Breaker('b', settings, random, (move) => moves.push(move)), moves };
}

describe('a call whose request is still being sent', () => {
  it('does not become slow while the client takes its time', () => {
    const { breaker, moves } = breakerWith(SETTINGS);
    const call = new Call();
    breaker.admit(call, 0);
    breaker.sending(call);
    breaker.tick(60_000);
    breaker.sent(call, 60_000);
    breaker.settle(call, 'ok', 60_100);
    expect(moves).toEqual([]);
    expect(breaker.view(60_100)).toMatchObject({ requests: 1, slow: 0 });
  });

  it('becomes slow when the upstream has had the whole request for longer than the threshold', () => {
    const { breaker, moves } = breakerWith(SETTINGS);
    const call = new Call();
    breaker.admit(call, 0);
    breaker.sending(call);
    breaker.sent(call, 5000);
    breaker.tick(5250);
    expect(moves).toEqual([]);
    breaker.tick(5251);
    expect(moves).toMatchObject([{ to: 'open', cause: 'slow-rate' }]);
    breaker.settle(call, 'slow', 6000);
  });

  it('is judged behind calls that were admitted later and sent before it', () => {
    const { breaker, moves } = breakerWith({ ...SETTINGS, minimumRequests: 2 });
    const upload = new Call();
    const quick = new Call();
    breaker.admit(upload, 0);
    breaker.sending(upload);
    breaker.admit(quick, 100);
    breaker.sent(upload, 200);
    breaker.tick(351);
    expect(breaker.view(351)).toMatchObject({ overdue: 1 });
    breaker.tick(451);
    expect(breaker.view(451).inFlight).toBe(2);
    expect(moves).toMatchObject([{ to: 'open' }]);
  });

  it('gives a probe slot back when it is not finished within an open period', () => {
    const { breaker, moves } = breakerWith(SETTINGS);
    breaker.force('open', 0, 'test', 1000);
    const upload = new Call();
    const probe = new Call();
    expect(breaker.admit(upload, 1000)).toBe(true);
    breaker.sending(upload);
    expect(breaker.admit(probe, 1500)).toBe(false);
    breaker.tick(2001);
    expect(breaker.admit(probe, 2001)).toBe(true);
    breaker.settle(probe, 'ok', 2010);
    expect(moves.at(-1)).toMatchObject({ to: 'closed', cause: 'probes-ok' });
    breaker.settle(upload, 'ok', 3000);
  });

  it('is nothing to the breaker when the circuit has moved since', () => {
    const { breaker, moves } = breakerWith(SETTINGS);
    const call = new Call();
    breaker.admit(call, 0);
    breaker.sending(call);
    breaker.reset(10, 'test');
    breaker.force('open', 20, 'test', 1000);
    breaker.sent(call, 30);
    breaker.tick(900);
    breaker.settle(call, 'failure', 900);
    expect(moves).toMatchObject([{ to: 'open', cause: 'forced' }]);
  });
});
