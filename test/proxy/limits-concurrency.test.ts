/** Concurrency limits over real sockets: who is turned away, who gets the fallback, and that every place is given back. */
import { describe, expect, it } from 'vitest';
import { forwardPlane, MINUTE_MS } from '../support/forward-clock.ts';
import { field } from '../support/message.ts';
import type { TestPlane } from '../support/plane.ts';
import { answer, configOf, get, ok, type Received, type Upstream, useRig } from '../support/rig.ts';

const rig = useRig();

/** An upstream whose answers wait until they are asked for. */
async function gated(name: string): Promise<{ upstream: Upstream; release: (text?: string) => void }> {
  const waiting: Received[] = [];
  const upstream = await rig.upstream((request) => void waiting.push(request));
  return { upstream, release: (text = ok(name)) => void waiting.shift()!.socket.write(text) };
}

function placesOf({ plane }: TestPlane): Record<string, number> {
  const { concurrency } = plane.limits.view();
  return Object.fromEntries(concurrency.map(({ scope, name, inFlight }) => [`${scope} ${name}`, inFlight]));
}

/** Control and candidate on upstreams of their own, everybody on the candidate but those who say otherwise. */
async function world(limits: { app?: unknown; next?: unknown; candidate?: unknown }, route: object = {}) {
  const control = await gated('control');
  const candidate = await gated('candidate');
  const concurrency = (value: unknown) => (value === undefined ? {} : { concurrency: value });
  const proxy = await rig.plane([], {
    upstreams: {
      app: { endpoints: [control.upstream.endpoint], ...concurrency(limits.app) },
      next: { endpoints: [candidate.upstream.endpoint], ...concurrency(limits.next) },
    },
    routes: [{ name: 'all', upstream: 'app', experiments: ['ranking'], ...route }],
    experiments: {
      ranking: {
        variants: {
          control: { weight: '0%' },
          candidate: { weight: '100%', upstream: 'next', ...concurrency(limits.candidate) },
        },
      },
    },
  });
  return { ...proxy, control, candidate };
}

const USER = 'x-user-id: u-1\r\n';
const CONTROL = 'x-user-id: u-1\r\nx-experiment-override: ranking=control\r\n';

describe('an upstream with a concurrency limit', () => {
  it('gets so many requests, and the next is answered 503 at once', async () => {
    const { upstream, release } = await gated('app');
    const proxy = await rig.plane([], {
      upstreams: { app: { endpoints: [upstream.endpoint], concurrency: 2 } },
    });
    const [first, second, third] = [rig.client(proxy.port), rig.client(proxy.port), rig.client(proxy.port)];
    first.send(get('/1'));
    second.send(get('/2'));
    await upstream.request(1);
    const got = await answer(third.send(get('/3')));
    expect([got.status, got.problem?.code, got.problem?.side]).toEqual([
      503,
      'concurrency_limited',
      'internal',
    ]);
    expect([field(got, 'retry-after'), field(got, 'connection')]).toEqual(['1', null]);
    expect(got.body).toContain('2 requests are under way, which is the limit.');
    release();
    expect((await answer(first)).status).toBe(200);
    third.send(get('/4'));
    expect((await upstream.request(2)).startLine).toBe('GET /4 HTTP/1.1');
    release();
    release();
    expect([(await answer(second)).status, (await answer(third)).status]).toEqual([200, 200]);
    expect(placesOf(proxy)).toEqual({ 'upstream app': 0 });
    expect(proxy.plane.limits.view().concurrency[0]).toMatchObject({ limit: 2, rejected: 1, kind: 'fixed' });
  });

  it('has its place back however a request ends: aborted, reset, malformed, too late', async () => {
    const { upstream, release } = await gated('app');
    const proxy = await forwardPlane(rig, [], {
      upstreams: { app: { endpoints: [upstream.endpoint], concurrency: 1 } },
      timeouts: { firstByte: '1h' },
    });
    const gone = rig.client(proxy.port).send(get('/aborted'));
    await upstream.request(0);
    gone.socket.resetAndDestroy();
    await upstream.left(0);
    expect(placesOf(proxy)).toEqual({ 'upstream app': 0 });
    const client = rig
      .client(proxy.port)
      .send('POST /reset HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n');
    (await upstream.request(1)).socket.resetAndDestroy();
    expect((await answer(client)).problem?.code).toBe('upstream_reset');
    client.send(get('/malformed'));
    await upstream.request(2);
    release();
    release();
    release('HTTP/1.1 OK\r\n\r\n');
    expect((await answer(client)).problem?.code).toBe('upstream_malformed');
    client.send(get('/late'));
    await upstream.request(3);
    await proxy.forward(60 * MINUTE_MS);
    expect((await answer(client)).problem?.code).toBe('upstream_first_byte_timeout');
    expect(placesOf(proxy)).toEqual({ 'upstream app': 0 });
  });

  it('has its place back when nothing could be connected, and when the body was too large', async () => {
    const { upstream } = await gated('app');
    const proxy = await rig.plane([], {
      upstreams: { app: { endpoints: [upstream.endpoint], concurrency: 1 } },
      limits: { body: '10B' },
    });
    const client = rig.client(proxy.port);
    client.send(
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n01234567890123456789\r\n',
    );
    expect((await answer(client)).problem?.code).toBe('body_too_large');
    upstream.close();
    expect((await answer(rig.client(proxy.port).send(get()))).problem?.code).toBe('upstream_connect_failed');
    expect(placesOf(proxy)).toEqual({ 'upstream app': 0 });
  });

  it('counts a stream until its head has come, and a tunnel until the switch', async () => {
    const { upstream } = await gated('app');
    const proxy = await rig.plane([], {
      upstreams: { app: { endpoints: [upstream.endpoint], concurrency: 1 } },
      routes: [{ name: 'events', upstream: 'app', streaming: true }],
    });
    const stream = rig.client(proxy.port).send(get('/events'));
    const { socket } = await upstream.request(0);
    expect(placesOf(proxy)).toEqual({ 'upstream app': 1 });
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n');
    await stream.until((text) => text.includes('one'));
    expect(placesOf(proxy)).toEqual({ 'upstream app': 0 });
    const tunnel = rig.client(proxy.port).send(get('/ws', 'Connection: upgrade\r\nUpgrade: chat\r\n'));
    (await upstream.request(1)).socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n',
    );
    await tunnel.until((text) => text.includes('101'));
    expect(placesOf(proxy)).toEqual({ 'upstream app': 0 });
    tunnel.socket.destroy();
    stream.socket.destroy();
    await upstream.left(1);
    expect(placesOf(proxy)).toEqual({ 'upstream app': 0 });
  });

  it('keeps its places over a reload that changes the number', async () => {
    const { upstream, release } = await gated('app');
    const settings = (concurrency: unknown) => ({
      upstreams: { app: { endpoints: [upstream.endpoint], concurrency } },
    });
    const proxy = await rig.plane([], settings(5));
    const client = rig.client(proxy.port).send(get());
    await upstream.request(0);
    proxy.reload(configOf([], settings(1)));
    expect((await answer(rig.client(proxy.port).send(get()))).problem?.code).toBe('concurrency_limited');
    release();
    expect((await answer(client)).status).toBe(200);
    expect(placesOf(proxy)).toEqual({ 'upstream app': 0 });
    proxy.reload(configOf([], { upstreams: { app: { endpoints: [upstream.endpoint] } } }));
    expect(proxy.plane.limits.view().concurrency).toEqual([]);
  });
});

describe('a variant over its limit', () => {
  it('is served by the fallback, and still assigned', async () => {
    const proxy = await world({ candidate: 1 });
    const first = rig.client(proxy.port).send(get('/', USER));
    await proxy.candidate.upstream.request(0);
    const second = rig.client(proxy.port).send(get('/', USER));
    await proxy.control.upstream.request(0);
    proxy.control.release();
    expect((await answer(second)).body).toBe('control');
    proxy.candidate.release();
    expect((await answer(first)).body).toBe('candidate');
    expect(proxy.access[0]!.experiments[0]).toEqual({
      name: 'ranking',
      assigned: 'candidate',
      served: 'control',
      reason: 'overload',
    });
    expect(proxy.plane.metrics.fallbacks('ranking', 'overload').value).toBe(1);
    expect(placesOf(proxy)).toEqual({ 'variant ranking/candidate': 0 });
  });

  it('is served by the fallback as well when its upstream is full', async () => {
    const proxy = await world({ next: 1 });
    const first = rig.client(proxy.port).send(get('/', USER));
    await proxy.candidate.upstream.request(0);
    const second = rig.client(proxy.port).send(get('/', USER));
    await proxy.control.upstream.request(0);
    proxy.control.release();
    expect((await answer(second)).body).toBe('control');
    proxy.candidate.release();
    await answer(first);
    expect(placesOf(proxy)).toEqual({ 'upstream next': 0 });
  });

  it('leaves control alone: what is beyond its own limit is 503, whoever it was meant for', async () => {
    const proxy = await world({ app: 1, candidate: 1 });
    const own = rig.client(proxy.port).send(get('/', CONTROL));
    await proxy.control.upstream.request(0);
    const first = rig.client(proxy.port).send(get('/', USER));
    await proxy.candidate.upstream.request(0);
    const second = await answer(rig.client(proxy.port).send(get('/', USER)));
    expect([second.status, second.problem?.code]).toEqual([503, 'concurrency_limited']);
    expect(placesOf(proxy)).toEqual({ 'upstream app': 1, 'variant ranking/candidate': 1 });
    proxy.control.release();
    proxy.candidate.release();
    expect([(await answer(own)).body, (await answer(first)).body]).toEqual(['control', 'candidate']);
    // What was turned away was told to no breaker.
    const calls = proxy.plane.breakers().map(({ name, requests, inFlight }) => [name, requests, inFlight]);
    expect(calls).toEqual([
      ['all/ranking/control', 1, 0],
      ['all/ranking/candidate', 1, 0],
    ]);
    expect(placesOf(proxy)).toEqual({ 'upstream app': 0, 'variant ranking/candidate': 0 });
  });

  it('has its place back when its breaker turns the call away', async () => {
    const proxy = await world({ candidate: 1, next: 1 });
    proxy.plane.trip('all/ranking/candidate', 60_000, 'test');
    const client = rig.client(proxy.port).send(get('/', USER));
    await proxy.control.upstream.request(0);
    proxy.control.release();
    expect((await answer(client)).body).toBe('control');
    expect(proxy.access[0]!.experiments[0]!.reason).toBe('breaker');
    expect(placesOf(proxy)).toEqual({ 'upstream next': 0, 'variant ranking/candidate': 0 });
  });
});

describe('a request that fails over', () => {
  /** Asks for the candidate, which breaks the connection. */
  async function failed(limits: { app?: unknown; next?: unknown; candidate?: unknown }) {
    const proxy = await world(limits, { failover: { on: ['connect', 'reset'] } });
    const client = rig.client(proxy.port).send(get('/', USER));
    const { socket } = await proxy.candidate.upstream.request(0);
    return { proxy, client, socket };
  }

  it('gives its places at the candidate back and takes one at control', async () => {
    const { proxy, client, socket } = await failed({ app: 1, next: 1, candidate: 1 });
    expect(placesOf(proxy)).toEqual({
      'upstream app': 0,
      'upstream next': 1,
      'variant ranking/candidate': 1,
    });
    socket.resetAndDestroy();
    await proxy.control.upstream.request(0);
    expect(placesOf(proxy)).toEqual({
      'upstream app': 1,
      'upstream next': 0,
      'variant ranking/candidate': 0,
    });
    proxy.control.release();
    expect((await answer(client)).body).toBe('control');
    expect(placesOf(proxy)).toEqual({
      'upstream app': 0,
      'upstream next': 0,
      'variant ranking/candidate': 0,
    });
  });

  it('stays with the failure when control has no place, and takes none from those on control', async () => {
    const { proxy, client, socket } = await failed({ app: 1 });
    const own = rig.client(proxy.port).send(get('/', CONTROL));
    await proxy.control.upstream.request(0);
    socket.resetAndDestroy();
    expect((await answer(client)).problem?.code).toBe('upstream_reset');
    expect(placesOf(proxy)).toEqual({ 'upstream app': 1 });
    proxy.control.release();
    expect((await answer(own)).body).toBe('control');
    expect(placesOf(proxy)).toEqual({ 'upstream app': 0 });
  });
});

describe('a limit that finds itself', () => {
  it('learns from answers and begins where it is told', async () => {
    const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
    const proxy = await rig.plane([], {
      upstreams: { app: { endpoints: [upstream.endpoint], concurrency: { initial: 1, min: 1, max: 50 } } },
    });
    const limitNow = () => proxy.plane.limits.view().concurrency[0]!.limit;
    expect(limitNow()).toBe(1);
    const client = rig.client(proxy.port);
    for (let i = 0; limitNow() === 1 && i < 10_000; i++)
      expect((await answer(client.send(get()))).status).toBe(200);
    expect(limitNow()).toBeGreaterThan(1);
    const { usualMs } = proxy.plane.limits.view().concurrency[0]!;
    expect(usualMs).toBeGreaterThan(0);
  });
});
