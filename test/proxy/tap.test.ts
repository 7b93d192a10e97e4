/** Single requests as they end, on a data plane with real sockets: which are shown, and what is said of them. */
import { afterEach, describe, expect, it } from 'vitest';
import { openTap } from '../../src/proxy/taps.ts';
import type { OpenTap, TapQuery, TapRecord } from '../../src/telemetry/tap.ts';
import type { TestPlane } from '../support/plane.ts';
import { answer, get, ok, useRig } from '../support/rig.ts';

const rig = useRig();
const ALL: TapQuery = {
  experiment: null,
  variant: null,
  route: null,
  outcome: null,
  status: null,
  rate: 100,
};
const SETTINGS = {
  routes: [
    { name: 'api', match: { path: '/api/*' }, upstream: 'app', experiments: ['checkout'] },
    { name: 'rest', match: { path: '/*' }, upstream: 'app' },
  ],
  experiments: {
    checkout: {
      unit: [{ header: 'x-user-id' }],
      variants: { control: {}, candidate: { weight: '0%' } },
    },
  },
};

const taps: OpenTap[] = [];
afterEach(() => {
  for (const tap of taps.splice(0)) tap.close();
});

/** A plane whose upstream answers `/…/STATUS` with that, and what taps on it have shown. */
async function start() {
  const upstream = await rig.upstream(({ socket, startLine }) => {
    const status = /\/(\d{3}) /.exec(startLine)?.[1] ?? '200';
    socket.write(ok().replace('200 OK', `${status} ?`));
  });
  const plane = await rig.plane([upstream.endpoint], SETTINGS);
  const client = rig.client(plane.port);
  const ask = async (path: string, fields = '') => {
    client.send(get(path, fields));
    return (await answer(client)).status;
  };
  return { plane, ask, endpoint: upstream.endpoint };
}

function tapOf({ plane }: TestPlane, query: Partial<TapQuery> = {}): { shown: TapRecord[]; tap: OpenTap } {
  const shown: TapRecord[] = [];
  const tap = openTap(plane, { ...ALL, ...query }, (record) => shown.push(record));
  taps.push(tap);
  return { shown, tap };
}

const candidate = 'x-experiment-override: checkout=candidate\r\n';

describe('a tap', () => {
  it('shows of a request what the access log has, without ids, paths and values', async () => {
    const { plane, ask, endpoint } = await start();
    const { shown } = tapOf(plane);
    expect(await ask('/api/secret-path/503', `x-user-id: u-1\r\n${candidate}`)).toBe(503);
    expect(shown).toEqual([
      {
        at: expect.stringMatching(/^\d{4}-.*Z$/),
        method: 'GET',
        route: 'api',
        status: 503,
        durationMs: expect.any(Number),
        upstreamMs: expect.any(Number),
        outcome: 'failure',
        upstream: `app/${endpoint}`,
        code: null,
        retries: expect.any(Number),
        experiments: [{ name: 'checkout', assigned: 'candidate', served: 'candidate', reason: 'override' }],
      },
    ]);
    const [logged] = plane.access;
    expect(shown[0]).toMatchObject({ status: logged!.status, retries: logged!.retries });
    expect(shown[0]!.durationMs).toBeCloseTo(logged!.durationMs, 2);
    expect(JSON.stringify(shown)).not.toMatch(/secret|u-1/);
  });

  it.each<[string, Partial<TapQuery>, string[]]>([
    ['of a route', { route: 'rest' }, ['rest 200', 'rest 404']],
    ['of an experiment', { experiment: 'checkout' }, ['api 200', 'api 500', 'api 200']],
    ['of a variant', { variant: 'candidate' }, ['api 200', 'api 500']],
    ['of the other variant', { experiment: 'checkout', variant: 'control' }, ['api 200']],
    ['that failed', { outcome: 'failure' }, ['api 500']],
    ['with a status', { status: { from: 404, to: 404 } }, ['rest 404']],
    ['with one of a class', { status: { from: 400, to: 499 } }, ['rest 404']],
    ['that are all of it', { route: 'api', outcome: 'ok', variant: 'candidate' }, ['api 200']],
    ['that are not there', { route: 'rest', outcome: 'failure' }, []],
  ])('shows those %s', async (_, query, expected) => {
    const { plane, ask } = await start();
    const { shown } = tapOf(plane, query);
    await ask('/api/200', candidate);
    await ask('/api/500', candidate);
    await ask('/api/200', 'x-user-id: u-2\r\n');
    await ask('/200');
    await ask('/404');
    expect(shown.map(({ route, status }) => `${route} ${status}`)).toEqual(expected);
  });

  it('shows a request that no route matched, and its code', async () => {
    const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
    const plane = await rig.plane([upstream.endpoint], {
      routes: [{ name: 'api', match: { path: '/api/*' }, upstream: 'app' }],
    });
    const { shown } = tapOf(plane);
    const client = rig.client(plane.port);
    client.send(get('/elsewhere'));
    expect((await answer(client)).status).toBe(404);
    expect(shown).toMatchObject([
      { route: '', status: 404, upstream: '', upstreamMs: null, code: 'route_not_found', experiments: [] },
    ]);
  });

  it('shows no more than its rate, and counts the others; what it does not want is none of them', async () => {
    const { plane, ask } = await start();
    const { shown, tap } = tapOf(plane, { route: 'api', rate: 1 });
    const second = tapOf(plane, { route: 'rest' });
    const beganMs = performance.now();
    for (let i = 0; i < 10; i++) await ask('/api/200');
    await ask('/200');
    const seconds = Math.floor((performance.now() - beganMs) / 1000);
    expect(shown.length).toBeLessThanOrEqual(1 + seconds);
    expect(tap.takeDropped()).toBe(10 - shown.length);
    expect(tap.takeDropped()).toBe(0);
    expect([second.shown.length, second.tap.takeDropped()]).toEqual([1, 0]);
  });

  it('is nothing for a request when it is closed', async () => {
    const { plane, ask } = await start();
    expect(plane.plane.taps).toBeNull();
    const [first, second] = [tapOf(plane), tapOf(plane)];
    await ask('/200');
    first.tap.close();
    first.tap.close();
    await ask('/200');
    expect([first.shown.length, second.shown.length]).toEqual([1, 2]);
    second.tap.close();
    expect(plane.plane.taps).toBeNull();
    await ask('/200');
    expect(second.shown).toHaveLength(2);
  });
});
