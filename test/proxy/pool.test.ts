/** How many connections an endpoint gets, who waits for one, how long each lives, and how an endpoint is left. */
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { forwardPlane, MINUTE_MS } from '../support/forward-clock.ts';
import { field } from '../support/message.ts';
import { answer, configOf, get, ok, type Received, type Upstream, useRig } from '../support/rig.ts';

const rig = useRig();

/** An upstream that answers when told, and a plane in front of it. */
async function held(settings: object) {
  const waiting: Socket[] = [];
  const upstream = await rig.upstream(({ socket }) => waiting.push(socket));
  const plane = await rig.plane([upstream.endpoint], {
    upstreams: { app: { endpoints: [upstream.endpoint], ...settings } },
  });
  const ask = (): ReturnType<typeof rig.client> => rig.client(plane.port).send(get());
  const endpoint = () => plane.plane.upstreams()[0]!.endpoints[0]!;
  return { upstream, plane, ask, endpoint, waiting, release: () => waiting.shift()!.write(ok()) };
}

describe('a request beyond connectionsMax', () => {
  it('is answered 503 at once, with Retry-After, unless it may wait', async () => {
    const { ask, upstream } = await held({ connectionsMax: 1 });
    ask();
    await upstream.request();
    const got = await answer(ask());
    expect([got.problem?.code, field(got, 'retry-after')]).toEqual(['overloaded', '1']);
  });

  it('waits for a connection with pendingMax, and those who wait are served in the order they came', async () => {
    const { ask, upstream, endpoint, release } = await held({ connectionsMax: 1, pendingMax: 2 });
    const first = ask();
    await upstream.request();
    const second = ask();
    await expect.poll(() => endpoint().pending).toBe(1);
    const third = ask();
    await expect.poll(() => endpoint().pending).toBe(2);
    release();
    expect((await answer(first)).status).toBe(200);
    await upstream.request(1);
    release();
    expect((await answer(second)).status).toBe(200);
    await upstream.request(2);
    release();
    expect((await answer(third)).status).toBe(200);
    expect(upstream.sockets).toHaveLength(1);
    expect(endpoint().pending).toBe(0);
  });

  it('is answered 503 when as many wait as may, with both limits', async () => {
    const { ask, upstream, endpoint } = await held({ connectionsMax: 1, pendingMax: 1 });
    ask();
    await upstream.request();
    ask();
    await expect.poll(() => endpoint().pending).toBe(1);
    const { problem, body } = await answer(ask());
    expect(problem?.code).toBe('overloaded');
    expect(body).toContain('1 connections, which is its limit, and 1 requests wait');
  });

  it('is answered 503 when none has come free in time, and the connection is not lost', async () => {
    const { ask, upstream, release } = await held({
      connectionsMax: 1,
      pendingMax: 1,
      pendingTimeout: '60ms',
    });
    const first = ask();
    await upstream.request();
    const late = await answer(ask());
    expect(late.problem?.code).toBe('overloaded');
    expect(late.body).toContain('none came free within 60 ms');
    release();
    expect((await answer(first)).status).toBe(200);
    const next = ask();
    await upstream.request(1);
    release();
    expect((await answer(next)).status).toBe(200);
    expect(upstream.sockets).toHaveLength(1);
  });

  it('leaves the queue when its client goes away', async () => {
    const { ask, upstream, endpoint, release } = await held({ connectionsMax: 1, pendingMax: 1 });
    ask();
    await upstream.request();
    const gone = ask();
    await expect.poll(() => endpoint().pending).toBe(1);
    gone.close();
    await expect.poll(() => endpoint().pending).toBe(0);
    const next = ask();
    await expect.poll(() => endpoint().pending).toBe(1);
    release();
    await upstream.request(1);
    release();
    expect((await answer(next)).status).toBe(200);
  });

  it('gets a new connection when the one it waits for breaks', async () => {
    const { ask, upstream, endpoint, waiting } = await held({ connectionsMax: 1, pendingMax: 1 });
    const first = ask();
    await upstream.request();
    const second = ask();
    await expect.poll(() => endpoint().pending).toBe(1);
    waiting.shift()!.destroy();
    expect((await answer(first)).problem?.code).toBe('upstream_reset');
    await upstream.request(1);
    waiting.shift()!.write(ok());
    expect((await answer(second)).status).toBe(200);
    expect(upstream.sockets).toHaveLength(2);
  });

  it('goes to an endpoint that has room instead, whatever the policy says', async () => {
    const sockets: Socket[] = [];
    const busy = await rig.upstream(({ socket }) => void sockets.push(socket));
    const free = await rig.upstream(({ socket }) => socket.write(ok('free')));
    const endpoints = [busy.endpoint, free.endpoint];
    const upstreams = { app: { endpoints, connectionsMax: 1, balance: 'roundRobin' } };
    const plane = await rig.plane(endpoints, { upstreams });
    rig.client(plane.port).send(get()).send(get());
    rig.client(plane.port).send(get());
    await busy.request();
    const client = rig.client(plane.port);
    for (let i = 0; i < 6; i++) expect((await answer(client.send(get()))).body).toBe('free');
    expect(busy.requests).toHaveLength(1);
  });
});

describe('a connection', () => {
  it('is closed once it has carried connection.requestsMax, or a tenth fewer', async () => {
    const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
    const upstreams = { app: { endpoints: [upstream.endpoint], connection: { requestsMax: 20 } } };
    const plane = await rig.plane([upstream.endpoint], { upstreams });
    const client = rig.client(plane.port);
    for (let i = 0; i < 60; i++) await answer(client.send(get()));
    const counts = upstream.sockets.map(
      (_, index) => upstream.requests.filter(({ connection }) => connection === index).length,
    );
    for (const count of counts.slice(0, -1)) {
      expect(count).toBeGreaterThanOrEqual(18);
      expect(count).toBeLessThanOrEqual(20);
    }
    expect(counts.length).toBeGreaterThanOrEqual(3);
  });

  it('is closed at connection.maxAge when it is idle, and not under a request', async () => {
    const { ask, upstream, release } = await held({ connection: { maxAge: '150ms' } });
    const first = ask();
    await upstream.request();
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(upstream.ended[0]).toBe(false);
    release();
    expect((await answer(first)).status).toBe(200);
    await upstream.left(0);
    const second = ask();
    await upstream.request(1);
    release();
    expect((await answer(second)).status).toBe(200);
    // Idle, and young.
    await upstream.left(1);
    expect(upstream.sockets).toHaveLength(2);
  });
});

describe('an endpoint that is taken out', () => {
  async function two(settings: object = {}) {
    const held: Received[] = [];
    const upstreams = await Promise.all(
      ['a', 'b'].map((name) =>
        rig.upstream((request) => {
          if (request.startLine.includes('/hold')) held.push(request);
          else request.socket.write(ok(name));
        }),
      ),
    );
    const endpoints = upstreams.map(({ endpoint }) => endpoint);
    const app = { endpoints, balance: 'roundRobin', ...settings };
    const timeouts = { firstByte: '0' };
    const plane = await forwardPlane(rig, endpoints, { upstreams: { app }, timeouts });
    const client = rig.client(plane.port);
    const bodies = async (count: number): Promise<Set<string>> => {
      const found = new Set<string>();
      for (let i = 0; i < count; i++) found.add((await answer(client.send(get()))).body);
      return found;
    };
    const drain = (...out: Upstream[]): void =>
      plane.plane.drainEndpoints(out.map(({ endpoint }) => ({ upstream: 'app', endpoint })));
    const [a, b] = upstreams as [Upstream, Upstream];
    return { plane, a, b, endpoints, held, bodies, drain };
  }

  it('by hand gets nothing new, closes what is idle, finishes what is under way, and can come back', async () => {
    const { plane, a, b, held, bodies, drain } = await two();
    expect(await bodies(4)).toEqual(new Set(['a', 'b']));
    const slow = [rig.client(plane.port), rig.client(plane.port)].map((client) => client.send(get('/hold')));
    await expect.poll(() => held.length).toBe(2);
    drain(a);
    expect(plane.plane.upstreams()[0]!.endpoints.map(({ state, reason }) => [state, reason])).toEqual([
      ['draining', 'taken out by hand'],
      ['ok', ''],
    ]);
    expect(await bodies(6)).toEqual(new Set(['b']));
    for (const { socket } of held) socket.write(ok('late'));
    for (const client of slow) expect((await answer(client)).body).toBe('late');
    for (const index of a.sockets.keys()) await a.left(index);
    expect(b.ended).not.toContain(true);
    drain();
    expect(await bodies(4)).toEqual(new Set(['a', 'b']));
  });

  it('by hand stays out over a reload', async () => {
    const { plane, a, endpoints, bodies, drain } = await two();
    drain(a);
    plane.reload(configOf(endpoints, { upstreams: { app: { endpoints, connectionsMax: 9 } } }));
    expect(await bodies(4)).toEqual(new Set(['b']));
  });

  it('by hand is used when there is no other', async () => {
    const { a, b, bodies, drain } = await two();
    drain(a, b);
    expect(await bodies(4)).toEqual(new Set(['a', 'b']));
  });

  it('by a reload finishes what is under way within drainTimeout, and then it is cut', async () => {
    const { plane, a, b, held } = await two({ drainTimeout: '1h' });
    const clients = [rig.client(plane.port), rig.client(plane.port)].map((client) =>
      client.send(get('/hold')),
    );
    await expect.poll(() => held.length).toBe(2);
    const other = await rig.upstream(({ socket }) => socket.write(ok('other')));
    plane.reload(
      configOf([], {
        upstreams: { app: { endpoints: [other.endpoint], drainTimeout: '1h' } },
        limits: {},
      }),
    );
    held[0]!.socket.write(ok('finished'));
    await expect.poll(() => clients.some(({ text }) => text !== ''), { interval: 5 }).toBe(true);
    await plane.forward(60 * MINUTE_MS);
    const answers = await Promise.all(clients.map((client) => answer(client)));
    // What was cut may be done twice, so it was tried again where requests go now.
    expect(answers.map(({ body }) => body).toSorted()).toEqual(['finished', 'other']);
    await a.left();
    await b.left();
  });
});
