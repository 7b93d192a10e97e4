/** Whom a listener believes: what untrusted peers say of experiments is ignored, counted and stripped. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { field } from '../support/message.ts';
import type { TestPlane } from '../support/plane.ts';
import { answer, get, ok, type Received, useRig } from '../support/rig.ts';
import { hasOpenssl, tlsSocket, useCertificates } from '../support/tls.ts';

const rig = useRig();
const certificates = useCertificates();

const CONTROL_FOR_ALL = { variants: { control: { weight: '100%' }, candidate: { weight: '0%' } } };
const CANDIDATE_FOR_ALL = { variants: { control: { weight: '0%' }, candidate: { weight: '100%' } } };

/** A plane whose one listener has this trust, and one experiment that gives everyone the control. */
async function guarded(trust: object | undefined, more: object = {}, listener: object = {}) {
  const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
  const proxy = await rig.plane([upstream.endpoint], {
    listeners: [
      { name: 'edge', address: '127.0.0.1:0', ...(trust === undefined ? {} : { trust }), ...listener },
    ],
    routes: [
      { name: 'plain', match: { path: '/plain' }, upstream: 'app' },
      { name: 'all', upstream: 'app', experiments: ['ranking'] },
    ],
    experiments: { ranking: CONTROL_FOR_ALL },
    ...more,
  });
  const client = rig.client(proxy.port);
  const send = async (fields: string, target = '/'): Promise<Received> => {
    const n = upstream.requests.length;
    client.send(get(target, `x-user-id: u-1\r\n${fields}`));
    expect((await answer(client)).status).toBe(200);
    return upstream.request(n);
  };
  return { proxy, upstream, client, send };
}

const untrusted = ({ plane }: TestPlane, what: string, listener = 'edge') =>
  plane.metrics.trust.untrusted(listener, what).value;

describe('a listener that says nothing of trust', () => {
  it('believes what it is sent, as ever', async () => {
    const { send } = await guarded(undefined);
    expect(field(await send('x-experiment: ranking=candidate\r\n'), 'x-experiment')).toBe(
      'ranking=candidate',
    );
    expect(field(await send('x-experiment-override: always\r\n'), 'x-experiment')).toBe('ranking=candidate');
    expect(field(await send('x-experiment-override: always\r\n'), 'x-experiment-override')).toBe('always');
  });
});

describe('an edge, which believes nobody', () => {
  it('decides by itself whatever it is sent, strips all of it, and fails nothing', async () => {
    const { proxy, send } = await guarded({ context: 'none' });
    const request = await send(
      [
        'x-experiment: ranking=candidate, other=b',
        'baggage: userId=7;p=1 , fairlead.ranking=candidate,  fairlead.other=b, last=1',
        'x-experiment-override: ranking=candidate',
        'x-experiment-explain: 1',
        'x-experiment-token: fl1.k.e30.c2ln',
        'cookie: sid=1; fairlead_override=ranking=candidate; theme=dark',
        '',
      ].join('\r\n'),
    );
    expect(field(request, 'x-experiment')).toBe('ranking=control');
    expect(field(request, 'baggage')).toBe('userId=7;p=1 , last=1,fairlead.ranking=control');
    expect(field(request, 'cookie')).toBe('sid=1; theme=dark');
    for (const name of ['x-experiment-override', 'x-experiment-explain', 'x-experiment-token'])
      expect(field(request, name)).toBeNull();
    for (const what of ['header', 'baggage', 'override', 'explain', 'token', 'cookie'])
      expect(untrusted(proxy, what), what).toBe(1);
  });

  it('does so on a route without experiments as well', async () => {
    const { send } = await guarded({ context: 'none' });
    const fields = 'x-experiment: a=b\r\nbaggage: fairlead.a=b\r\ncookie: fairlead_override=always\r\n';
    const request = await send(fields, '/plain');
    for (const name of ['x-experiment', 'baggage', 'cookie']) expect(field(request, name)).toBeNull();
  });

  it('strips our baggage also when it does not read any', async () => {
    const { send } = await guarded({ context: 'none' }, { propagation: { baggage: false } });
    const request = await send('baggage: fairlead.ranking=candidate,a=1\r\n');
    expect(field(request, 'baggage')).toBe('a=1');
    expect(field(request, 'x-experiment')).toBe('ranking=control');
  });

  it('leaves everything else as it came, and counts nothing for a request without any of ours', async () => {
    const { proxy, send } = await guarded({ context: 'none' });
    const request = await send(
      'baggage: userId=7 , a=fairlead.x\r\ncookie: a=1;b=2\r\ntraceparent: x\r\n',
      '/plain',
    );
    expect(field(request, 'baggage')).toBe('userId=7 , a=fairlead.x');
    expect(field(request, 'cookie')).toBe('a=1;b=2');
    for (const what of ['header', 'baggage', 'override', 'explain', 'token', 'cookie'])
      expect(untrusted(proxy, what), what).toBe(0);
  });

  it('does not say why a variant was given', async () => {
    const { client, upstream } = await guarded({ context: 'none' });
    client.send(get('/', 'x-user-id: u-1\r\nx-experiment-explain: 1\r\n'));
    expect(field(await answer(client), 'x-experiment-reason')).toBeNull();
    expect(upstream.requests).toHaveLength(1);
  });
});

describe('trust by address', () => {
  it('is for the connections of a range, and for nobody else', async () => {
    const { proxy, upstream, send } = await guarded({ context: { cidrs: ['127.0.0.1/32', '::1'] } });
    expect(field(await send('x-experiment: ranking=candidate\r\n'), 'x-experiment')).toBe(
      'ranking=candidate',
    );
    proxy.reload(configWith(upstream.endpoint, { context: { cidrs: ['10.0.0.0/8'] } }));
    expect(field(await send('x-experiment: ranking=candidate\r\n'), 'x-experiment')).toBe('ranking=control');
    expect(untrusted(proxy, 'header')).toBe(1);
  });

  it('goes by what the PROXY protocol tells, and never by x-forwarded-for', async () => {
    const { proxy, upstream } = await guarded(
      { context: { cidrs: ['203.0.113.0/24'] } },
      {},
      { proxyProtocol: true },
    );
    for (const [address, variant] of [
      ['203.0.113.9', 'candidate'],
      ['198.51.100.9', 'control'],
    ]) {
      const n = upstream.requests.length;
      const client = rig.client(proxy.port);
      client.send(`PROXY TCP4 ${address} 127.0.0.1 40000 80\r\n`);
      client.send(
        get('/', 'x-forwarded-for: 203.0.113.9\r\nx-user-id: u\r\nx-experiment: ranking=candidate\r\n'),
      );
      await answer(client);
      expect(field(await upstream.request(n), 'x-experiment')).toBe(`ranking=${variant}`);
    }
  });

  it('is for contexts and overrides apart', async () => {
    const { send } = await guarded({ context: 'none', overrides: { cidrs: ['127.0.0.0/8'] } });
    const request = await send('x-experiment: other=b\r\nx-experiment-override: ranking=candidate\r\n');
    expect(field(request, 'x-experiment')).toBe('ranking=candidate');
    expect(field(request, 'x-experiment-override')).toBe('ranking=candidate');
  });
});

describe.skipIf(!hasOpenssl)('trust by identity', () => {
  it('is for exactly the certificates that it names', async () => {
    const { authority, server } = certificates;
    const { proxy, upstream } = await guarded(
      { context: { identities: ['spiffe://shop/web'] } },
      {},
      { tls: { ...server, clientCertificate: 'optional', clientCa: authority.certificate } },
    );
    const web = authority.issue('web', { names: ['URI:spiffe://shop/web'] });
    const other = authority.issue('other', { names: ['URI:spiffe://shop/web2'] });
    for (const [issued, variant] of [
      [web, 'candidate'],
      [other, 'control'],
      [null, 'control'],
    ] as const) {
      const own =
        issued === null ? {} : { cert: readFileSync(issued.certificate), key: readFileSync(issued.key) };
      const n = upstream.requests.length;
      const client = rig.client(tlsSocket(rig, proxy.port, authority, own));
      client.send(get('/', 'x-user-id: u\r\nx-experiment: ranking=candidate\r\n'));
      await answer(client);
      expect(field(await upstream.request(n), 'x-experiment')).toBe(`ranking=${variant}`);
    }
  });
});

describe('internal hosts', () => {
  const OUTBOUND = {
    listeners: [{ name: 'edge', address: '127.0.0.1:0', direction: 'outbound' }],
    routes: [{ name: 'all', direction: 'outbound', upstream: 'app', experiments: ['ranking'] }],
    experiments: { ranking: CANDIDATE_FOR_ALL },
    propagation: { internalHosts: ['prices', '*.svc.cluster.local'] },
  };
  const FIELDS =
    'x-user-id: u-1\r\nx-experiment: other=b\r\nbaggage: fairlead.other=b,a=1\r\nx-experiment-override: other=b\r\ncookie: a=1; fairlead_override=other=b\r\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n';

  async function call(host: string, fields = FIELDS, settings: object = OUTBOUND) {
    const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
    const proxy = await rig.plane([upstream.endpoint], settings);
    const client = rig.client(proxy.port);
    client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`);
    await answer(client);
    return { proxy, request: await upstream.request() };
  }

  it.each(['prices', 'PRICES:8080', 'a.b.svc.cluster.local'])('get the context: %s', async (host) => {
    const { proxy, request } = await call(host);
    expect(field(request, 'x-experiment')).toBe('other=b, ranking=candidate');
    expect(field(request, 'cookie')).toBe('a=1; fairlead_override=other=b');
    expect(proxy.plane.metrics.trust.egress('edge').value).toBe(0);
  });

  it.each(['api.example.com', 'svc.cluster.local', 'prices.example.com', 'evilprices'])(
    'are not all: to %s nothing of ours goes, and the trace does',
    async (host) => {
      const { proxy, request } = await call(host);
      for (const name of ['x-experiment', 'x-experiment-override']) expect(field(request, name)).toBeNull();
      expect(field(request, 'baggage')).toBe('a=1');
      expect(field(request, 'cookie')).toBe('a=1');
      expect(field(request, 'traceparent')).toBe('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01');
      expect(proxy.plane.metrics.trust.egress('edge').value).toBe(1);
    },
  );

  it('are all that gets what is sticky, the bucket and the hint for caches, whichever route they are of', async () => {
    const settings = {
      ...OUTBOUND,
      listeners: [...OUTBOUND.listeners, { name: 'in', address: '127.0.0.1:0' }],
      routes: [
        { name: 'calls', direction: 'outbound', upstream: 'app' },
        { name: 'in', upstream: 'app', experiments: ['ranking', 'search'], cache: { keyHint: 'x-key' } },
      ],
      experiments: {
        ranking: { ...CANDIDATE_FOR_ALL, bucketHeader: 'x-bucket', sticky: { ttl: '1h' } },
        search: { ...CANDIDATE_FOR_ALL, sticky: { header: 'x-sticky', ttl: '1h' } },
      },
      stickyKeys: [{ id: 'k1', key: 'k1-0123456789-0123456789-0123456789' }],
    };
    const brought =
      'x-sticky: 1:k1:M:search:b\r\nx-bucket: 7\r\nx-key: ranking=candidate\r\ncookie: a="1 2" ; fairlead_sticky=1:k1:M:ranking:b;  c==d\r\n';
    const away = await call('api.example.com', brought, settings);
    for (const name of ['x-sticky', 'x-bucket', 'x-key']) expect(field(away.request, name)).toBeNull();
    expect(field(away.request, 'cookie')).toBe('a="1 2" ;  c==d');
    expect(away.proxy.plane.metrics.trust.egress('edge').value).toBe(1);
    const bare = await call('api.example.com', 'cookie: fairlead_sticky=x\r\n', settings);
    expect(field(bare.request, 'cookie')).toBeNull();
    const home = await call('prices', brought, settings);
    expect(field(home.request, 'x-sticky')).toBe('1:k1:M:search:b');
    expect(field(home.request, 'cookie')).toContain('fairlead_sticky=1:k1:M:ranking:b');
  });

  it('are not what others lose malformed baggage for, which is not ours', async () => {
    const { proxy, request } = await call('api.example.com', 'baggage: a=1,bad bad,b=2\r\n', {
      ...OUTBOUND,
      routes: [{ name: 'all', direction: 'outbound', upstream: 'app' }],
    });
    expect(field(request, 'baggage')).toBe('a=1,b=2');
    expect(proxy.plane.metrics.trust.egress('edge').value).toBe(0);
  });

  it('are looked at for what we would have added ourselves, too', async () => {
    const { proxy, request } = await call('api.example.com', 'x-user-id: u-1\r\n');
    expect(field(request, 'x-experiment')).toBeNull();
    expect(field(request, 'baggage')).toBeNull();
    expect(proxy.plane.metrics.trust.egress('edge').value).toBe(1);
  });
});

function configWith(endpoint: string, trust: object): string {
  return JSON.stringify({
    version: 1,
    listeners: [{ name: 'edge', address: '127.0.0.1:0', trust }],
    upstreams: { app: { endpoints: [endpoint] } },
    routes: [{ name: 'all', upstream: 'app', experiments: ['ranking'] }],
    experiments: { ranking: CONTROL_FOR_ALL },
  });
}
