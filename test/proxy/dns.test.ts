/** Upstreams that are declared by name, behind a DNS server of the test: who gets the requests, and that none is lost. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import { blackHole } from '../support/black-hole.ts';
import { DnsServer } from '../support/dns.ts';
import { ForwardClock, MINUTE_MS } from '../support/forward-clock.ts';
import type { TestPlane } from '../support/plane.ts';
import { get, ok, type Received, Upstream, useRig } from '../support/rig.ts';
import { hasOpenssl, useCertificates } from '../support/tls.ts';

const rig = useRig();
const certificates = useCertificates();

async function dns(): Promise<DnsServer> {
  const server = await new DnsServer().listen();
  rig.also(() => server.close());
  return server;
}

const answerWith = (body: string) => (request: Received) => void request.socket.write(ok(body));

/** Upstreams on the same port of these addresses; each answers with its address. */
async function hosts<T extends readonly string[]>(
  ...addresses: T
): Promise<{ port: number; at: Upstream[] }> {
  const at: Upstream[] = [];
  for (const address of addresses) {
    const upstream = new Upstream(answerWith(address));
    rig.also(() => upstream.close());
    at.push(await upstream.listen(address, at[0]?.port ?? 0));
  }
  return { port: at[0]!.port, at };
}

/** A plane in front of the one upstream `app`. */
function planeOf(server: DnsServer, app: object, more: object = {}, clock?: Clock): Promise<TestPlane> {
  const settings = { dns: { servers: [server.address], minTtl: '50ms', ...more }, upstreams: { app } };
  return rig.plane([], settings, clock);
}

/** One request on a connection of its own; the body, or the status where it is not 200. */
async function ask(plane: TestPlane): Promise<string> {
  const client = rig.client(plane.port).send(get('/', 'connection: close\r\n'));
  const answer = await client.response();
  client.close();
  const status = answer.slice(9, 12);
  return status === '200' ? answer.slice(answer.indexOf('\r\n\r\n') + 4) : status;
}

async function askMany(plane: TestPlane, count: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < count; i++) {
    const answer = await ask(plane);
    counts[answer] = (counts[answer] ?? 0) + 1;
  }
  return counts;
}

/** On a busy machine everything takes longer. */
const eventually = <T>(read: () => T) => expect.poll(read, { timeout: 15_000 });

const isKnown = (plane: TestPlane) =>
  plane.plane.upstreams()[0]!.names.every(({ state }) => state === 'known');
const resolved = (plane: TestPlane) => eventually(() => isKnown(plane)).toBe(true);

describe('an upstream by name', () => {
  test('spreads its requests over all addresses of the name', async () => {
    const server = await dns();
    const { port } = await hosts('127.0.0.1', '127.0.0.2', '127.0.0.3');
    server.set('app.test', { A: ['127.0.0.1', '127.0.0.2', '127.0.0.3'] }, 60);
    const plane = await planeOf(server, { endpoints: [`app.test:${port}`], balance: 'roundRobin' });
    await resolved(plane);
    expect(await askMany(plane, 9)).toEqual({ '127.0.0.1': 3, '127.0.0.2': 3, '127.0.0.3': 3 });
    expect(server.count('A app.test')).toBe(1);
  });

  test('sends them elsewhere when its record says so, and no request fails for it', async () => {
    const server = await dns();
    const { port, at } = await hosts('127.0.0.1', '127.0.0.2');
    server.set('app.test', { A: ['127.0.0.1'] }, 0);
    const plane = await planeOf(server, { endpoints: [`app.test:${port}`] });
    await resolved(plane);
    const clients = Array.from({ length: 8 }, () => rig.client(plane.port));
    const isMoved = () => at[1]!.requests.length >= 50;
    let isChanged = false;
    const answers = await Promise.all(
      clients.map(async (client) => {
        const statuses = new Set<string>();
        while (!isMoved()) {
          statuses.add((await client.send(get('/')).response()).slice(9, 12));
          if (!isChanged && at[0]!.requests.length >= 50) {
            isChanged = true;
            server.set('app.test', { A: ['127.0.0.2'] }, 0);
          }
        }
        return [...statuses];
      }),
    );
    expect(answers).toEqual(clients.map(() => ['200']));
    // What was connected to the address of before is closed as it falls idle.
    await at[0]!.until(() => at[0]!.sockets.every((_, index) => at[0]!.ended[index] || at[0]!.closed[index]));
    expect(plane.plane.upstreams()[0]!.endpoints.map(({ id }) => id)).toEqual([`127.0.0.2:${port}`]);
  });

  test('finishes what is under way at an address that is gone', async () => {
    const server = await dns();
    const slow = await rig.upstream(() => {});
    server.set('app.test', { A: ['127.0.0.1'] }, 0);
    const plane = await planeOf(server, { endpoints: [`app.test:${slow.port}`] });
    await resolved(plane);
    const client = rig.client(plane.port).send(get('/'));
    const request = await slow.request();
    server.set('app.test', { A: ['127.0.0.9'] }, 0);
    await eventually(() => plane.plane.upstreams()[0]!.endpoints.map(({ id }) => id)).toEqual([
      `127.0.0.9:${slow.port}`,
    ]);
    request.socket.write(ok('late'));
    expect(await client.response()).toContain('late');
  });

  test('goes on with what it knows when DNS fails', async () => {
    const server = await dns();
    const { port } = await hosts('127.0.0.1');
    server.set('app.test', { A: ['127.0.0.1'] }, 0);
    const plane = await planeOf(server, { endpoints: [`app.test:${port}`] });
    await resolved(plane);
    server.fail('app.test', 'servfail');
    await eventually(() => plane.plane.upstreams()[0]!.names).toMatchObject([
      { state: 'stale', endpoints: 1 },
    ]);
    expect(await ask(plane)).toBe('127.0.0.1');
  });

  test('is waited for while it is asked for the first time, at the start and after a reload', async () => {
    const server = await dns();
    const { port } = await hosts('127.0.0.1', '127.0.0.2');
    server.set('app.test', { A: ['127.0.0.1'] }, 60);
    server.set('new.test', { A: ['127.0.0.2'] }, 60);
    const plane = await planeOf(server, { endpoints: [`app.test:${port}`] });
    expect(await ask(plane)).toBe('127.0.0.1');
    const upstreams = { app: { endpoints: [`new.test:${port}`] } };
    plane.reload(JSON.stringify({ version: 1, dns: { servers: [server.address] }, upstreams }));
    expect(await ask(plane)).toBe('127.0.0.2');
  });

  test('is waited for no longer than for a connection', async () => {
    const server = await dns();
    server.fail('app.test', 'silent');
    const settings = { dns: { servers: [server.address], timeout: '60s' }, timeouts: { connect: '100ms' } };
    const plane = await rig.plane([], { ...settings, upstreams: { app: { endpoints: ['app.test:80'] } } });
    expect(await ask(plane)).toBe('503');
  });

  test('of a candidate that has no address leaves its requests to the fallback', async () => {
    const server = await dns();
    const { port } = await hosts('127.0.0.1');
    server.fail('candidate.test', 'nxdomain');
    const plane = await rig.plane([], {
      dns: { servers: [server.address] },
      upstreams: { v1: { endpoints: [`127.0.0.1:${port}`] }, v2: { endpoints: ['candidate.test:80'] } },
      routes: [{ name: 'all', upstream: 'v1', experiments: ['e'] }],
      experiments: { e: { variants: { control: {}, candidate: { weight: '10%', upstream: 'v2' } } } },
    });
    const client = rig.client(plane.port).send(get('/', 'x-experiment-override: e=candidate\r\n'));
    expect(await client.response()).toContain('127.0.0.1');
    expect(plane.access[0]!.experiments).toMatchObject([{ assigned: 'candidate', served: 'control' }]);
  });

  test('that was never resolved is answered 503 at once, and served as soon as it is', async () => {
    const server = await dns();
    const { port } = await hosts('127.0.0.1');
    server.fail('app.test', 'silent');
    const plane = await planeOf(server, { endpoints: [`app.test:${port}`] }, { timeout: '200ms' });
    await eventually(() => plane.plane.upstreams()[0]!.names).toMatchObject([{ state: 'failed' }]);
    const client = rig.client(plane.port).send(get('/'));
    const answer = await client.response();
    expect(answer).toContain('503');
    expect(answer).toContain('upstream_unresolved');
    expect(plane.access[0]).toMatchObject({ status: 503, code: 'upstream_unresolved' });
    server.set('app.test', { A: ['127.0.0.1'] }, 60);
    await resolved(plane);
    expect(await ask(plane)).toBe('127.0.0.1');
  });

  test('that does not exist any more is used for keepMissing, and then nobody gets its requests', async () => {
    const server = await dns();
    const { port } = await hosts('127.0.0.1');
    server.set('app.test', { A: ['127.0.0.1'] }, 0);
    const clock = new ForwardClock();
    const plane = await planeOf(
      server,
      { endpoints: [`app.test:${port}`] },
      { keepMissing: '1h', maxTtl: '100ms' },
      clock,
    );
    await resolved(plane);
    server.fail('app.test', 'nxdomain');
    await eventually(() => plane.plane.upstreams()[0]!.names).toMatchObject([
      { state: 'stale', endpoints: 1 },
    ]);
    expect(await ask(plane)).toBe('127.0.0.1');
    clock.forward(60 * MINUTE_MS);
    await eventually(() => plane.plane.upstreams()[0]!.names).toMatchObject([
      { state: 'missing', endpoints: 0 },
    ]);
    expect(await ask(plane)).toBe('503');
  });

  test('is not asked for again by a reload, and keeps its connections', async () => {
    const server = await dns();
    const { port, at } = await hosts('127.0.0.1');
    server.set('app.test', { A: ['127.0.0.1'] }, 60);
    const app = { endpoints: [`app.test:${port}`] };
    const plane = await planeOf(server, app);
    await resolved(plane);
    await ask(plane);
    const before = plane.plane.upstreams()[0]!.endpoints[0]!;
    expect(before).toMatchObject({ idle: 1 });
    plane.reload(
      JSON.stringify({
        version: 1,
        dns: { servers: [server.address], minTtl: '50ms' },
        upstreams: { app: { ...app, connectionsMax: 7 } },
      }),
    );
    expect(await ask(plane)).toBe('127.0.0.1');
    expect(at[0]!.sockets).toHaveLength(1);
    expect(server.count('A app.test')).toBe(1);
  });

  test('asks the servers of a reload, and uses what it knows until they answer', async () => {
    const [first, second] = [await dns(), await dns()];
    const { port } = await hosts('127.0.0.1', '127.0.0.2');
    first.set('app.test', { A: ['127.0.0.1'] }, 3600);
    second.set('app.test', { A: ['127.0.0.2'] }, 3600);
    const plane = await planeOf(first, { endpoints: [`app.test:${port}`] });
    await resolved(plane);
    const upstreams = { app: { endpoints: [`app.test:${port}`] } };
    plane.reload(JSON.stringify({ version: 1, dns: { servers: [second.address] }, upstreams }));
    expect(['127.0.0.1', '127.0.0.2']).toContain(await ask(plane));
    await eventually(() => ask(plane)).toBe('127.0.0.2');
  });

  test('in thousands comes to be known', async () => {
    const server = await dns();
    const names = Array.from({ length: 2000 }, (_, index) => `app${index}.test`);
    for (const name of names) server.set(name, { A: ['127.0.0.1'] }, 3600);
    const upstreams = Object.fromEntries(
      [0, 1].map((half) => [
        `u${half}`,
        {
          endpoints: names
            .slice(half * 1000, (half + 1) * 1000)
            .map((name, index) => `${name}:${1000 + index}`),
        },
      ]),
    );
    const routes = [{ name: 'all', upstream: 'u0' }];
    const plane = await rig.plane([], {
      dns: { servers: [server.address], family: 'ipv4' },
      upstreams,
      routes,
    });
    const known = () =>
      plane.plane.upstreams().flatMap((upstream) => upstream.names.filter(({ state }) => state === 'known'))
        .length;
    await eventually(known).toBe(2000);
    expect(new Set(server.asked).size).toBe(2000);
  });
});

describe('a name with addresses of both families', () => {
  test('is connected by the other one when the first is refused', async () => {
    const server = await dns();
    const { port } = await hosts('127.0.0.1');
    server.set('app.test', { A: ['127.0.0.1'], AAAA: ['::1'] }, 60);
    const plane = await planeOf(server, { endpoints: [`app.test:${port}`] });
    await resolved(plane);
    expect(await askMany(plane, 3)).toEqual({ '127.0.0.1': 3 });
  });

  test('is connected by the other one when nobody answers at the first, and from then on at once', async (context) => {
    const server = await dns();
    const { port } = await hosts('127.0.0.1');
    const hole = await blackHole('::1', port);
    if (hole === null) return context.skip('this machine has no IPv6');
    rig.also(() => hole.close());
    server.set('app.test', { A: ['127.0.0.1'], AAAA: ['::1'] }, 60);
    // Each request needs a connection of its own.
    const app = { endpoints: [`app.test:${port}`], connection: { requestsMax: 1 } };
    const plane = await planeOf(server, app);
    await resolved(plane);
    expect(await askMany(plane, 4)).toEqual({ '127.0.0.1': 4 });
    expect(plane.plane.upstreams()[0]!.endpoints.map(({ id }) => id)).toEqual([`127.0.0.1:${port}`]);
  });

  test('has health checks that ask each address, and not the other one that would answer', async () => {
    const server = await dns();
    const { port } = await hosts('127.0.0.1');
    server.set('app.test', { A: ['127.0.0.1'], AAAA: ['::1'] }, 60);
    const health = { interval: '50ms', fall: 1 };
    const plane = await planeOf(server, { endpoints: [`app.test:${port}`], health });
    await eventually(() => plane.plane.upstreams()[0]!.endpoints).toMatchObject([
      { id: `[::1]:${port}`, isHealthy: false },
    ]);
    // Nobody else is left, and a connection finds the address that answers.
    expect(await ask(plane)).toBe('127.0.0.1');
  });
});

describe.skipIf(!hasOpenssl)('a name whose endpoints speak TLS', () => {
  test('is the name that the certificate is for, whichever of its addresses is connected', async () => {
    const server = await dns();
    const { certificate, key } = certificates.authority.issue('app', { names: ['DNS:app.test'] });
    const https = createServer(
      { cert: readFileSync(certificate), key: readFileSync(key) },
      (request, response) => {
        response.end((request.socket as TLSSocket & { servername?: string }).servername);
      },
    );
    https.listen(0, '127.0.0.1');
    await once(https, 'listening');
    rig.also(() => https.close());
    const { port } = https.address() as AddressInfo;
    server.set('app.test', { A: ['127.0.0.1'], AAAA: ['::1'] }, 60);
    const plane = await planeOf(server, {
      endpoints: [`app.test:${port}`],
      tls: { ca: certificates.authority.certificate },
    });
    await resolved(plane);
    expect(await askMany(plane, 5)).toEqual({ 'app.test': 5 });
  });
});

describe('an upstream by SRV records', () => {
  test('has the ports that they say', async () => {
    const server = await dns();
    const one = await rig.upstream(answerWith('one'));
    const two = await rig.upstream(answerWith('two'));
    const spare = await rig.upstream(answerWith('spare'));
    server.set('host.test', { A: ['127.0.0.1'] }, 60);
    server.set('_http._tcp.app.test', {
      SRV: [
        { priority: 1, weight: 1, port: one.port, target: 'host.test' },
        { priority: 1, weight: 1, port: two.port, target: 'host.test' },
        { priority: 2, weight: 1, port: spare.port, target: 'host.test' },
      ],
    });
    const plane = await planeOf(server, { endpoints: ['srv:_http._tcp.app.test'], balance: 'roundRobin' });
    await resolved(plane);
    expect(await askMany(plane, 6)).toEqual({ one: 3, two: 3 });
  });

  test('goes on to the next priority when nobody of the one before is well, and back', async () => {
    const server = await dns();
    let status = 200;
    const answer = (body: string) => (request: Received) => {
      const isCheck = request.startLine.startsWith('GET /health ');
      request.socket.write(isCheck && body === 'first' ? ok('').replace('200', `${status}`) : ok(body));
    };
    const [first, second] = [await rig.upstream(answer('first')), await rig.upstream(answer('second'))];
    server.set('host.test', { A: ['127.0.0.1'] }, 60);
    server.set('_http._tcp.app.test', {
      SRV: [
        { priority: 1, port: first.port, target: 'host.test' },
        { priority: 2, port: second.port, target: 'host.test' },
      ],
    });
    const health = { http: { path: '/health' }, interval: '50ms', rise: 1, fall: 1 };
    const plane = await planeOf(server, { endpoints: ['srv:_http._tcp.app.test'], health });
    await resolved(plane);
    expect(await ask(plane)).toBe('first');
    status = 503;
    await eventually(() => ask(plane)).toBe('second');
    status = 200;
    await eventually(() => ask(plane)).toBe('first');
  });
});
