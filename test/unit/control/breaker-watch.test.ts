import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BreakerWatch } from '../../../src/control/breaker-watch.ts';
import type { ControlEvent } from '../../../src/control/events.ts';
import type { ControlState } from '../../../src/control/state.ts';
import type { News } from '../../../src/control/webhooks.ts';
import type { Transition } from '../../../src/resilience/breaker.ts';
import { type AdminBench, newAdminBench } from '../../support/admin.ts';

const OPENED: Transition = {
  breaker: 'api/ranking/candidate',
  from: 'closed',
  to: 'open',
  mode: 'enforce',
  cause: 'error-rate',
  reason: 'error rate 52.4% >= 50% (11 of 21 calls in 10s); open for 6.1s',
  tooOften: null,
  atMs: 0,
};

let bench: AdminBench;
let control: ControlState;
let watch: BreakerWatch;
let news: News[];
let events: ControlEvent[];

beforeEach(async () => {
  bench = await newAdminBench();
  control = bench.control;
  news = [];
  events = [];
  watch = new BreakerWatch({
    control,
    clock: { wallMs: () => Date.UTC(2026, 10, 21) },
    webhooks: { tell: (one) => news.push(one) },
    onEvent: (event) => events.push(event),
  });
  control.subscribe((next, previous) => watch.adopted(next, previous));
});
afterEach(() => bench.close());

const statusOf = (name: string): string => control.snapshot.experiments.get(name)!.status;

describe('a breaker that opens', () => {
  test('once more than it may, kills its experiment, by its own name and with both reasons', async () => {
    watch.moved({ ...OPENED, tooOften: 'opened 3 times within 1h >= 3' });
    // Not in the middle of the request that opened it.
    expect(statusOf('ranking')).toBe('running');
    await nextTurn();
    expect(statusOf('ranking')).toBe('killed');
    expect(control.runtime.experiments.get('ranking')?.status).toMatchObject({
      status: 'killed',
      actor: 'breaker api/ranking/candidate',
      reason: `the breaker opened 3 times within 1h >= 3; the last time: ${OPENED.reason}`,
    });
    expect(news.map(({ event }) => event)).toEqual(['breaker.opened', 'experiment.killed']);
    expect(news[1]!.data).toMatchObject({ experiment: 'ranking', actor: 'breaker api/ranking/candidate' });
  });

  test('does not kill what is killed, nor what is gone', async () => {
    control.change(
      { kind: 'set-status', experiment: 'ranking', status: 'killed', reason: 'enough' },
      'alice',
    );
    const { version } = control.snapshot;
    watch.moved({ ...OPENED, tooOften: 'opened 3 times within 1h >= 3' });
    watch.moved({ ...OPENED, breaker: 'api/gone/candidate', tooOften: 'opened 3 times within 1h >= 3' });
    await nextTurn();
    expect(control.snapshot.version).toBe(version);
    expect(control.runtime.experiments.get('ranking')?.status?.actor).toBe('alice');
  });

  test('is told of once, with what it guards, and again when it has closed', () => {
    watch.moved(OPENED);
    watch.moved({ ...OPENED, from: 'open', to: 'half-open', cause: 'timer' });
    watch.moved({ ...OPENED, from: 'half-open', cause: 'probe-failed' });
    watch.moved({ ...OPENED, from: 'open', to: 'half-open', cause: 'timer' });
    watch.moved({
      ...OPENED,
      from: 'half-open',
      to: 'closed',
      cause: 'probes-ok',
      reason: 'good probes 5 >= 5',
    });
    expect(news).toEqual([
      {
        event: 'breaker.opened',
        data: {
          service: control.snapshot.service,
          breaker: 'api/ranking/candidate',
          route: 'api',
          experiment: 'ranking',
          variant: 'candidate',
          from: 'closed',
          to: 'open',
          mode: 'enforce',
          cause: 'error-rate',
          reason: OPENED.reason,
        },
      },
      {
        event: 'breaker.closed',
        data: expect.objectContaining({ to: 'closed', cause: 'probes-ok', reason: 'good probes 5 >= 5' }),
      },
    ]);
  });

  test('without effect is told of as such', () => {
    watch.moved({ ...OPENED, mode: 'observe' });
    expect(news[0]!.data).toMatchObject({ to: 'open', mode: 'observe' });
  });
});

describe('what a person does', () => {
  test('to kill an experiment is told of, with who and why', () => {
    control.change(
      { kind: 'set-status', experiment: 'ranking', status: 'killed', reason: 'enough' },
      'alice',
    );
    control.change({ kind: 'set-status', experiment: 'ranking', status: 'running', reason: 'again' }, 'bob');
    expect(news).toEqual([
      {
        event: 'experiment.killed',
        data: {
          service: control.snapshot.service,
          experiment: 'ranking',
          actor: 'alice',
          reason: 'enough',
        },
      },
    ]);
  });

  test('to force a breaker is on record when it is over, and told to nobody', () => {
    watch.moved({
      ...OPENED,
      to: 'closed',
      mode: 'observe',
      cause: 'force-ended',
      reason: 'the time of being forced closed is over',
    });
    expect(events).toEqual([
      {
        kind: 'audit',
        at: '2026-11-21T00:00:00.000Z',
        actor: 'breaker api/ranking/candidate',
        action: 'force-ended',
        target: 'api/ranking/candidate',
        reason: 'the time of being forced closed is over',
        before: '',
        after: 'closed, observe',
      },
    ]);
    expect(news).toEqual([]);
  });
});
