/** Retries that a route asks for: how many, after what, how long apart, and who pays for them. */
import { describe, expect, it } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import { ForwardClock, forwarded, MINUTE_MS, STANDING } from '../support/forward-clock.ts';
import { field } from '../support/message.ts';
import { answer, get, ok, post, type Received, type Upstream, useRig } from '../support/rig.ts';
import { CANDIDATE, twoArms } from '../support/two-arms.ts';

const rig = useRig();

/** No other time is up first. */
const PATIENT = { timeouts: { firstByte: '0', stall: '0', idle: '9h' } };

const SOON = { base: '1ms', max: '1ms' };

/** A plane whose one route has these retries; nothing is put aside, so that both endpoints are asked. */
function plane(
  endpoints: readonly string[],
  retries: object | false | undefined,
  settings: object = {},
  clock?: Clock,
) {
  const config = {
    routes: [{ name: 'all', upstream: 'app', ...(retries === undefined ? {} : { retries }) }],
    upstreams: { app: { endpoints, balance: 'roundRobin', outlier: false } },
    ...settings,
  };
  return rig.plane(endpoints, config, clock);
}

/** Answers with each of `answers` in turn, and with the last of them from then on. */
function scripted(answers: readonly (string | ((request: Received) => void))[]): Promise<Upstream> {
  let at = 0;
  return rig.upstream((request) => {
    const next = answers[Math.min(at++, answers.length - 1)]!;
    if (typeof next === 'string') request.socket.write(next);
    else next(request);
  });
}

const status = (code: number, fields = '') => `HTTP/1.1 ${code} No\r\n${fields}content-length: 2\r\n\r\nno`;

describe('a status that is listed', () => {
  it('is followed by another attempt, as often as is said', async () => {
    const upstream = await scripted([status(503), status(503), ok('third')]);
    const { port, access } = await plane([upstream.endpoint], { attempts: 3, backOff: SOON });
    expect((await answer(rig.client(port).send(get()))).body).toBe('third');
    expect(access).toMatchObject([{ status: 200, retries: 2, outcome: 'ok' }]);
    // Both answers came whole, so it is one connection.
    expect(upstream.sockets).toHaveLength(1);
    expect(upstream.requests.map((request) => field(request, 'x-request-id'))).toEqual(
      Array<string | null>(3).fill(field(upstream.requests[0]!, 'x-request-id')),
    );
  });

  it('is passed on when there is no attempt left', async () => {
    const upstream = await scripted([status(503)]);
    const { port, access } = await plane([upstream.endpoint], { attempts: 3, backOff: SOON });
    const got = await answer(rig.client(port).send(get()));
    expect([got.status, got.body]).toEqual([503, 'no']);
    expect(upstream.requests).toHaveLength(3);
    expect(access).toMatchObject([{ status: 503, retries: 2, outcome: 'failure' }]);
  });

  it.each([
    ['POST', post('x'), 503],
    ['a status that is not listed', get('/500'), 500],
  ])('is the only one that is: not after %s', async (_, request, code) => {
    const upstream = await scripted([status(code), ok()]);
    const { port } = await plane([upstream.endpoint], { attempts: 3, backOff: SOON });
    expect((await answer(rig.client(port).send(request))).status).toBe(code);
    expect(upstream.requests).toHaveLength(1);
  });

  it('sends a body again that was kept', async () => {
    const upstream = await scripted([status(503), ({ socket, body }) => socket.write(ok(body))]);
    const { port } = await plane([upstream.endpoint], { backOff: SOON });
    expect((await answer(rig.client(port).send(post('hello', '', 'PUT')))).body).toBe('hello');
  });
});

describe('an attempt that is late', () => {
  it('is given up after perTry, and another endpoint is asked', async () => {
    const slow = await rig.upstream(() => {});
    const quick = await rig.upstream(({ socket }) => socket.write(ok('quick')));
    const clock = new ForwardClock();
    const retries = { perTry: '1h', backOff: SOON };
    const proxy = await plane([slow.endpoint, quick.endpoint], retries, PATIENT, clock);
    const { port, access } = proxy;
    let givenUp = 0;
    for (let i = 0; i < 2; i++) {
      const client = rig.client(port).send(get());
      await expect
        .poll(() => client.text !== '' || slow.requests.length > givenUp, { interval: 5 })
        .toBe(true);
      if (slow.requests.length > givenUp) {
        givenUp++;
        await forwarded(proxy, clock, 60 * MINUTE_MS);
      }
      expect((await answer(client)).body).toBe('quick');
    }
    expect(givenUp).toBe(1);
    await slow.left(0);
    expect(access.reduce((sum, { retries }) => sum + retries, 0)).toBe(1);
  });

  it('was not late while its body was coming', async () => {
    const upstream = await rig.upstream(({ socket, body }) => socket.write(ok(body)));
    const clock = new ForwardClock();
    const proxy = await plane([upstream.endpoint], { perTry: '1h' }, PATIENT, clock);
    const { port, access } = proxy;
    const client = rig.client(port);
    client.send('PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello');
    await upstream.until(() => upstream.pending[0]?.endsWith('hello') ?? false);
    await forwarded(proxy, clock, 120 * MINUTE_MS);
    expect((await answer(client.send('world'))).body).toBe('helloworld');
    expect(access).toMatchObject([{ retries: 0 }]);
  });

  it('is the last one when the whole request has no more time', async () => {
    const slow = await rig.upstream(() => {});
    const clock = new ForwardClock();
    const proxy = await plane(
      [slow.endpoint],
      { attempts: 10, perTry: '1h', backOff: SOON },
      { timeouts: { ...PATIENT.timeouts, request: '110m' } },
      clock,
    );
    const { port, access } = proxy;
    const client = rig.client(port).send(get());
    await slow.request(0);
    await forwarded(proxy, clock, 60 * MINUTE_MS);
    await slow.request(1);
    await forwarded(proxy, clock, 50 * MINUTE_MS);
    const got = await answer(client);
    expect(got.problem?.code).toBe('request_timeout');
    expect(access[0]!.retries).toBe(1);
  });
});

describe('Retry-After', () => {
  it('is how long the next attempt waits', async () => {
    const upstream = await scripted([status(503, 'retry-after: 1\r\n'), ok('again')]);
    const { port, access } = await plane([upstream.endpoint], { backOff: SOON });
    expect((await answer(rig.client(port).send(get()))).body).toBe('again');
    expect(access[0]!.durationMs).toBeGreaterThanOrEqual(990);
  });

  it.each([
    ['more than anyone waits', '60', {}],
    ['more than the request has', '1', { timeouts: { request: '900ms' } }],
    ['a date in the next year', new Date(Date.now() + 366 * 86_400_000).toUTCString(), {}],
  ])('of %s sends the answer on', async (_, value, settings) => {
    const upstream = await scripted([status(503, `retry-after: ${value}\r\n`), ok('again')]);
    const { port } = await plane([upstream.endpoint], { backOff: SOON }, settings, STANDING);
    const got = await answer(rig.client(port).send(get()));
    expect([got.status, field(got, 'retry-after')]).toEqual([503, value]);
    expect(upstream.requests).toHaveLength(1);
  });

  it.each(['soon', '-1', 'Thu, 01 Jan 1970 00:00:00 GMT'])('of %j asks for nothing', async (value) => {
    const upstream = await scripted([status(503, `retry-after: ${value}\r\n`), ok('again')]);
    const { port } = await plane([upstream.endpoint], { backOff: SOON });
    expect((await answer(rig.client(port).send(get()))).body).toBe('again');
  });
});

describe('a client that leaves while an attempt is put off', () => {
  it('takes the attempt with it', async () => {
    const asking = status(503, 'retry-after: 1\r\n');
    const upstream = await scripted([asking, asking, ok('again')]);
    const proxy = await plane([upstream.endpoint], { backOff: SOON });
    const client = rig.client(proxy.port).send(get('/gone'));
    await upstream.request(0);
    client.socket.resetAndDestroy();
    await expect.poll(() => proxy.access.length, { interval: 5 }).toBe(1);
    expect(proxy.access).toMatchObject([{ code: 'client_aborted' }]);
    // What was put off before would have come before.
    expect((await answer(rig.client(proxy.port).send(get('/stays')))).body).toBe('again');
    expect(upstream.requests.map(({ startLine }) => startLine.split(' ')[1])).toEqual([
      '/gone',
      '/stays',
      '/stays',
    ]);
  });

  it('and a request behind it waits for its turn', async () => {
    const upstream = await scripted([status(503, 'retry-after: 1\r\n'), ok('first'), ok('second')]);
    const { port } = await plane([upstream.endpoint], { backOff: SOON });
    const client = rig.client(port).send(get('/1') + get('/2'));
    expect((await answer(client)).body).toBe('first');
    expect((await answer(client)).body).toBe('second');
  });
});

describe('without a word about retries', () => {
  it('a 503 and a late answer are what they are', async () => {
    const upstream = await scripted([status(503), () => {}]);
    const clock = new ForwardClock();
    const timeouts = { firstByte: '1h' };
    const proxy = await plane([upstream.endpoint], undefined, { timeouts }, clock);
    const client = rig.client(proxy.port);
    expect((await answer(client.send(get()))).status).toBe(503);
    client.send(get());
    await upstream.request(1);
    await forwarded(proxy, clock, 60 * MINUTE_MS);
    expect((await answer(client)).problem?.code).toBe('upstream_first_byte_timeout');
    expect(upstream.requests).toHaveLength(2);
  });
});

describe('retries: false', () => {
  it('leaves even a dead pooled connection as it is', async () => {
    const upstream = await scripted([ok('warm'), ({ socket }) => socket.destroy(), ok()]);
    const { port } = await plane([upstream.endpoint], false);
    const client = rig.client(port);
    await answer(client.send(get()));
    expect((await answer(client.send(get()))).problem?.code).toBe('upstream_reset');
    expect(upstream.requests).toHaveLength(2);
  });
});

describe('the budget', () => {
  it('ends the retries of an upstream that always fails, and says so', async () => {
    const upstream = await scripted([status(503)]);
    const proxy = await plane(
      [upstream.endpoint],
      { backOff: SOON },
      { retryBudget: { ratio: '20%', minPerSecond: 1 } },
    );
    const client = rig.client(proxy.port);
    for (let i = 0; i < 100; i++) await answer(client.send(get()));
    // One a second over ten seconds, and every fifth.
    const retries = upstream.requests.length - 100;
    expect(retries).toBeGreaterThanOrEqual(30);
    expect(retries).toBeLessThanOrEqual(32);
    expect(await proxy.plane.metrics.render()).toContain(
      `fairlead_recoveries_refused_total{route="all",kind="retry"} ${100 - retries}`,
    );
  });

  it('of control is not spent by a bad candidate', async () => {
    const control = await scripted([status(503), ok('control')]);
    const candidate = await scripted([status(503)]);
    const { port } = await rig.plane([], {
      upstreams: { v1: control.endpoint, v2: candidate.endpoint },
      routes: [
        { name: 'api', upstream: 'v1', experiments: ['x'], retries: { backOff: SOON }, failover: false },
      ],
      experiments: {
        x: {
          variants: { control: {}, candidate: { weight: '50%', upstream: 'v2' } },
          breaker: { minimumRequests: 1000 },
        },
      },
      retryBudget: { ratio: '0%', minPerSecond: 1 },
    });
    const client = rig.client(port);
    for (let i = 0; i < 20; i++) await answer(client.send(get('/', CANDIDATE)));
    expect(candidate.requests).toHaveLength(30);
    expect((await answer(client.send(get('/', 'x-experiment-override: never\r\n')))).body).toBe('control');
    expect(control.requests).toHaveLength(2);
  });

  it('of a candidate that is used up leaves the way to control', async () => {
    const arms = await twoArms(rig, 503, {
      route: { retries: { attempts: 3, backOff: SOON } },
      config: { retryBudget: { ratio: '0%', minPerSecond: 0 } },
    });
    const client = rig.client(arms.port);
    for (let i = 0; i < 5; i++) expect((await answer(client.send(get('/', CANDIDATE)))).body).toBe('control');
    expect(arms.candidate.requests).toHaveLength(5);
  });
});

describe('retries and failover together', () => {
  it('ask the candidate as often as is said, and then control', async () => {
    const arms = await twoArms(rig, 503, { route: { retries: { attempts: 3, backOff: SOON } } });
    expect((await answer(rig.client(arms.port).send(get('/', CANDIDATE)))).body).toBe('control');
    expect(arms.candidate.requests).toHaveLength(3);
    expect(arms.access).toMatchObject([{ retries: 3, experiments: [{ reason: 'failover' }] }]);
  });

  it('ask control as often as that as well', async () => {
    const arms = await twoArms(rig, 503, {
      route: { retries: { attempts: 2, backOff: SOON } },
    });
    let asked = 0;
    const failing = await rig.upstream(({ socket }) =>
      socket.write(asked++ === 0 ? status(503) : ok('good')),
    );
    arms.reload(
      JSON.stringify({
        version: 1,
        upstreams: { v1: failing.endpoint, v2: arms.candidate.endpoint },
        routes: [
          { name: 'api', upstream: 'v1', experiments: ['ranking'], retries: { attempts: 2, backOff: SOON } },
        ],
        experiments: {
          ranking: { variants: { control: {}, candidate: { weight: '50%', upstream: 'v2' } } },
        },
      }),
    );
    expect((await answer(rig.client(arms.port).send(get('/', CANDIDATE)))).body).toBe('good');
    expect([arms.candidate.requests.length, failing.requests.length]).toEqual([2, 2]);
  });

  it('leave the candidate when its time is over, however many attempts are left', async () => {
    const arms = await twoArms(rig, 'hang', {
      route: { retries: { attempts: 10, perTry: '100ms', backOff: SOON }, failover: { after: '250ms' } },
    });
    expect((await answer(rig.client(arms.port).send(get('/', CANDIDATE)))).body).toBe('control');
    expect(arms.candidate.requests.length).toBeLessThanOrEqual(4);
  });
});
