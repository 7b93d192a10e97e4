/** Active health checks with real sockets: who falls, who rises, and that requests go to the others meanwhile. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { blackHole } from '../support/black-hole.ts';
import type { TestPlane } from '../support/plane.ts';
import { get, ok, type Received, useRig } from '../support/rig.ts';
import { hasOpenssl, useCertificates } from '../support/tls.ts';

const rig = useRig();
const certificates = useCertificates();

/** Fast enough for a test, slow enough for a busy machine. */
const FAST = { interval: '50ms', timeout: '1s', rise: 2, fall: 2 };

/** An upstream whose answer to checks is a status that the test changes; requests get `name`. */
async function checked(name: string) {
  const state = { status: 200, checks: [] as Received[] };
  const upstream = await rig.upstream((request) => {
    if (!request.fields.some(([field, value]) => field === 'user-agent' && value === 'fairlead-health'))
      return void request.socket.write(ok(name));
    state.checks.push(request);
    if (state.status > 0)
      request.socket.write(`HTTP/1.1 ${state.status} Whatever\r\ncontent-length: 0\r\n\r\n`);
  });
  return { upstream, state };
}

const plane = (endpoints: readonly string[], health: object, more: object = {}): Promise<TestPlane> =>
  rig.plane([], { upstreams: { app: { endpoints, health, balance: 'roundRobin', ...more } } });

const healthy = (running: TestPlane) =>
  running.plane.upstreams()[0]!.endpoints.map(({ isHealthy }) => isHealthy);

const becomes = (running: TestPlane, expected: readonly boolean[]) =>
  expect.poll(() => healthy(running), { timeout: 15_000 }).toEqual(expected);

async function answers(running: TestPlane, count: number): Promise<string[]> {
  const client = rig.client(running.port);
  const bodies: string[] = [];
  for (let i = 0; i < count; i++) {
    const answer = await client.send(get('/')).response();
    bodies.push(answer.slice(answer.indexOf('\r\n\r\n') + 4));
  }
  return bodies;
}

describe('health checks', () => {
  test('take an endpoint out that fails them, and bring it back when it passes', async () => {
    const [one, two] = [await checked('one'), await checked('two')];
    const endpoints = [one.upstream.endpoint, two.upstream.endpoint];
    const running = await plane(endpoints, { http: { path: '/health' }, ...FAST });
    expect(healthy(running)).toEqual([true, true]);
    expect(new Set(await answers(running, 4))).toEqual(new Set(['one', 'two']));
    one.state.status = 503;
    await becomes(running, [false, true]);
    expect(new Set(await answers(running, 6))).toEqual(new Set(['two']));
    const reasons = () => running.plane.upstreams()[0]!.endpoints.map(({ reason }) => reason);
    expect(reasons()).toEqual([expect.stringContaining('health checks in a row failed'), '']);
    one.state.status = 204;
    await becomes(running, [true, true]);
    expect(new Set(await answers(running, 6))).toEqual(new Set(['one', 'two']));
  });

  test('are requests of their own, on connections of their own, that say what they are and carry nothing', async () => {
    const { upstream, state } = await checked('one');
    await plane([upstream.endpoint], { http: { path: '/up?deep=1', host: 'app.internal' }, ...FAST });
    await upstream.until(() => state.checks.length >= 2);
    const [first, second] = state.checks;
    expect(first!.startLine).toBe('GET /up?deep=1 HTTP/1.1');
    expect(first!.fields).toEqual([
      ['host', 'app.internal'],
      ['user-agent', 'fairlead-health'],
      ['accept', '*/*'],
      ['connection', 'close'],
    ]);
    expect(second!.connection).not.toBe(first!.connection);
    await upstream.left(first!.connection);
  });

  test('fail when nobody answers in time, and pass with the statuses that are listed', async () => {
    const [hung, odd] = [await checked('hung'), await checked('odd')];
    hung.state.status = 0;
    odd.state.status = 404;
    const http = { statuses: [404, '500-599'] };
    const endpoints = [hung.upstream.endpoint, odd.upstream.endpoint];
    const running = await plane(endpoints, { http, ...FAST, timeout: '100ms' });
    await becomes(running, [false, true]);
    // Checks that hang are given up: their connections are closed.
    await hung.upstream.until(() => hung.upstream.closed[0] === true || hung.upstream.ended[0] === true);
    hung.state.status = 500;
    await becomes(running, [true, true]);
  });

  test('without http are connections, at another port if that is said', async () => {
    const [traffic, admin] = [await checked('traffic'), await checked('admin')];
    const running = await plane([traffic.upstream.endpoint], { port: admin.upstream.port, ...FAST });
    await admin.upstream.until(() => admin.upstream.sockets.length >= 2);
    expect(traffic.upstream.sockets).toHaveLength(0);
    admin.upstream.close();
    await becomes(running, [false]);
    // One that should not be used is better than none.
    expect(await answers(running, 1)).toEqual(['traffic']);
  });

  test('of an address that does not answer do not hold up those of the others', async (context) => {
    const hole = await blackHole('127.0.0.1');
    if (hole === null) return context.skip('no black hole here');
    rig.also(() => hole.close());
    const { upstream, state } = await checked('one');
    const running = await plane([`127.0.0.1:${hole.port}`, upstream.endpoint], { http: {}, ...FAST });
    await becomes(running, [false, true]);
    expect(state.checks.length).toBeGreaterThan(1);
  });

  test('keep what they know over a reload, and end with the upstream that they are for', async () => {
    const [one, two] = [await checked('one'), await checked('two')];
    const app = { endpoints: [one.upstream.endpoint, two.upstream.endpoint], health: { http: {}, ...FAST } };
    const running = await rig.plane([], { upstreams: { app } });
    one.state.status = 500;
    await becomes(running, [false, true]);
    running.reload(JSON.stringify({ version: 1, upstreams: { app: { ...app, connectionsMax: 9 } } }));
    expect(healthy(running)).toEqual([false, true]);
    running.reload(JSON.stringify({ version: 1, upstreams: { app: { endpoints: app.endpoints } } }));
    expect(healthy(running)).toEqual([true, true]);
    expect(running.plane.health!.samples()).toEqual([]);
  });

  test('are counted, and shown on the metrics page', async () => {
    const { upstream, state } = await checked('one');
    state.status = 500;
    const running = await plane([upstream.endpoint], { http: {}, ...FAST });
    await becomes(running, [false]);
    const page = await running.plane.metrics.render();
    expect(page).toContain(`fairlead_endpoint_healthy{upstream="app",endpoint="${upstream.endpoint}"} 0`);
    expect(page).toMatch(/fairlead_health_checks_total\{upstream="app",result="failed"\} [1-9]/);
  });

  test('reach unix sockets', async () => {
    const running = await plane(['unix:/run/nobody/listens.sock'], FAST);
    await becomes(running, [false]);
  });
});

describe.skipIf(!hasOpenssl)('health checks of an upstream with TLS', () => {
  const serving = async () => {
    const { certificate, key } = certificates.server;
    const seen: (string | undefined)[] = [];
    const server = createServer(
      { cert: readFileSync(certificate), key: readFileSync(key) },
      (request, response) => {
        seen.push(request.headers['user-agent']);
        response.end();
      },
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    rig.also(() => server.close());
    return { seen, endpoint: `127.0.0.1:${(server.address() as AddressInfo).port}` };
  };

  test('make the handshake and ask over it', async () => {
    const { seen, endpoint } = await serving();
    const tls = { ca: certificates.authority.certificate };
    const running = await plane([endpoint], { http: {}, ...FAST }, { tls });
    await expect.poll(() => seen.length, { timeout: 15_000 }).toBeGreaterThan(1);
    expect(seen[0]).toBe('fairlead-health');
    expect(healthy(running)).toEqual([true]);
  });

  test('fail when the certificate is nobody that is trusted, even where a connection is enough', async () => {
    const { endpoint } = await serving();
    await becomes(await plane([endpoint], FAST, { tls: true }), [false]);
  });
});
