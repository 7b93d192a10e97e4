/** Taps between the primary and its workers: `src/workers/tap-relay.ts` and `src/workers/remote-taps.ts`. */
import { describe, expect, test } from 'vitest';
import { parseStatus, type TakeRecord, type TapQuery, type TapRecord } from '../../../src/telemetry/tap.ts';
import type { Tapped, ToPrimary, ToWorker } from '../../../src/workers/messages.ts';
import { RemoteTaps } from '../../../src/workers/remote-taps.ts';
import { TapRelay } from '../../../src/workers/tap-relay.ts';

const QUERY: TapQuery = {
  experiment: null,
  variant: null,
  route: null,
  outcome: null,
  status: null,
  rate: 2,
};
const RECORD: TapRecord = {
  at: '2026-01-02T03:04:05.000Z',
  method: 'GET',
  route: 'api',
  status: 200,
  durationMs: 3,
  upstreamMs: 2,
  outcome: 'ok',
  upstream: 'v1/127.0.0.1:1',
  code: null,
  retries: 0,
  experiments: [],
};
const records = (count: number): TapRecord[] => Array.from({ length: count }, () => RECORD);

/** The primary's side, with what it says to all workers and a clock that stands still. */
function newRelay() {
  const said: ToWorker[] = [];
  const clock = { now: () => 1000 };
  return { said, relay: new TapRelay(clock, (message) => said.push(message)) };
}

describe('the primary', () => {
  test('tells all workers who watches what, and that nobody does any more', () => {
    const { said, relay } = newRelay();
    expect(relay.message).toBeNull();
    const first = relay.open(QUERY, () => {});
    const second = relay.open({ ...QUERY, route: 'api' }, () => {});
    expect(relay.message).toEqual(said.at(-1));
    first.close();
    first.close();
    second.close();
    expect(said).toEqual([
      { kind: 'taps', taps: [{ id: 1, query: QUERY }] },
      {
        kind: 'taps',
        taps: [
          { id: 1, query: QUERY },
          { id: 2, query: { ...QUERY, route: 'api' } },
        ],
      },
      { kind: 'taps', taps: [{ id: 2, query: { ...QUERY, route: 'api' } }] },
      { kind: 'taps', taps: [] },
    ]);
    expect(relay.message).toBeNull();
  });

  test('keeps what all workers show together to the rate, and counts the rest', () => {
    const { relay } = newRelay();
    const shown: TapRecord[] = [];
    const tap = relay.open(QUERY, (record) => shown.push(record));
    relay.received([{ id: 1, records: records(1), dropped: 3 }]);
    relay.received([{ id: 1, records: records(2), dropped: 0 }]);
    expect(shown).toHaveLength(2);
    expect([tap.takeDropped(), tap.takeDropped()]).toEqual([4, 0]);
  });

  test('leaves out what comes of a tap that is closed', () => {
    const { relay } = newRelay();
    const shown: TapRecord[] = [];
    relay.open(QUERY, (record) => shown.push(record)).close();
    relay.received([{ id: 1, records: records(1), dropped: 0 }]);
    expect(shown).toEqual([]);
  });
});

/** A worker's side: its taps on requests that are made up, and what it has sent. */
function newWorker() {
  const open: { readonly query: TapQuery; readonly take: TakeRecord; dropped: number }[] = [];
  const sent: { readonly taps: readonly Tapped[]; readonly done: () => void }[] = [];
  const taps = new RemoteTaps(
    (query, take) => {
      const tap = { query, take, dropped: 0 };
      open.push(tap);
      return {
        takeDropped: () => {
          const { dropped } = tap;
          tap.dropped = 0;
          return dropped;
        },
        close: () => void open.splice(open.indexOf(tap), 1),
      };
    },
    (message, done) => sent.push({ taps: (message as ToPrimary & { kind: 'tapped' }).taps, done }),
  );
  return { open, sent, taps };
}

describe('a worker', () => {
  test('opens what is new, keeps what it has and closes what is not wanted any more', () => {
    const { open, taps } = newWorker();
    taps.follow([{ id: 1, query: QUERY }]);
    const [first] = open;
    taps.follow([
      { id: 1, query: QUERY },
      { id: 2, query: { ...QUERY, rate: 5 } },
    ]);
    expect(open.map(({ query }) => query.rate)).toEqual([2, 5]);
    expect(open[0]).toBe(first);
    taps.follow([{ id: 2, query: { ...QUERY, rate: 5 } }]);
    expect(open.map(({ query }) => query.rate)).toEqual([5]);
    taps.follow([]);
    expect(open).toEqual([]);
  });

  test('sends what was seen and what was not shown, and nothing when there is nothing', () => {
    const { open, sent, taps } = newWorker();
    taps.flush();
    taps.follow([{ id: 7, query: QUERY }]);
    taps.flush();
    open[0]!.take(RECORD);
    open[0]!.dropped = 2;
    taps.flush();
    expect(sent.map((one) => one.taps)).toEqual([[{ id: 7, records: [RECORD], dropped: 2 }]]);
  });

  test('keeps no more than 200 records of a tap for a primary that does not read, and counts the rest', () => {
    const { open, sent, taps } = newWorker();
    taps.follow([{ id: 7, query: QUERY }]);
    open[0]!.take(RECORD);
    taps.flush();
    for (let i = 0; i < 250; i++) open[0]!.take(RECORD);
    taps.flush();
    expect(sent).toHaveLength(1);
    sent[0]!.done();
    taps.flush();
    expect(sent[1]!.taps).toMatchObject([{ id: 7, dropped: 50 }]);
    expect(sent[1]!.taps[0]!.records).toHaveLength(200);
  });
});

test.each([
  ['503', { from: 503, to: 503 }],
  ['5xx', { from: 500, to: 599 }],
  ['4XX', { from: 400, to: 499 }],
  ['0', { from: 0, to: 0 }],
  ['6xx', null],
  ['99', null],
  ['5x', null],
  ['', null],
])('the status %j is %j', (text, range) => {
  expect(parseStatus(text)).toEqual(range);
});
