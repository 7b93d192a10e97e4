/** Rate limits over real sockets: of a route, of a unit, of a variant. */
import { describe, expect, it } from 'vitest';
import { field } from '../support/message.ts';
import { type Answer, answer, configOf, get, ok, useRig } from '../support/rig.ts';

const rig = useRig();

/** So slow that no token comes in while a test runs. */
const TWO = { rate: '1/h', burst: 2 };

async function upstreams() {
  const control = await rig.upstream(({ socket }) => socket.write(ok('control')));
  const candidate = await rig.upstream(({ socket }) => socket.write(ok('candidate')));
  return { control, candidate };
}

async function route(settings: object, more: object = {}) {
  const { control } = await upstreams();
  return rig.plane([control.endpoint], { routes: [{ name: 'all', upstream: 'app', ...settings }], ...more });
}

async function statuses(port: number, requests: readonly string[]): Promise<number[]> {
  const client = rig.client(port);
  const got: number[] = [];
  for (const request of requests) got.push((await answer(client.send(request))).status);
  return got;
}

describe('a route with a rate limit', () => {
  it('takes its burst, and answers 429 with the time until there is room again', async () => {
    const proxy = await route({ rateLimit: TWO });
    expect(await statuses(proxy.port, [get(), get()])).toEqual([200, 200]);
    const client = rig.client(proxy.port);
    const got: Answer = await answer(client.send(get()));
    expect([got.status, got.problem?.code, got.problem?.side]).toEqual([429, 'rate_limited', 'downstream']);
    expect(Number(field(got, 'retry-after'))).toBeGreaterThan(3500);
    expect(Number(field(got, 'retry-after'))).toBeLessThanOrEqual(3600);
    // The connection is good for another request.
    expect((await answer(client.send(get()))).status).toBe(429);
    expect(proxy.plane.limits.view().rateLimits).toEqual([
      { scope: 'route', name: 'all', perSecond: 1 / 3600, burst: 2, isByUnit: false, limited: 2 },
    ]);
    expect(proxy.access.at(-1)).toMatchObject({ status: 429, code: 'rate_limited', outcome: 'ignored' });
  });

  it('has room again when time has passed', async () => {
    const proxy = await route({ rateLimit: { rate: '50/s', burst: 1 } });
    const client = rig.client(proxy.port);
    expect((await answer(client.send(get()))).status).toBe(200);
    await expect.poll(async () => (await answer(client.send(get()))).status).toBe(200);
  });

  it('counts each unit by itself, and those without one together', async () => {
    const proxy = await route({ rateLimit: { ...TWO, by: [{ header: 'x-api-key' }, { cookie: 'sid' }] } });
    const from = (line: string) => get('/', line);
    expect(await statuses(proxy.port, Array(3).fill(from('x-api-key: a\r\n')))).toEqual([200, 200, 429]);
    expect(await statuses(proxy.port, Array(3).fill(from('Cookie: sid=b\r\n')))).toEqual([200, 200, 429]);
    expect(await statuses(proxy.port, [get(), get(), get()])).toEqual([200, 200, 429]);
    // Nothing on record says who it was.
    expect(JSON.stringify(proxy.access)).not.toContain('sid=b');
  });

  it('knows the clients by their addresses, also where there is no experiment', async () => {
    const proxy = await route({ rateLimit: { ...TWO, by: { clientAddress: true } } });
    expect(await statuses(proxy.port, [get(), get(), get()])).toEqual([200, 200, 429]);
  });

  it('takes the unit of its first experiment, whatever variant that has', async () => {
    const proxy = await route(
      { rateLimit: { ...TWO, by: 'unit' }, experiments: ['ranking'] },
      { experiments: { ranking: { variants: { control: {}, candidate: { weight: '50%' } } } } },
    );
    const from = (user: string, override = '') => get('/', `x-user-id: ${user}\r\n${override}`);
    const forced = from('u-1', 'x-experiment-override: ranking=candidate\r\n');
    expect(await statuses(proxy.port, [from('u-1'), forced, from('u-1'), from('u-2')])).toEqual([
      200, 200, 429, 200,
    ]);
  });

  it('says no before it decides anything: no assignment, no exposure, nothing sent', async () => {
    const { control } = await upstreams();
    const proxy = await rig.plane([control.endpoint], {
      routes: [{ name: 'all', upstream: 'app', experiments: ['ranking'], rateLimit: { rate: '1/h' } }],
      experiments: { ranking: { variants: { control: {}, candidate: { weight: '50%' } } } },
    });
    expect(await statuses(proxy.port, Array(3).fill(get('/', 'x-user-id: u-1\r\n')))).toEqual([
      200, 429, 429,
    ]);
    expect([control.requests.length, proxy.exposures.length]).toEqual([1, 1]);
  });

  it('keeps what it has counted over a reload', async () => {
    const { control } = await upstreams();
    const settings = (rateLimit: object) => ({ routes: [{ name: 'all', upstream: 'app', rateLimit }] });
    const proxy = await rig.plane([control.endpoint], settings(TWO));
    expect(await statuses(proxy.port, [get(), get()])).toEqual([200, 200]);
    proxy.reload(configOf([control.endpoint], settings({ ...TWO, burst: 3 })));
    expect(await statuses(proxy.port, [get()])).toEqual([429]);
    proxy.reload(configOf([control.endpoint], { routes: [{ name: 'all', upstream: 'app' }] }));
    expect(await statuses(proxy.port, [get()])).toEqual([200]);
  });

  it('refuses a request with a body without waiting for the body', async () => {
    const proxy = await route({ rateLimit: { rate: '1/h' } });
    await statuses(proxy.port, [get()]);
    const client = rig.client(proxy.port);
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nxxx');
    const got = await answer(client);
    expect([got.status, field(got, 'connection')]).toEqual([429, 'close']);
  });
});

describe('a variant with a rate limit', () => {
  async function world(rateLimit: object, ofControl?: object) {
    const { control, candidate } = await upstreams();
    return rig.plane([], {
      upstreams: { app: control.endpoint, next: candidate.endpoint },
      routes: [{ name: 'all', upstream: 'app', experiments: ['ranking'] }],
      experiments: {
        ranking: {
          variants: {
            control: { weight: '0%', ...(ofControl === undefined ? {} : { rateLimit: ofControl }) },
            candidate: { weight: '100%', upstream: 'next', rateLimit },
          },
        },
      },
    });
  }

  async function bodies(port: number, users: readonly string[]): Promise<string[]> {
    const client = rig.client(port);
    const got: string[] = [];
    for (const user of users) {
      const { status, body } = await answer(client.send(get('/', `x-user-id: ${user}\r\n`)));
      got.push(status === 200 ? body : String(status));
    }
    return got;
  }

  it('serves the fallback with what is beyond it', async () => {
    const proxy = await world(TWO);
    expect(await bodies(proxy.port, ['a', 'b', 'c'])).toEqual(['candidate', 'candidate', 'control']);
    expect(proxy.access[2]!.experiments[0]).toMatchObject({
      assigned: 'candidate',
      served: 'control',
      reason: 'rate-limit',
    });
    expect(proxy.plane.metrics.fallbacks('ranking', 'rate-limit').value).toBe(1);
  });

  it('refuses it instead when it says so', async () => {
    const proxy = await world({ ...TWO, over: 'refuse' });
    expect(await bodies(proxy.port, ['a', 'b', 'c'])).toEqual(['candidate', 'candidate', '429']);
    expect(proxy.plane.breakers().map(({ inFlight }) => inFlight)).toEqual([0, 0]);
  });

  it('refuses what the fallback has no room for either', async () => {
    const proxy = await world(TWO, { rate: '1/h' });
    expect(await bodies(proxy.port, ['a', 'b', 'c', 'd'])).toEqual([
      'candidate',
      'candidate',
      'control',
      '429',
    ]);
  });

  it('counts each unit by itself', async () => {
    const proxy = await world({ rate: '1/h', by: 'unit' });
    expect(await bodies(proxy.port, ['a', 'a', 'b', 'b'])).toEqual([
      'candidate',
      'control',
      'candidate',
      'control',
    ]);
  });
});
