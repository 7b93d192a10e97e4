/** Calls of a service joined to its requests, one sidecar over real sockets: what is written on, and what is counted. */
import { expect, it } from 'vitest';
import { field } from '../support/message.ts';
import { startPlane, type TestPlane } from '../support/plane.ts';
import { answer, get, ok, type Upstream, useRig } from '../support/rig.ts';

const rig = useRig();

/** The nth trace, at a span. */
function trace(n: number, span = 1): string {
  return `traceparent: 00-${String(n).padStart(32, 'a')}-${String(span).padStart(16, 'b')}-01\r\n`;
}

interface World {
  readonly plane: TestPlane;
  /** What the service gets of a request with these fields. */
  request(fields: string, target?: string): Promise<Record<string, string | null>>;
  /** What the callee gets of a call. */
  call(host: string, fields: string): Promise<Record<string, string | null>>;
  counts(): Promise<Record<string, number>>;
  config(settings?: object): string;
}

async function world(settings: object = {}): Promise<World> {
  const service = await rig.upstream(({ socket }) => socket.write(ok()));
  const callee = await rig.upstream(({ socket }) => socket.write(ok()));
  const config = (more: object = settings): string =>
    JSON.stringify({
      version: 1,
      listeners: [
        { name: 'inbound', address: '127.0.0.1:0', direction: 'inbound' },
        { name: 'outbound', address: '127.0.0.1:0', direction: 'outbound' },
      ],
      upstreams: { app: service.endpoint, callee: callee.endpoint },
      routes: [
        { name: 'shop', match: { path: '/shop' }, upstream: 'app', experiments: ['checkout'] },
        { name: 'plain', upstream: 'app' },
        {
          name: 'stock',
          direction: 'outbound',
          match: { host: ['stock.internal', '*.shops.internal'] },
          upstream: 'callee',
        },
        {
          name: 'prices',
          direction: 'outbound',
          match: { host: 'prices' },
          upstream: 'callee',
          experiments: ['checkout'],
        },
        { name: 'others', direction: 'outbound', upstream: 'callee' },
      ],
      experiments: {
        checkout: { unit: { header: 'x-user-id' }, variants: { control: {}, candidate: { weight: '50%' } } },
      },
      ...more,
    });
  const plane = await startPlane(config());
  rig.also(() => plane.close());
  return {
    plane,
    config,
    request: (fields, target = '/shop') => passed(plane.portOf('inbound'), service, get(target, fields)),
    call: (host, fields) =>
      passed(plane.portOf('outbound'), callee, `GET / HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`),
    counts: async () => {
      const counts: Record<string, number> = {};
      const page = await plane.plane.metrics.render();
      for (const [, route, host, how, value] of page.matchAll(
        /^fairlead_context_total\{direction="outbound",route="(.*)",host="(.*)",how="(.*)"\} (\d+)$/gm,
      ))
        counts[`${route} ${host} ${how}`] = Number(value);
      return counts;
    },
  };
}

async function passed(port: number, to: Upstream, request: string): Promise<Record<string, string | null>> {
  const at = to.requests.length;
  const client = rig.client(port);
  client.send(request);
  expect((await answer(client)).status).toBe(200);
  const got = await to.request(at);
  return { experiment: field(got, 'x-experiment'), baggage: field(got, 'baggage') };
}

const FORCED = 'x-experiment-override: checkout=candidate\r\n';
const CANDIDATE = { experiment: 'checkout=candidate', baggage: 'fairlead.checkout=candidate' };
const NOTHING = { experiment: null, baggage: null };

it('a joined call gets both fields, and its own baggage stays', async () => {
  const { request, call, counts } = await world();
  await request(`${FORCED}${trace(1)}x-request-id: r-1\r\n`);
  expect(await call('stock.internal', trace(1, 2))).toEqual(CANDIDATE);
  expect(await call('stock.internal', 'x-request-id: r-1\r\n')).toEqual(CANDIDATE);
  expect(await call('stock.internal', `${trace(1)}baggage: tenant=acme;p\r\n`)).toEqual({
    experiment: 'checkout=candidate',
    baggage: 'tenant=acme;p,fairlead.checkout=candidate',
  });
  expect(await counts()).toEqual({
    'stock stock.internal traceparent': 2,
    'stock stock.internal request_id': 1,
  });
});

it('what the call brings itself goes before what its ids lead to', async () => {
  const { request, call, counts } = await world();
  await request(`${FORCED}${trace(1)}`);
  const control = { experiment: 'checkout=control', baggage: null };
  expect(await call('stock.internal', `${trace(1)}x-experiment: checkout=control\r\n`)).toEqual(control);
  const brought = `${trace(1)}baggage: fairlead.checkout=control\r\n`;
  expect((await call('stock.internal', brought)).baggage).toBe('fairlead.checkout=control');
  expect(await counts()).toEqual({ 'stock stock.internal header': 1, 'stock stock.internal baggage': 1 });
});

it('on a route with the experiment the call is assigned what its request carries', async () => {
  const { request, call, plane } = await world();
  await request(`x-experiment: search=b;q=1, checkout=candidate\r\n${trace(1)}`);
  expect(await call('prices', `${trace(1)}x-user-id: somebody\r\n`)).toEqual({
    experiment: 'search=b;q=1, checkout=candidate',
    baggage: 'fairlead.checkout=candidate,fairlead.search=b',
  });
  expect(plane.access.at(-1)!.experiments).toMatchObject([{ assigned: 'candidate', reason: 'propagated' }]);
});

it('a service without an experiment of its own passes on what came in', async () => {
  const { request, call } = await world();
  await request(`x-experiment: search=b\r\n${trace(1)}`, '/other');
  await request(`baggage: fairlead.search=c\r\n${trace(2)}`, '/other');
  expect((await call('stock.internal', trace(1))).experiment).toBe('search=b');
  expect((await call('stock.internal', trace(2))).experiment).toBe('search=c');
});

it('the ids that the sidecar gives a request lead to it as well', async () => {
  const { plane, call } = await world();
  const service = rig.client(plane.portOf('inbound'));
  service.send(get('/shop', FORCED));
  await answer(service);
  const { requestId, traceId } = plane.access.at(-1)!;
  expect(await call('stock.internal', `x-request-id: ${requestId}\r\n`)).toEqual(CANDIDATE);
  expect(await call('stock.internal', `traceparent: 00-${traceId}-00f067aa0ba902b7-00\r\n`)).toEqual(
    CANDIDATE,
  );
});

it('counts as lost only what should carry something', async () => {
  const { request, call, counts } = await world();
  // Nobody has carried anything yet.
  await call('stock.internal', trace(9));
  await request(`x-user-id:\r\n${trace(1)}`, '/other');
  expect(await call('stock.internal', trace(1))).toEqual(NOTHING);
  expect(await counts()).toEqual({});
  await request(`${FORCED}${trace(2)}`);
  expect(await call('stock.internal', trace(1))).toEqual(NOTHING);
  expect(await counts()).toEqual({});
  expect(await call('stock.internal', trace(9))).toEqual(NOTHING);
  expect(await call('a.shops.internal', '')).toEqual(NOTHING);
  await call('b.shops.internal:80', '');
  await call('elsewhere.example', '');
  expect(await counts()).toEqual({
    'stock stock.internal lost': 1,
    'stock *.shops.internal lost': 2,
    'others elsewhere.example lost': 1,
  });
});

it('on a route for every host, calls are counted by the host they go to', async () => {
  const { request, call, counts, plane, config } = await world();
  await request(`${FORCED}${trace(1)}`);
  for (const host of ['mail.internal', 'Mail.Internal.:8080', '[::1]:80', 'no_name'])
    expect(await call(host, trace(1))).toEqual(CANDIDATE);
  // After a reload they are the same series.
  plane.reload(config({ propagation: { header: 'x-variants' } }));
  await call('mail.internal', trace(1));
  expect(await counts()).toEqual({
    'others mail.internal traceparent': 3,
    'others [::1] traceparent': 1,
    'others no_name traceparent': 1,
  });
});

it('of hosts that no route names, 64 are counted by name since the start, and all others together', async () => {
  const { request, call, counts, plane, config } = await world();
  await request(`${FORCED}${trace(1)}`);
  for (let n = 0; n < 40; n++) await call(`h${n}.internal`, trace(1));
  plane.reload(config({ propagation: { header: 'x-variants' } }));
  for (let n = 39; n < 80; n++) await call(`h${n}.internal`, trace(1));
  await call('h3.internal', trace(1));
  const counted = await counts();
  expect(Object.keys(counted)).toHaveLength(65);
  expect(counted['others h3.internal traceparent']).toBe(2);
  expect(counted['others h39.internal traceparent']).toBe(2);
  expect(counted['others h63.internal traceparent']).toBe(1);
  expect(counted['others other traceparent']).toBe(16);
});

it('a host that is not ours gets nothing by its ids, and is not counted', async () => {
  const { request, call, counts } = await world({ propagation: { internalHosts: ['*.internal'] } });
  await request(`${FORCED}${trace(1)}`);
  expect(await call('elsewhere.example', trace(1))).toEqual(NOTHING);
  expect(await call('elsewhere.example', '')).toEqual(NOTHING);
  expect(await call('stock.internal', trace(1))).toEqual(CANDIDATE);
  expect(await counts()).toEqual({ 'stock stock.internal traceparent': 1 });
});

it('what a stranger sends on an edge is not remembered', async () => {
  const { request, call } = await world({
    listeners: [
      { name: 'inbound', address: '127.0.0.1:0', trust: { context: 'none', overrides: 'none' } },
      { name: 'outbound', address: '127.0.0.1:0', direction: 'outbound' },
    ],
  });
  await request(`x-experiment: search=b\r\n${trace(1)}`);
  expect(await call('stock.internal', trace(1))).toEqual(NOTHING);
});

it('a reload keeps what is remembered, unless the memory itself is set anew', async () => {
  const { request, call, plane, config } = await world();
  await request(`${FORCED}${trace(1)}`);
  plane.reload(config({ propagation: { header: 'x-variants' } }));
  expect((await call('stock.internal', trace(1))).baggage).toBe('fairlead.checkout=candidate');
  plane.reload(config({ propagation: { joinTtl: '5s' } }));
  expect(await call('stock.internal', trace(1))).toEqual(NOTHING);
  plane.reload(config({ propagation: { join: 'off' } }));
  await request(`${FORCED}${trace(2)}`);
  expect(await call('stock.internal', trace(2))).toEqual(NOTHING);
});
