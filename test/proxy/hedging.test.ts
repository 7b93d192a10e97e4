/** A second attempt beside a late first one: which answer the client gets, and what becomes of the other. */
import { describe, expect, it } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import { deafEndpoint } from '../support/deaf.ts';
import { ForwardClock, forwarded, MINUTE_MS } from '../support/forward-clock.ts';
import type { TestPlane } from '../support/plane.ts';
import { answer, get, ok, post, type Received, type Upstream, useRig } from '../support/rig.ts';

const rig = useRig();

interface Pair extends Pick<TestPlane, 'plane'> {
  readonly port: number;
  readonly upstreams: readonly Upstream[];
  /** Who was asked first, and who was not. */
  readonly leader: () => Upstream;
  readonly follower: () => Upstream;
  readonly page: () => Promise<string>;
  readonly retries: () => number;
}

/** Two endpoints; the one that is asked first does `first`, the other `second`, whichever they are. */
async function pair(
  first: (request: Received) => void,
  second: (request: Received) => void,
  settings: object = {},
  clock?: Clock,
): Promise<Pair> {
  let leader: Upstream | null = null;
  const all: Upstream[] = [];
  for (let i = 0; i < 2; i++) {
    const upstream = await rig.upstream((request) => {
      leader ??= upstream;
      (leader === upstream ? first : second)(request);
    });
    all.push(upstream);
  }
  const endpoints = all.map(({ endpoint }) => endpoint);
  const config = {
    upstreams: { app: { endpoints, balance: 'roundRobin', outlier: false } },
    routes: [{ name: 'all', upstream: 'app', retries: { hedge: { after: '60ms' } } }],
    ...settings,
  };
  const { port, plane, access } = await rig.plane(endpoints, config, clock);
  return {
    plane,
    port,
    upstreams: all,
    leader: () => leader!,
    follower: () => all.find((one) => one !== leader)!,
    page: () => plane.metrics.render(),
    retries: () => access.reduce((sum, { retries }) => sum + retries, 0),
  };
}

const nothing = () => {};
const says =
  (text: string) =>
  ({ socket }: Received): void => {
    socket.write(ok(text));
  };

const asked = ({ upstreams }: Pair) => upstreams.map(({ requests }) => requests.length);

describe('a request whose answer is late', () => {
  it('is answered by the second endpoint, and the first is let go', async () => {
    const both = await pair(nothing, says('second'));
    const client = rig.client(both.port);
    expect((await answer(client.send(get()))).body).toBe('second');
    expect(asked(both)).toEqual([1, 1]);
    await both.leader().left(0);
    expect(both.retries()).toBe(1);
    expect(await both.page()).toContain('fairlead_hedges_total{route="all",result="won"} 1');
    // And the connection to the client goes on.
    expect((await answer(client.send(get()))).status).toBe(200);
  });

  it('is answered by the first when that is sooner after all, and the second is let go', async () => {
    const held: Received[] = [];
    const both = await pair(
      (request) => held.push(request),
      () => held[0]!.socket.write(ok('first')),
    );
    expect((await answer(rig.client(both.port).send(get()))).body).toBe('first');
    await both.follower().left(0);
    expect(await both.page()).toContain('fairlead_hedges_total{route="all",result="won"} 0');
  });

  it('is not sent twice when it is answered in time', async () => {
    const routes = [{ name: 'all', upstream: 'app', retries: { hedge: { after: '1m' } } }];
    const both = await pair(says('first'), says('second'), { routes });
    const client = rig.client(both.port);
    for (let i = 0; i < 4; i++) await answer(client.send(get()));
    expect(both.retries()).toBe(0);
    expect(await both.page()).toContain('fairlead_hedges_total{route="all",result="sent"} 0');
  });

  it.each([
    ['changes something', post('x', '', 'PUT')],
    ['has a body', post('x', '', 'QUERY')],
    ['asks for another protocol', get('/', 'Connection: upgrade\r\nUpgrade: websocket\r\n')],
  ])('is not sent twice when it %s', async (_, request) => {
    const both = await pair(({ socket }) => setTimeout(() => socket.write(ok('first')), 150), nothing);
    expect((await answer(rig.client(both.port).send(request))).body).toBe('first');
    expect(both.retries()).toBe(0);
  });

  it('is not sent twice when the budget is used up', async () => {
    const both = await pair(({ socket }) => setTimeout(() => socket.write(ok('first')), 150), nothing, {
      retryBudget: { ratio: '0%', minPerSecond: 0 },
    });
    expect((await answer(rig.client(both.port).send(get()))).body).toBe('first');
    expect(await both.page()).toContain('fairlead_recoveries_refused_total{route="all",kind="hedge"} 1');
  });
});

describe('of two attempts', () => {
  it('the second stays when the first one breaks', async () => {
    const held: Received[] = [];
    const both = await pair(
      (request) => held.push(request),
      (request) => {
        held[0]!.socket.resetAndDestroy();
        setTimeout(() => request.socket.write(ok('second')), 50);
      },
    );
    expect((await answer(rig.client(both.port).send(get()))).body).toBe('second');
  });

  it('the first stays when the second one breaks', async () => {
    const held: Received[] = [];
    const both = await pair(
      (request) => held.push(request),
      ({ socket }) => {
        socket.resetAndDestroy();
        setTimeout(() => held[0]!.socket.write(ok('first')), 50);
      },
    );
    expect((await answer(rig.client(both.port).send(get()))).body).toBe('first');
  });

  it('none is left when both break, and that is the error', async () => {
    const held: Received[] = [];
    const both = await pair(
      (request) => held.push(request),
      ({ socket }) => {
        held[0]!.socket.resetAndDestroy();
        socket.resetAndDestroy();
      },
    );
    expect((await answer(rig.client(both.port).send(get()))).problem?.code).toBe('upstream_reset');
  });

  it('both are let go when the client leaves', async () => {
    const both = await pair(nothing, nothing);
    const client = rig.client(both.port).send(get());
    await both.upstreams[0]!.request(0);
    await both.upstreams[1]!.request(0);
    client.socket.resetAndDestroy();
    await both.upstreams[0]!.left(0);
    await both.upstreams[1]!.left(0);
  });

  it('both are let go when time is up', async () => {
    const clock = new ForwardClock();
    const both = await pair(nothing, nothing, { timeouts: { request: '1h', firstByte: '2h' } }, clock);
    const client = rig.client(both.port).send(get());
    await both.upstreams[0]!.request(0);
    await both.upstreams[1]!.request(0);
    await forwarded(both, clock, 60 * MINUTE_MS);
    expect((await answer(client)).problem?.code).toBe('request_timeout');
    await both.upstreams[0]!.left(0);
    await both.upstreams[1]!.left(0);
  });
});

describe('an endpoint whose attempts are always overtaken', () => {
  it('is put aside as slow', async () => {
    const endpoints: string[] = [];
    for (const act of [nothing, says('quick')]) endpoints.push((await rig.upstream(act)).endpoint);
    const { port, plane } = await rig.plane(endpoints, {
      upstreams: {
        app: {
          endpoints,
          balance: 'roundRobin',
          outlier: { slowerThan: 3, minimumRequests: 5, consecutiveFailures: 'off', errorRate: 'off' },
        },
      },
      routes: [{ name: 'all', upstream: 'app', retries: { hedge: { after: '40ms' } } }],
      retryBudget: { ratio: '100%', minPerSecond: 100 },
    });
    const isAside = () => plane.upstreams()[0]!.endpoints.some(({ state }) => state === 'ejected');
    const client = rig.client(port);
    for (let i = 0; i < 200 && !isAside(); i++) expect((await answer(client.send(get()))).body).toBe('quick');
    expect(plane.upstreams()[0]!.endpoints.map(({ state }) => state)).toEqual(['ejected', 'ok']);
  });
});

describe('a first attempt that nobody accepts', () => {
  it('is replaced by a second that is connected', async () => {
    const quick = await rig.upstream(says('quick'));
    const { port, plane } = await rig.plane([], {
      upstreams: {
        app: { endpoints: [await deafEndpoint(rig), quick.endpoint], balance: 'roundRobin', outlier: false },
      },
      routes: [{ name: 'all', upstream: 'app', retries: { hedge: { after: '60ms' } } }],
      timeouts: { connect: '10s' },
    });
    for (let i = 0; i < 2; i++) expect((await answer(rig.client(port).send(get()))).body).toBe('quick');
    expect(
      plane
        .upstreams()[0]!
        .endpoints.map(({ open }) => open)
        .sort(),
    ).toEqual([0, 1]);
  });
});
