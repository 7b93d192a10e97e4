/** Breakers over real sockets: what clients see when a variant goes bad, hangs, and comes back. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import { STANDING } from '../support/forward-clock.ts';
import { fixedUpstream, RawClient, type RawUpstream, rawUpstream, requestCount } from '../support/peers.ts';
import { startPlane, type TestPlane } from '../support/plane.ts';

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

type Mode = 'ok' | 'fail' | 'hang';

/** A candidate that can be broken and healed. */
async function moody(): Promise<RawUpstream & { mode: Mode }> {
  const upstream = Object.assign(
    await rawUpstream((socket, text) => {
      if (upstream.mode === 'hang' || requestCount(text) === 0) return;
      const status = upstream.mode === 'ok' ? '200 OK' : '500 Internal Server Error';
      socket.write(`HTTP/1.1 ${status}\r\ncontent-length: 9\r\n\r\ncandidate`);
    }),
    { mode: 'ok' as Mode },
  );
  return upstream;
}

interface World {
  readonly plane: TestPlane;
  readonly candidate: RawUpstream & { mode: Mode };
  readonly config: string;
  request(fields?: string): Promise<string>;
}

async function world(breaker: string, clock?: Clock): Promise<World> {
  const control = await fixedUpstream('HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\ncontrol');
  const candidate = await moody();
  const config = `
version: 1
service: checkout
listeners: [{ name: inbound, address: "127.0.0.1:0", direction: inbound }]
upstreams:
  v1: { endpoints: ["${control.endpoint}"] }
  v2: { endpoints: ["${candidate.endpoint}"] }
routes: [{ name: api, match: { path: /* }, upstream: v1, experiments: [ranking] }]
experiments:
  ranking:
    owner: search-team
    hypothesis: better
    variants: { control: { weight: 90% }, candidate: { weight: 10%, upstream: v2 } }
    breaker: ${breaker}
`;
  const plane = await startPlane(config, clock);
  closers.push(
    () => control.close(),
    () => candidate.close(),
    () => plane.close(),
  );
  const request = async (fields = 'x-experiment-override: always\r\n'): Promise<string> => {
    const client = new RawClient(plane.port);
    closers.push(() => client.close());
    return client.send(`GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${fields}\r\n`).ended();
  };
  return { plane, candidate, config, request };
}

const LASTING = '{ window: 1m, minimumRequests: 5, errorRate: 50%, openFor: 1m, halfOpenRequests: 2 }';
const QUICK = LASTING.replace('openFor: 1m', 'openFor: 100ms');

describe('breakers over the wire', () => {
  it('serves the control once the candidate has failed, with assigned and served both on record', async () => {
    const { plane, candidate, request } = await world(LASTING);
    candidate.mode = 'fail';
    for (let i = 0; i < 5; i++) expect(await request()).toMatch(/^HTTP\/1\.1 500/);
    const answer = await request('x-experiment-override: always\r\nx-experiment-explain: 1\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 200 .*control$/s);
    expect(answer).toContain('x-experiment-reason: ranking=override;served=control;cause=breaker\r\n');
    expect(plane.exposures.at(-1)).toMatchObject({ assigned: 'candidate', served: 'control' });
    expect(plane.transitions[0]).toMatchObject({ from: 'closed', to: 'open', cause: 'error-rate' });
  });

  it('closes again by probes once the candidate is well', async () => {
    const { plane, candidate, request } = await world(QUICK);
    candidate.mode = 'fail';
    for (let i = 0; i < 5; i++) await request();
    candidate.mode = 'ok';
    await expect
      .poll(
        async () => {
          await request();
          return plane.plane.breakers()[1]!.state;
        },
        { interval: 20, timeout: 20_000 },
      )
      .toBe('closed');
    expect(await request()).toMatch(/candidate$/);
  });

  it('trips on a candidate that hangs before a single call has finished', async () => {
    const { plane, candidate, request } = await world(
      '{ window: 10s, minimumRequests: 5, slow: { threshold: 100ms, rate: 50% }, openFor: 1m }',
    );
    candidate.mode = 'hang';
    const hung = Array.from({ length: 5 }, () => request());
    await expect.poll(() => plane.transitions.length, { interval: 5, timeout: 20_000 }).toBe(1);
    expect(plane.transitions[0]).toMatchObject({ to: 'open', cause: 'slow-rate' });
    expect(await request()).toMatch(/control$/);
    candidate.close();
    // What hung is cut, and served by the control as well.
    for (const answer of await Promise.all(hung)) expect(answer).toMatch(/^HTTP\/1\.1 200 .*control$/s);
  });

  it('answers 503 with Retry-After when the last resort itself is open', async () => {
    const { plane, request } = await world(LASTING, STANDING);
    plane.plane.trip('api/ranking/control', 30_000, 'test');
    const answer = await request('x-experiment-override: never\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 503 .*\r\nretry-after: 30\r\n.*"code":"breaker_open"/s);
  });

  it('keeps the state of a breaker over a reload', async () => {
    const { plane, config, request } = await world(QUICK);
    plane.plane.trip('api/ranking/candidate', 30_000, 'test');
    plane.reload(config.replace('errorRate: 50%', 'errorRate: 60%'));
    expect(plane.plane.breakers()[1]).toMatchObject({ state: 'open', settings: { errorRatio: 0.6 } });
    expect(await request()).toMatch(/control$/);
  });

  it('does not count a client that goes away', async () => {
    const { plane, candidate } = await world(QUICK);
    candidate.mode = 'hang';
    for (let i = 0; i < 6; i++) {
      const client = new RawClient(plane.port);
      client.send('GET / HTTP/1.1\r\nHost: a\r\nx-experiment-override: always\r\n\r\n');
      await expect.poll(() => plane.plane.inFlight(), { interval: 5, timeout: 20_000 }).toBe(1);
      client.socket.resetAndDestroy();
      await expect.poll(() => plane.plane.inFlight(), { interval: 5, timeout: 20_000 }).toBe(0);
    }
    expect(plane.plane.breakers()[1]).toMatchObject({ state: 'closed', requests: 0, inFlight: 0 });
    expect(plane.access.at(-1)).toMatchObject({ code: 'client_aborted', outcome: 'ignored' });
  });
});
