/** A candidate that fails, and the client that is served by control all the same: seen from all three ends. */
import { describe, expect, it } from 'vitest';
import { deafEndpoint } from '../support/deaf.ts';
import { forwardPlane, MINUTE_MS } from '../support/forward-clock.ts';
import { field } from '../support/message.ts';
import { answer, get, ok, post, useRig } from '../support/rig.ts';
import { CANDIDATE, type Mood, twoArms } from '../support/two-arms.ts';

const rig = useRig();

/** Long enough for a loaded machine to answer, and short enough to wait for. */
const AFTER = { failover: { after: '150ms' } };

const FAILURES: readonly (readonly [string, Mood])[] = [
  ['cannot be connected', 'refuse'],
  ['resets', 'reset'],
  ['closes without a word', 'end'],
  ['does not answer in time', 'hang'],
  ['answers with something that is no HTTP', 'garbage'],
  ['breaks off in its head', 'half-head'],
  ['answers 502', 502],
  ['answers 503', 503],
];

const CHUNKED = 'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n';

const IDEMPOTENT: readonly (readonly [string, string, string])[] = [
  ['GET', get('/', CANDIDATE), 'control'],
  ['HEAD', `HEAD / HTTP/1.1\r\nHost: a\r\n${CANDIDATE}\r\n`, ''],
  ['DELETE', `DELETE / HTTP/1.1\r\nHost: a\r\n${CANDIDATE}\r\n`, 'control'],
  ['PUT with a body', post('hello', CANDIDATE, 'PUT'), 'controlhello'],
  ['PUT with a chunked body', `PUT / HTTP/1.1\r\nHost: a\r\n${CANDIDATE}${CHUNKED}`, 'controlabcde'],
];

describe.each(FAILURES)('a candidate that %s', (_, mood) => {
  it.each(IDEMPOTENT)('costs a %s nothing: control serves it', async (what, request, body) => {
    const arms = await twoArms(rig, mood, { route: AFTER });
    const client = rig.client(arms.port);
    const got = await answer(client.send(request), { isBodiless: what === 'HEAD' });
    expect([got.status, got.body, field(got, 'connection')]).toEqual([200, body, null]);
    expect(arms.control.requests).toHaveLength(1);
    expect(arms.access[0]).toMatchObject({
      status: 200,
      code: null,
      outcome: 'ok',
      experiments: [{ name: 'ranking', assigned: 'candidate', served: 'control', reason: 'failover' }],
      recoveredFrom: expect.stringMatching(
        /^(50[23]|upstream_(connect_failed|reset|malformed|\w+_timeout))$/,
      ),
    });
    expect(arms.access[0]!.upstream).toMatch(/^v1\//);
    expect(arms.exposures).toMatchObject([{ assigned: 'candidate', served: 'control' }]);
    // The connection to the client goes on.
    arms.mood = 'ok';
    expect((await answer(client.send(get('/', 'x-experiment-override: never\r\n')))).body).toBe('control');
    await expect.poll(() => arms.access[1]).toMatchObject({ retries: 0, recoveredFrom: '' });
  });
});

describe('a request that may not be done twice', () => {
  it.each(FAILURES.filter(([, mood]) => mood !== 'refuse'))(
    'is not sent to control when the candidate got it and %s',
    async (_, mood) => {
      const arms = await twoArms(rig, mood, {
        route: { failover: { after: '30m' } },
        config: { timeouts: { firstByte: '1h' } },
      });
      const client = rig.client(arms.port).send(post('hello', CANDIDATE));
      if (mood === 'hang') {
        await arms.candidate.request(0);
        await arms.forward(30 * MINUTE_MS);
        await arms.forward(30 * MINUTE_MS);
      }
      const got = await answer(client);
      expect(got.status).toBeGreaterThanOrEqual(502);
      expect(arms.control.requests).toHaveLength(0);
      expect(arms.access[0]).toMatchObject({
        experiments: [{ assigned: 'candidate', served: 'candidate', reason: 'override' }],
      });
    },
  );

  it('is served by control when the candidate could not be connected', async () => {
    const arms = await twoArms(rig, 'refuse');
    const body = 'x'.repeat(300_000);
    const got = await answer(rig.client(arms.port).send(post(body, CANDIDATE)));
    expect([got.status, got.body.length]).toEqual([200, 'control'.length + body.length]);
    expect(arms.control.requests).toHaveLength(1);
  });

  it('is served by control when the candidate could not be connected and the body is still to come', async () => {
    const arms = await twoArms(rig, 'refuse');
    const client = rig.client(arms.port);
    client.send(`POST / HTTP/1.1\r\nHost: a\r\n${CANDIDATE}Content-Length: 10\r\n\r\nhello`);
    await arms.control.until(() => arms.control.pending[0]?.endsWith('hello') ?? false);
    expect((await answer(client.send('world'))).body).toBe('controlhelloworld');
  });
});

describe('a candidate that nobody can connect to in time', () => {
  it('costs even a POST nothing', async () => {
    const control = await rig.upstream(({ socket, body }) => socket.write(ok(`control${body}`)));
    const { port, plane, forward } = await forwardPlane(rig, [], {
      upstreams: { v1: control.endpoint, v2: await deafEndpoint(rig) },
      routes: [{ name: 'api', upstream: 'v1', experiments: ['ranking'], retries: false }],
      experiments: { ranking: { variants: { control: {}, candidate: { weight: '50%', upstream: 'v2' } } } },
      timeouts: { connect: '1h' },
    });
    const client = rig.client(port).send(post('hello', CANDIDATE));
    const isTrying = () => plane.upstreams().some(({ endpoints }) => endpoints[0]!.open > 0);
    await expect.poll(isTrying, { interval: 5 }).toBe(true);
    await forward(60 * MINUTE_MS);
    expect((await answer(client)).body).toBe('controlhello');
    expect(plane.breakers().find(({ name }) => name.endsWith('/candidate'))).toMatchObject({ failures: 1 });
  });
});

describe('the answer that nobody gets', () => {
  it('leaves its connection in the pool when it came whole', async () => {
    const arms = await twoArms(rig, 503);
    const client = rig.client(arms.port);
    for (let i = 0; i < 3; i++) expect((await answer(client.send(get('/', CANDIDATE)))).body).toBe('control');
    expect(arms.candidate.sockets).toHaveLength(1);
    expect(arms.candidate.requests).toHaveLength(3);
  });

  it('loses its connection when there is more of it to come', async () => {
    const arms = await twoArms(rig, 'hang', { config: { timeouts: { upstreamIdle: '1h' } } });
    const client = rig.client(arms.port);
    for (let i = 0; i < 2; i++) {
      client.send(get('/', CANDIDATE));
      await arms.candidate.request(i);
      arms.candidate.requests[i]!.socket.write('HTTP/1.1 503 No\r\ncontent-length: 100000\r\n\r\nx');
      expect((await answer(client)).body).toBe('control');
      // Well before it would be closed for being idle.
      await arms.candidate.until(() => arms.candidate.ended[i]! || arms.candidate.closed[i]!);
    }
    expect(arms.candidate.sockets).toHaveLength(2);
  });
});

describe('control', () => {
  it('is told the variant that was assigned, and the client and caches the one that served', async () => {
    const arms = await twoArms(rig, 'end', {
      route: { cache: { keyHint: 'x-cache-key-variant' } },
      config: { propagation: { responseVariant: true } },
    });
    const client = rig.client(arms.port);
    const got = await answer(client.send(get('/', `${CANDIDATE}x-experiment-explain: 1\r\n`)));
    expect(field(arms.candidate.requests[0]!, 'x-cache-key-variant')).toBe('ranking=candidate');
    const [seen] = arms.control.requests;
    expect(field(seen!, 'x-experiment')).toBe('ranking=candidate');
    expect(field(seen!, 'x-cache-key-variant')).toBe('ranking=control');
    expect(field(seen!, 'x-request-id')).toBe(field(arms.candidate.requests[0]!, 'x-request-id'));
    expect(field(got, 'x-fairlead-variant')).toBe('ranking=control');
    expect(field(got, 'x-cache-key-variant')).toBe('ranking=control');
    expect(field(got, 'x-experiment-reason')).toBe('ranking=override;served=control;cause=failover');
  });

  it('that fails as well is what the client hears of', async () => {
    const arms = await twoArms(rig, 'refuse');
    arms.control.stopListening();
    const got = await answer(rig.client(arms.port).send(get('/', CANDIDATE)));
    expect([got.status, got.problem?.code]).toEqual([502, 'upstream_connect_failed']);
    expect(arms.access[0]!.upstream).toMatch(/^v1\//);
  });

  it('whose breaker is open is not asked: the client gets the failure of the candidate', async () => {
    const arms = await twoArms(rig, 503);
    arms.plane.trip('api/ranking/control', 60_000, 'a test');
    const got = await answer(rig.client(arms.port).send(get('/', CANDIDATE)));
    expect([got.status, got.body]).toEqual([503, 'bad']);
    expect(arms.control.requests).toHaveLength(0);
    expect(arms.plane.inFlight()).toBe(0);
  });
});

describe('a candidate that is late', () => {
  /** It answers after its time is over, once that has been noticed. */
  const late = async (request: string, isControlOpen: boolean) => {
    const arms = await twoArms(rig, 'hang', {
      route: { failover: { after: '1h' } },
      config: { timeouts: { firstByte: '0' } },
    });
    if (isControlOpen) arms.plane.trip('api/ranking/control', 60_000, 'a test');
    const client = rig.client(arms.port).send(request);
    const { socket } = await arms.candidate.request(0);
    await arms.forward(60 * MINUTE_MS);
    socket.write(ok('candidate'));
    expect((await answer(client)).body).toBe('candidate');
    expect(arms.control.requests).toHaveLength(0);
    expect(arms.access).toMatchObject([{ outcome: 'ok', retries: 0 }]);
  };

  it('is waited for all the same by a request that may not be done twice', () =>
    late(post('hello', CANDIDATE), false));

  it('is waited for all the same when control would not serve', () => late(get('/', CANDIDATE), true));
});

describe('the breaker', () => {
  const QUICK = { breaker: { minimumRequests: 4, errorRate: '50%', window: '10s', openFor: '30s' } };

  it('of the candidate counts every failure that a client never saw, and opens', async () => {
    const arms = await twoArms(rig, 'end', { experiment: QUICK });
    const client = rig.client(arms.port);
    for (let i = 0; i < 6; i++) expect((await answer(client.send(get('/', CANDIDATE)))).status).toBe(200);
    expect(arms.candidate.requests).toHaveLength(4);
    expect(arms.transitions).toMatchObject([{ breaker: 'api/ranking/candidate', to: 'open' }]);
    expect(arms.access.map(({ experiments }) => experiments[0]!.reason)).toEqual([
      ...Array<string>(4).fill('failover'),
      'breaker',
      'breaker',
    ]);
  });

  it('of control counts its own calls, from when they were its own', async () => {
    const arms = await twoArms(rig, 'hang', {
      route: { failover: { after: '1h' } },
      config: { timeouts: { firstByte: '0' } },
      experiment: {
        breaker: { minimumRequests: 1, slow: { threshold: '50m', rate: '1%' } },
        variants: {
          control: { weight: '50%', breaker: { slow: { threshold: '50m', rate: '1%' } } },
          candidate: { weight: '50%', upstream: 'v2', breaker: { minimumRequests: 1000 } },
        },
      },
    });
    const client = rig.client(arms.port).send(get('/', CANDIDATE));
    await arms.candidate.request(0);
    await arms.forward(60 * MINUTE_MS);
    expect((await answer(client)).status).toBe(200);
    const [control, candidate] = ['control', 'candidate'].map(
      (variant) => arms.plane.breakers().find(({ name }) => name.endsWith(`/${variant}`))!,
    );
    expect(control).toMatchObject({ requests: 1, failures: 0, slow: 0, inFlight: 0 });
    expect(candidate).toMatchObject({ requests: 1, failures: 1, inFlight: 0 });
  });
});

describe('requests that hang when the breaker opens', () => {
  const SLOW = { breaker: { minimumRequests: 3, slow: { threshold: '100ms', rate: '50%' }, openFor: '30s' } };

  it('are served by control then, without any time being set', async () => {
    const arms = await twoArms(rig, 'hang', { experiment: SLOW });
    const clients = [0, 1, 2].map(() => rig.client(arms.port).send(get('/', CANDIDATE)));
    for (const client of clients) expect((await answer(client)).body).toBe('control');
    expect(arms.transitions).toMatchObject([{ breaker: 'api/ranking/candidate', to: 'open' }]);
    expect(arms.access.map(({ experiments }) => experiments[0]!.reason)).toEqual(
      Array<string>(3).fill('failover'),
    );
  });

  it('stay with the candidate if they may not be done twice', async () => {
    const arms = await twoArms(rig, 'hang', { experiment: SLOW });
    const clients = [0, 1, 2].map(() => rig.client(arms.port).send(post('x', CANDIDATE)));
    await expect.poll(() => arms.transitions.length, { interval: 5, timeout: 20_000 }).toBe(1);
    await arms.candidate.request(2);
    for (const { socket } of arms.candidate.requests) socket.write(ok('candidate'));
    for (const client of clients) expect((await answer(client)).body).toBe('candidate');
    expect(arms.control.requests).toHaveLength(0);
  });

  it('stay with the candidate as long as its breaker does not open', async () => {
    const arms = await twoArms(rig, 'hang', {
      experiment: { breaker: { ...SLOW.breaker, minimumRequests: 1000 } },
    });
    const client = rig.client(arms.port).send(get('/', CANDIDATE));
    const { socket } = await arms.candidate.request(0);
    setTimeout(() => socket.write(ok('candidate')), 400);
    expect((await answer(client)).body).toBe('candidate');
    expect(arms.control.requests).toHaveLength(0);
  });
});

describe('a route', () => {
  it('that wants none fails as its candidate does', async () => {
    const arms = await twoArms(rig, 503, { route: { failover: false } });
    expect((await answer(rig.client(arms.port).send(get('/', CANDIDATE)))).status).toBe(503);
    expect(arms.control.requests).toHaveLength(0);
  });

  it('that lists a status takes that one only', async () => {
    const arms = await twoArms(rig, 500, { route: { failover: { on: [500] } } });
    const client = rig.client(arms.port);
    expect((await answer(client.send(get('/', CANDIDATE)))).body).toBe('control');
    arms.mood = 503;
    expect((await answer(client.send(get('/', CANDIDATE)))).status).toBe(503);
  });

  it('that lists 5xx takes them all, and no 4xx', async () => {
    const arms = await twoArms(rig, 599, { route: { failover: { on: ['5xx'] } } });
    const client = rig.client(arms.port);
    expect((await answer(client.send(get('/', CANDIDATE)))).body).toBe('control');
    arms.mood = 404;
    expect((await answer(client.send(get('/', CANDIDATE)))).status).toBe(404);
  });

  it('whose variants share an upstream has nowhere to go', async () => {
    const arms = await twoArms(rig, 503, {
      route: { upstream: 'v2' },
      experiment: { variants: { control: { weight: '50%' }, candidate: { weight: '50%' } } },
    });
    expect((await answer(rig.client(arms.port).send(get('/', CANDIDATE)))).status).toBe(503);
    expect(arms.candidate.requests).toHaveLength(1);
  });

  it('with a budget lets no more fail over than that', async () => {
    const arms = await twoArms(rig, 503, { route: { failover: { budget: '10%' } } });
    const client = rig.client(arms.port);
    const statuses: number[] = [];
    for (let i = 0; i < 60; i++) statuses.push((await answer(client.send(get('/', CANDIDATE)))).status);
    // 3 a second over ten seconds, and a tenth of the requests.
    const served = statuses.filter((status) => status === 200).length;
    expect(served).toBeGreaterThanOrEqual(33);
    expect(served).toBeLessThanOrEqual(36);
    expect(await arms.plane.metrics.render()).toContain(
      `fairlead_recoveries_refused_total{route="api",kind="failover"} ${60 - served}`,
    );
  });

  it('counts the failed call where it went and the other where it was served', async () => {
    const arms = await twoArms(rig, 503);
    await answer(rig.client(arms.port).send(get('/', CANDIDATE)));
    const page = await arms.plane.metrics.render();
    const count = (labels: string, variant: string) =>
      expect(page).toMatch(
        new RegExp(`^fairlead_requests_total\\{${labels},.*,variant="${variant}"\\} 1$`, 'm'),
      );
    count('code_class="5xx",outcome="failure"', 'candidate');
    count('code_class="2xx",outcome="ok"', 'control');
    expect(page).toContain('fairlead_fallbacks_total{experiment="ranking",cause="failover"} 1');
    expect(page).toMatch(/fairlead_requests_in_flight\{[^}]*variant="candidate"\} 0/);
    expect(page).toMatch(/fairlead_requests_in_flight\{[^}]*variant="control"\} 0/);
  });
});

describe('a full candidate', () => {
  it('sends who finds no connection to control', async () => {
    const control = await rig.upstream(({ socket }) => socket.write(ok('control')));
    const candidate = await rig.upstream(() => {});
    const { port } = await rig.plane([], {
      upstreams: {
        v1: { endpoints: [control.endpoint] },
        v2: { endpoints: [candidate.endpoint], connectionsMax: 1 },
      },
      routes: [{ name: 'api', upstream: 'v1', experiments: ['ranking'] }],
      experiments: { ranking: { variants: { control: {}, candidate: { weight: '50%', upstream: 'v2' } } } },
    });
    rig.client(port).send(get('/', CANDIDATE));
    await candidate.request(0);
    expect((await answer(rig.client(port).send(post('hello', CANDIDATE)))).body).toBe('control');
  });
});

describe('a client', () => {
  it('that leaves while control is asked lets control go too', async () => {
    const control = await rig.upstream(() => {});
    const candidate = await rig.upstream(({ socket }) => socket.end());
    const { port, plane } = await rig.plane([], {
      upstreams: { v1: { endpoints: [control.endpoint] }, v2: { endpoints: [candidate.endpoint] } },
      routes: [{ name: 'api', upstream: 'v1', experiments: ['ranking'] }],
      experiments: { ranking: { variants: { control: {}, candidate: { weight: '50%', upstream: 'v2' } } } },
    });
    const client = rig.client(port).send(get('/', CANDIDATE));
    await control.request(0);
    client.close();
    await control.left(0);
    expect(plane.inFlight()).toBe(0);
  });

  it('that closed its sending side is served by control', async () => {
    const arms = await twoArms(rig, 'hang', { route: AFTER, config: { timeouts: { halfClosed: '1m' } } });
    const client = rig.client(arms.port).send(get('/', CANDIDATE));
    client.socket.end();
    expect((await answer(client)).body).toBe('control');
  });
});
