/** Server-sent events and long polls: nothing is held back, and on a route with `streaming: true` time is no fault. */
import { describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { ForwardClock, ticked } from '../support/forward-clock.ts';
import type { RawClient } from '../support/peers.ts';
import { startPlane, type TestPlane } from '../support/plane.ts';
import { answer, get, ok, type Received, type Upstream, useRig } from '../support/rig.ts';
import { metric } from '../support/tunnel.ts';

const rig = useRig();

const EVENTS = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n';
const CHUNKED = `${EVENTS}Transfer-Encoding: chunked\r\n\r\n`;
const FINAL_CHUNK = '0\r\n\r\n';
const MINUTE_MS = 60_000;

function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

function event(n: number): string {
  return `data: ${n}\n\n`;
}

interface World extends TestPlane {
  readonly upstream: Upstream;
  /** A request, once the upstream has it. */
  open(fields?: string): Promise<{ readonly client: RawClient; readonly request: Received }>;
  /** A request whose answer has begun. */
  stream(): Promise<{ readonly client: RawClient; readonly request: Received }>;
}

/** A streaming route (unless told otherwise) with an experiment whose candidate is the upstream. */
async function world(
  settings: object = {},
  breaker: object | false = {},
  clock: Clock = systemClock,
): Promise<World> {
  const upstream = await rig.upstream(() => {});
  const control = await rig.upstream(({ socket }) => socket.write(ok('control')));
  const proxy = await startPlane(
    JSON.stringify({
      version: 1,
      listeners: [{ name: 'inbound', address: '127.0.0.1:0' }],
      upstreams: { v1: control.endpoint, v2: upstream.endpoint },
      routes: [{ name: 'feed', upstream: 'v1', experiments: ['feed'], streaming: true, failover: false }],
      experiments: {
        feed: { variants: { control: {}, candidate: { weight: '1%', upstream: 'v2' } }, breaker },
      },
      ...settings,
    }),
    clock,
  );
  rig.also(() => proxy.close());
  const open = async (fields = '') => {
    const before = upstream.requests.length;
    const client = rig.client(proxy.port);
    client.send(get('/feed', `x-experiment-override: feed=candidate\r\n${fields}`));
    return { client, request: await upstream.request(before) };
  };
  const stream = async () => {
    const opened = await open();
    opened.request.socket.write(CHUNKED + chunk(event(0)));
    await opened.client.until((text) => text.endsWith(chunk(event(0))));
    return opened;
  };
  return { ...proxy, upstream, open, stream };
}

const ORDINARY = { routes: [{ name: 'feed', upstream: 'v1', experiments: ['feed'], failover: false }] };
const LABELS = 'direction="inbound",route="feed",experiment="feed",variant="candidate"';

function breakerOf({ plane }: World) {
  return plane.breakers().find(({ name }) => name === 'feed/feed/candidate')!;
}

describe.each([
  ['an ordinary route', ORDINARY],
  ['a streaming route', {}],
])('server-sent events on %s', (_route, settings) => {
  it('reach the client before the next is sent', async () => {
    const { open } = await world(settings);
    const { client, request } = await open();
    request.socket.write(CHUNKED);
    await client.until((text) => text.endsWith('\r\n\r\n'));
    client.text = '';
    for (let n = 1; n <= 30; n++) {
      request.socket.write(chunk(event(n)));
      await client.until((text) => text === chunk(event(n)));
      client.text = '';
    }
    request.socket.write(FINAL_CHUNK);
    await client.until((text) => text === FINAL_CHUNK);
  });

  it('that are cut anywhere are passed on as they come', async () => {
    const { open } = await world(settings);
    const { client, request } = await open();
    request.socket.write(CHUNKED);
    await client.until((text) => text.endsWith('\r\n\r\n'));
    client.text = '';
    request.socket.write('9\r\ndata');
    await client.until((text) => text === chunk('data'));
    request.socket.write(': 1\n\n\r\n');
    await client.until((text) => text === chunk('data') + chunk(': 1\n\n'));
  });

  it('of an upstream that ends them by closing are chunks with an end', async () => {
    const { open } = await world(settings);
    const { client, request } = await open();
    request.socket.write(`${EVENTS}\r\n${event(1)}`);
    await client.until((text) => text.endsWith(chunk(event(1))));
    request.socket.write(event(2));
    await client.until((text) => text.endsWith(chunk(event(1)) + chunk(event(2))));
    request.socket.end();
    await client.until((text) => text.endsWith(FINAL_CHUNK));
  });
});

describe('on a streaming route', () => {
  it('an answer may take longer than firstByte and request', async () => {
    const clock = new ForwardClock();
    const proxy = await world({ timeouts: { firstByte: '1s', request: '2s' } }, {}, clock);
    const { client, request } = await proxy.open();
    clock.forward(MINUTE_MS);
    await ticked(proxy);
    request.socket.write(ok('news'));
    expect((await answer(client)).body).toBe('news');
    expect(proxy.access).toMatchObject([{ status: 200, outcome: 'ok', code: null }]);
  });

  it('and on no other', async () => {
    const clock = new ForwardClock();
    const { open } = await world({ ...ORDINARY, timeouts: { firstByte: '1s' } }, {}, clock);
    const { client } = await open();
    clock.forward(MINUTE_MS);
    expect((await answer(client)).problem?.code).toBe('upstream_first_byte_timeout');
  });

  it('a stream may be silent for longer than stall', async () => {
    const clock = new ForwardClock();
    const proxy = await world({ timeouts: { stall: '1s', request: '2s' } }, {}, clock);
    const { client, request } = await proxy.stream();
    clock.forward(MINUTE_MS);
    await ticked(proxy);
    request.socket.write(chunk(event(1)));
    await client.until((text) => text.endsWith(chunk(event(1))));
  });

  it('a stream that is silent for tunnelIdle is cut for all to see, and nobody failed', async () => {
    const clock = new ForwardClock();
    const settings = { timeouts: { tunnelIdle: '1m' } };
    const proxy = await world(settings, { consecutiveFailures: 1 }, clock);
    const { client, request } = await proxy.stream();
    clock.forward(MINUTE_MS);
    const text = await client.ended();
    expect(text.endsWith(FINAL_CHUNK)).toBe(false);
    await proxy.upstream.left(request.connection);
    expect(proxy.access).toMatchObject([{ status: 200, code: 'stream_idle', outcome: 'ignored' }]);
    expect(breakerOf(proxy)).toMatchObject({ state: 'closed', requests: 0 });
  });

  it('a poll that is not answered for tunnelIdle is a 504, with the limit that it broke', async () => {
    const clock = new ForwardClock();
    const { open, access } = await world({ timeouts: { tunnelIdle: '1m', firstByte: '1s' } }, {}, clock);
    const { client } = await open();
    clock.forward(MINUTE_MS);
    const { problem, body } = await answer(client);
    expect(problem).toMatchObject({ code: 'upstream_first_byte_timeout', status: 504 });
    expect(body).toContain('within 60000 ms');
    expect(access).toMatchObject([{ outcome: 'failure' }]);
  });

  it('a client that has closed its side is let go when the stream is silent', async () => {
    const { stream, upstream, access } = await world({ timeouts: { halfClosed: '100ms' } });
    const { client, request } = await stream();
    client.socket.end();
    await upstream.left(request.connection);
    await expect.poll(() => access.length, { interval: 5 }).toBe(1);
    expect(access).toMatchObject([{ code: 'client_aborted', outcome: 'ignored' }]);
  });
});

describe('the breaker of a variant on a streaming route', () => {
  const SLOW = { slow: { threshold: '10ms', rate: '1%' }, minimumRequests: 1 };
  const FAILING = { consecutiveFailures: 2 };

  it('has no slow calls, finished or under way', async () => {
    const clock = new ForwardClock();
    const proxy = await world({}, SLOW, clock);
    const streams = [await proxy.stream(), await proxy.stream(), await proxy.open()];
    clock.forward(MINUTE_MS);
    await ticked(proxy);
    for (const { request } of streams.slice(0, 2)) request.socket.write(FINAL_CHUNK);
    await expect.poll(() => proxy.access.length, { interval: 5 }).toBe(2);
    expect(proxy.access).toMatchObject([{ outcome: 'ok' }, { outcome: 'ok' }]);
    expect(breakerOf(proxy)).toMatchObject({
      state: 'closed',
      slow: 0,
      overdue: 0,
      settings: { slow: null },
    });
  });

  it('counts streams that break, and not those that their clients leave', async () => {
    const proxy = await world({}, FAILING);
    for (let n = 0; n < 3; n++) {
      const { client } = await proxy.stream();
      client.socket.resetAndDestroy();
      await expect.poll(() => proxy.access.length, { interval: 5 }).toBe(n + 1);
    }
    expect(breakerOf(proxy)).toMatchObject({ state: 'closed', requests: 0 });
    for (let n = 0; n < 2; n++) {
      const { client, request } = await proxy.stream();
      request.socket.resetAndDestroy();
      await client.ended();
    }
    expect(breakerOf(proxy).reason).toContain('failures in a row 2 >= 2');
  });

  it('counts answers of 500 and more', async () => {
    const proxy = await world({}, FAILING);
    for (let n = 0; n < 2; n++) {
      const { client, request } = await proxy.open();
      request.socket.write('HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n');
      await answer(client);
    }
    expect(breakerOf(proxy).state).toBe('open');
  });

  const PROBES = { ...FAILING, openFor: '10m', openForMax: '10m', halfOpenRequests: 2 };

  /** The breaker was open long enough for probes. */
  async function due(): Promise<World & { readonly clock: ForwardClock }> {
    const clock = new ForwardClock();
    const proxy = await world({}, PROBES, clock);
    proxy.plane.trip('feed/feed/candidate', MINUTE_MS, 'test');
    clock.forward(MINUTE_MS);
    await expect.poll(() => breakerOf(proxy).state, { interval: 5 }).toBe('half-open');
    return { ...proxy, clock };
  }

  it('closes at the heads of its probes, though the streams go on', async () => {
    const proxy = await due();
    await proxy.stream();
    expect(breakerOf(proxy)).toMatchObject({ state: 'half-open', probesOk: 1 });
    await proxy.stream();
    expect(breakerOf(proxy)).toMatchObject({ state: 'closed' });
  });

  it('opens again at a head that is no good one', async () => {
    const proxy = await due();
    const { client, request } = await proxy.open();
    request.socket.write('HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n');
    await answer(client);
    expect(breakerOf(proxy).state).toBe('open');
  });

  it('waits for a poll that takes longer than openFor', async () => {
    const proxy = await due();
    for (let probes = 1; probes <= 2; probes++) {
      const { client, request } = await proxy.open();
      proxy.clock.forward(20 * MINUTE_MS);
      await ticked(proxy);
      expect(breakerOf(proxy)).toMatchObject({ state: 'half-open', probes });
      request.socket.write(ok('news'));
      await answer(client);
    }
    expect(breakerOf(proxy).state).toBe('closed');
  });
});

describe('a stream on record', () => {
  it('is in flight until its end, and its duration is the time to its head', async () => {
    const clock = new ForwardClock();
    const proxy = await world({}, {}, clock);
    const { request } = await proxy.stream();
    expect(await metric(proxy, 'fairlead_requests_in_flight', LABELS)).toBe(1);
    clock.forward(10 * MINUTE_MS);
    request.socket.write(FINAL_CHUNK);
    await expect.poll(() => proxy.access.length, { interval: 5 }).toBe(1);
    expect(proxy.access[0]!.durationMs).toBeGreaterThan(10 * MINUTE_MS);
    expect(await metric(proxy, 'fairlead_requests_in_flight', LABELS)).toBe(0);
    expect(await metric(proxy, 'fairlead_request_duration_seconds_count', LABELS)).toBe(1);
    expect(await metric(proxy, 'fairlead_request_duration_seconds_sum', LABELS)).toBeLessThan(60);
  });
});

describe('a drain', () => {
  it('leaves a stream until its time is over, and then cuts it for all to see', async () => {
    const clock = new ForwardClock();
    const { stream, plane, access } = await world({ timeouts: { tunnelIdle: '9h' } }, {}, clock);
    const { client, request } = await stream();
    const drained = plane.drain(60 * MINUTE_MS);
    request.socket.write(chunk(event(1)));
    await client.until((text) => text.endsWith(chunk(event(1))));
    clock.forward(60 * MINUTE_MS);
    expect(await drained).toBe(1);
    const text = await client.ended();
    expect(text.endsWith(chunk(event(1)))).toBe(true);
    await expect.poll(() => access.length, { interval: 5 }).toBe(1);
    expect(access).toMatchObject([{ status: 200, code: 'drain_timeout', outcome: 'ignored' }]);
  });

  it('ends with the last stream that ends by itself', async () => {
    const { stream, plane } = await world();
    const { client, request } = await stream();
    const drained = plane.drain(MINUTE_MS);
    request.socket.write(FINAL_CHUNK);
    await client.ended();
    client.socket.end();
    expect(await drained).toBe(0);
    expect(client.text.endsWith(FINAL_CHUNK)).toBe(true);
  });
});
