/** Variants over real sockets: who gets which, what is carried on, what is on record. */
import { afterEach, describe, expect, it } from 'vitest';
import { fixedUpstream, RawClient, type RawUpstream, rawUpstream } from '../support/peers.ts';
import { startPlane, type TestPlane } from '../support/plane.ts';

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface World {
  readonly plane: TestPlane;
  readonly control: RawUpstream;
  readonly candidate: RawUpstream;
  readonly client: RawClient;
}

async function world(experiment = '', extra = ''): Promise<World> {
  const control = await fixedUpstream('HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\ncontrol');
  const candidate = await fixedUpstream('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ncandidate');
  const plane = await startPlane(`
version: 1
service: checkout
listeners:
  - { name: inbound, address: "127.0.0.1:0", direction: inbound }
  - { name: outbound, address: "127.0.0.1:0", direction: outbound }
upstreams:
  v1: { endpoints: ["${control.endpoint}"] }
  v2: { endpoints: ["${candidate.endpoint}"] }
routes:
  - { name: api, match: { path: /api/* }, upstream: v1, experiments: [ranking] }
  - { name: rest, match: { path: /* }, upstream: v1 }
  - { name: search, direction: outbound, match: { host: search.internal }, upstream: v2 }
experiments:
  ranking:
    owner: search-team
    hypothesis: better
    salt: ranking-1
    unit: [{ header: x-user-id }, { cookie: sid }]
    variants:
      control: { weight: 50% }
      candidate: { weight: 50%, upstream: v2 }
${experiment}
${extra}
`);
  const client = new RawClient(plane.port);
  closers.push(
    () => control.close(),
    () => candidate.close(),
    () => plane.close(),
    () => client.close(),
  );
  return { plane, control, candidate, client };
}

function get(path: string, fields = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: shop\r\n${fields}\r\n`;
}

function body(response: string): string {
  return response.slice(response.indexOf('\r\n\r\n') + 4);
}

describe('variants over the wire', () => {
  it('splits 1,000 users within four standard errors of the weights and keeps each on one variant', async () => {
    const { client } = await world();
    const first: string[] = [];
    for (let user = 0; user < 1000; user++) {
      client.send(get('/api/x', `x-user-id: user-${user}\r\n`));
      first.push(body(await client.response()));
    }
    const candidates = first.filter((variant) => variant === 'candidate').length;
    // sqrt(1000 * 0.5 * 0.5) = 15.8
    expect(Math.abs(candidates - 500)).toBeLessThan(63);
    for (let user = 0; user < 1000; user += 97) {
      client.send(get('/api/y', `x-user-id: user-${user}\r\n`));
      expect(body(await client.response())).toBe(first[user]);
    }
  });

  it('sends the header and the baggage member upstream', async () => {
    const { client, candidate } = await world();
    client.send(get('/api/x', 'x-experiment-override: ranking=candidate\r\n'));
    await client.response();
    expect(candidate.received[0]).toContain('\r\nx-experiment: ranking=candidate\r\n');
    expect(candidate.received[0]).toContain('\r\nbaggage: fairlead.ranking=candidate\r\n');
  });

  it('lets an override win over the split, by header and by cookie', async () => {
    const { client } = await world();
    for (const fields of [
      'x-user-id: user-1\r\nx-experiment-override: ranking=candidate\r\n',
      'x-user-id: user-2\r\nx-experiment-override: always\r\n',
      'x-user-id: user-3\r\ncookie: a=b; fairlead_override=ranking=candidate\r\n',
    ]) {
      client.send(get('/api/x', fields));
      expect(body(await client.response())).toBe('candidate');
    }
    client.send(get('/api/x', 'x-user-id: user-1\r\nx-experiment-override: never\r\n'));
    expect(body(await client.response())).toBe('control');
  });

  it('honours a propagated variant and passes one of an unknown experiment on untouched', async () => {
    const { client, candidate, plane } = await world();
    client.send(get('/api/x', 'x-user-id: user-1\r\nx-experiment: search=B;q=1, ranking=candidate\r\n'));
    expect(body(await client.response())).toBe('candidate');
    const line = /\r\nx-experiment: (.*)\r\n/i.exec(candidate.received[0]!)![1]!;
    expect(line.split(', ').sort()).toEqual(['ranking=candidate', 'search=B;q=1']);
    expect(plane.access[0]!.experiments[0]!.reason).toBe('propagated');
  });

  it('keeps other vendors baggage and replaces its own', async () => {
    const { client, control } = await world();
    const fields = 'baggage: tenant=acme;p=1,fairlead.ranking=candidate\r\nx-experiment-override: never\r\n';
    client.send(get('/api/x', fields));
    await client.response();
    const line = /\r\nbaggage: (.*)\r\n/i.exec(control.received[0]!)![1]!;
    expect(line.replaceAll(' ', '').split(',').sort()).toEqual([
      'fairlead.ranking=control',
      'tenant=acme;p=1',
    ]);
    expect(control.received[0]!.match(/baggage:/gi)).toHaveLength(1);
  });

  it('leaves a request with no unit on the control, carrying nothing', async () => {
    const { client, control, plane } = await world();
    client.send(get('/api/x'));
    expect(body(await client.response())).toBe('control');
    expect(control.received[0]).not.toMatch(/x-experiment:/i);
    expect(plane.access[0]!.experiments[0]!.reason).toBe('no-unit');
    expect(plane.exposures).toEqual([]);
  });

  it('adds Vary for what decides the variant, and not to a response that must not be stored', async () => {
    const { client, plane } = await world();
    client.send(get('/api/x', 'x-user-id: user-1\r\n'));
    const names = /\r\nvary: (.*)\r\n/i.exec(await client.response())![1]!.split(', ');
    expect(names).toEqual(
      expect.arrayContaining(['x-user-id', 'cookie', 'x-experiment', 'x-experiment-override']),
    );
    client.send(get('/other'));
    expect(await client.response()).not.toMatch(/vary:/i);
    expect(plane.access).toHaveLength(2);
  });

  it('tells the tester why, only when asked', async () => {
    const { client } = await world();
    client.send(get('/api/x', 'x-user-id: user-1\r\nx-experiment-explain: 1\r\n'));
    expect(await client.response()).toMatch(/\r\nx-experiment-reason: ranking=split:0\.\d{4}\r\n/);
    client.send(get('/api/x', 'x-user-id: user-1\r\n'));
    expect(await client.response()).not.toMatch(/x-experiment-reason/);
  });

  it('targets by header and leaves others out of the experiment', async () => {
    const { client, plane } = await world('    targeting: [{ header: x-country, in: [DE, FR] }]');
    client.send(get('/api/x', 'x-user-id: user-1\r\nx-country: DE\r\n'));
    await client.response();
    client.send(get('/api/x', 'x-user-id: user-1\r\nx-country: US\r\n'));
    await client.response();
    expect(plane.access.map(({ experiments }) => experiments[0]!.reason)).toEqual(['split', 'not-targeted']);
  });

  it('routes the outbound listener by Host and carries the header on', async () => {
    const { plane, candidate } = await world();
    const client = new RawClient(plane.portOf('outbound'));
    closers.push(() => client.close());
    client.send('GET /q HTTP/1.1\r\nHost: search.internal:8080\r\nx-experiment: ranking=candidate\r\n\r\n');
    expect(body(await client.response())).toBe('candidate');
    expect(candidate.received[0]).toContain('x-experiment: ranking=candidate\r\n');
    client.send('GET /q HTTP/1.1\r\nHost: unknown.example\r\n\r\n');
    expect(await client.response()).toMatch(/^HTTP\/1\.1 404 .*"code":"route_not_found"/s);
  });

  it('records assigned, served and reason with every exposure, and no exposure without an experiment', async () => {
    const { client, plane } = await world();
    client.send(
      get('/api/x', 'x-experiment-override: ranking=candidate\r\nx-user-id: user-1\r\nx-request-id: r-1\r\n'),
    );
    await client.response();
    client.send(get('/other', 'x-user-id: user-1\r\n'));
    await client.response();
    expect(plane.exposures).toHaveLength(1);
    expect(plane.exposures[0]).toMatchObject({
      experiment: 'ranking',
      assigned: 'candidate',
      served: 'candidate',
      reason: 'override',
      route: 'api',
      requestId: 'r-1',
    });
  });

  it('keeps the rules a request began with when a reload comes in between', async () => {
    const old = await rawUpstream(() => {});
    const config = (upstream: string) => `
version: 1
service: checkout
listeners: [{ name: inbound, address: "127.0.0.1:0", direction: inbound }]
upstreams: { only: { endpoints: ["${upstream}"] } }
`;
    const plane = await startPlane(config(old.endpoint));
    const client = new RawClient(plane.port);
    closers.push(
      () => old.close(),
      () => plane.close(),
      () => client.close(),
    );
    client.send('POST /other HTTP/1.1\r\nHost: shop\r\ncontent-length: 4\r\n\r\nab');
    await receives(old, 'ab');
    plane.reload(config('127.0.0.1:9'));
    client.send('cd');
    await receives(old, 'abcd');
    old.sockets[0]!.write('HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nold');
    expect(body(await client.response())).toBe('old');
    client.send(get('/next'));
    expect(await client.response()).toMatch(/^HTTP\/1\.1 502 .*"code":"upstream_connect_failed"/s);
  });
});

async function receives(upstream: RawUpstream, text: string): Promise<void> {
  await expect
    .poll(() => upstream.received.join('').endsWith(text), { interval: 5, timeout: 20_000 })
    .toBe(true);
}
