/** What of a request and a response is passed on, and what is cut, added or rewritten: seen on real sockets. */
import { describe, expect, it } from 'vitest';
import { field } from '../support/message.ts';
import { answer, get, ok, type Received, useRig } from '../support/rig.ts';

const rig = useRig();

/** Sends one request and answers what the upstream got. */
async function forwarded(request: string, forwarding: object = {}, settings: object = {}): Promise<Received> {
  const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
  const { port } = await rig.plane([upstream.endpoint], { forwarding, ...settings });
  const client = rig.client(port).send(request);
  await answer(client);
  expect(upstream.requests).toHaveLength(1);
  return upstream.requests[0]!;
}

/** Sends one request and answers what the client gets for this response. */
async function answered(response: string, request = get()) {
  const upstream = await rig.upstream(({ socket }) => socket.write(response, 'latin1'));
  const { port } = await rig.plane([upstream.endpoint]);
  return answer(rig.client(port).send(request));
}

const names = (message: Pick<Received, 'fields'>) => message.fields.map(([name]) => name);

describe('hop-by-hop fields of a request', () => {
  it('are cut, whether Connection names them or not', async () => {
    const got = await forwarded(
      get(
        '/',
        'Connection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\n' +
          'Proxy-Authorization: Basic abc\r\nHTTP2-Settings: AAMA\r\nX-Hop: 1\r\nX-End: 2\r\n',
      ),
    );
    expect(names(got).sort()).toEqual([
      'host',
      'traceparent',
      'via',
      'x-end',
      'x-forwarded-for',
      'x-forwarded-host',
      'x-forwarded-proto',
      'x-request-id',
    ]);
  });

  it('are cut when a second Connection field names them, in any case and with odd spacing', async () => {
    const got = await forwarded(
      get(
        '/',
        'Connection: close\r\nConnection: ,\tx-one ,, X-TWO\r\nX-One: 1\r\nx-two: 2\r\nX-Three: 3\r\n',
      ),
    );
    expect(field(got, 'x-one')).toBeNull();
    expect(field(got, 'x-two')).toBeNull();
    expect(field(got, 'x-three')).toBe('3');
    expect(field(got, 'connection')).toBeNull();
  });

  it('never include what everybody on the way must see, even when Connection names it', async () => {
    const got = await forwarded(
      'POST / HTTP/1.1\r\nHost: test\r\n' +
        'Connection: host, content-length, authorization, cookie, x-forwarded-for, x-forwarded-proto, ' +
        'x-forwarded-host, via, x-request-id, traceparent, tracestate, baggage\r\n' +
        'Authorization: Bearer t\r\nCookie: a=b\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n' +
        'X-Forwarded-Host: example.org\r\nVia: 1.1 edge\r\nX-Request-Id: r1\r\n' +
        'Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nTracestate: a=1\r\n' +
        'Baggage: k=v\r\nContent-Length: 3\r\n\r\nabc',
    );
    expect(got.body).toBe('abc');
    expect(field(got, 'host')).toBe('test');
    expect(field(got, 'content-length')).toBe('3');
    expect(field(got, 'authorization')).toBe('Bearer t');
    expect(field(got, 'cookie')).toBe('a=b');
    expect(field(got, 'x-forwarded-for')).toBe('192.0.2.1, 127.0.0.1');
    expect(field(got, 'x-forwarded-proto')).toBe('https');
    expect(field(got, 'x-forwarded-host')).toBe('example.org');
    expect(field(got, 'via')).toBe('1.1 edge, 1.1 fairlead');
    expect(field(got, 'x-request-id')).toBe('r1');
    expect(field(got, 'traceparent')).toBe('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01');
    expect(field(got, 'tracestate')).toBe('a=1');
    expect(field(got, 'baggage')).toBe('k=v');
  });

  it.each(['x-experiment', 'x-experiment-override', 'x-experiment-explain', 'X-Fairlead-Variant'])(
    'never include our own %s, so that a client cannot strip the context on its way',
    async (name) => {
      const got = await forwarded(get('/', `Connection: ${name}\r\n${name}: search=control\r\n`));
      expect(field(got, name.toLowerCase())).toBe('search=control');
    },
  );

  it('never include the experiment header under its configured name', async () => {
    const got = await forwarded(
      get('/', 'Connection: x-ab, x-hop\r\nX-AB: search=control\r\nX-Hop: 1\r\n'),
      {},
      { propagation: { header: 'x-ab' } },
    );
    expect(field(got, 'x-ab')).toBe('search=control');
    expect(field(got, 'x-hop')).toBeNull();
  });

  it('leave a chunked body chunked when Connection names Transfer-Encoding', async () => {
    const got = await forwarded(
      'POST / HTTP/1.1\r\nHost: test\r\nConnection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n\r\n' +
        '3\r\nabc\r\n0\r\n\r\n',
    );
    expect(got.framing).toBe('chunked');
    expect(got.body).toBe('abc');
    expect(field(got, 'transfer-encoding')).toBe('chunked');
  });
});

describe('TE', () => {
  it('is passed on when it says that trailers are welcome, as a field of our own connection', async () => {
    const got = await forwarded(get('/', 'TE: gzip;q=0.5, Trailers\r\nConnection: TE\r\n'));
    expect(field(got, 'te')).toBe('trailers');
    expect(field(got, 'connection')).toBe('te');
  });

  it('is cut when it asks for anything else', async () => {
    const got = await forwarded(get('/', 'TE: gzip\r\nConnection: TE\r\n'));
    expect(field(got, 'te')).toBeNull();
    expect(field(got, 'connection')).toBeNull();
  });
});

describe('fields that nobody touches', () => {
  it('keep their bytes, their case, their order and their repetition', async () => {
    const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
    const { port } = await rig.plane([upstream.endpoint], {
      forwarding: {
        forwardedFor: 'off',
        forwardedProto: 'off',
        forwardedHost: 'off',
        via: false,
        requestId: false,
        traceparent: false,
      },
    });
    let raw = '';
    upstream.signal
      .until(
        () => upstream.sockets.length > 0,
        () => '',
      )
      .then(() => {
        upstream.sockets[0]!.prependListener('data', (chunk) => {
          raw += chunk.toString('latin1');
        });
      });
    const request =
      'OPTIONS /a%2Fb//c/../d?x=1&&y=%20?z HTTP/1.1\r\nX-B: 1\r\nhOsT: Test\r\nx-A:  two  words \r\nX-B: 2\r\n' +
      'X-Latin: \xe9\xff\r\nX-Empty:\r\n\r\n';
    await answer(rig.client(port).send(request));
    expect(raw).toBe(request);
  });
});

describe('X-Forwarded-For', () => {
  const given = 'X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2\r\n';
  it.each([
    ['append', given, '192.0.2.1, 192.0.2.2, 127.0.0.1'],
    ['append', '', '127.0.0.1'],
    ['append', 'X-Forwarded-For:\r\n', '127.0.0.1'],
    ['set', given, '127.0.0.1'],
    ['set', '', '127.0.0.1'],
    ['off', given, '192.0.2.1, 192.0.2.2'],
    ['off', '', null],
  ])('%s with %j gives %j', async (forwardedFor, fields, expected) => {
    const got = await forwarded(get('/', fields), { forwardedFor });
    expect(field(got, 'x-forwarded-for')).toBe(expected);
  });
});

describe('X-Forwarded-Proto and X-Forwarded-Host', () => {
  const given = 'X-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example\r\n';
  it.each([
    ['keep', given, 'https', 'shop.example'],
    ['keep', '', 'http', 'test'],
    ['set', given, 'http', 'test'],
    ['set', '', 'http', 'test'],
    ['off', given, 'https', 'shop.example'],
    ['off', '', null, null],
  ])('%s with %j gives %j and %j', async (mode, fields, proto, host) => {
    const got = await forwarded(get('/', fields), { forwardedProto: mode, forwardedHost: mode });
    expect(field(got, 'x-forwarded-proto')).toBe(proto);
    expect(field(got, 'x-forwarded-host')).toBe(host);
  });
});

describe('Via', () => {
  it('is added behind what is there, with the version the client spoke', async () => {
    const got = await forwarded('GET / HTTP/1.0\r\nHost: test\r\nVia: 1.1 edge\r\n\r\n');
    expect(field(got, 'via')).toBe('1.1 edge, 1.0 fairlead');
  });

  it('is left alone when it is switched off', async () => {
    const got = await forwarded(get('/', 'Via: 1.1 edge\r\n'), { via: false });
    expect(field(got, 'via')).toBe('1.1 edge');
  });
});

describe('the request line', () => {
  it.each([
    ['GET http://shop.example:8080/a?b=c HTTP/1.1', 'GET /a?b=c HTTP/1.1', 'shop.example:8080'],
    ['GET http://shop.example HTTP/1.1', 'GET / HTTP/1.1', 'shop.example'],
    ['GET http://shop.example?b=c HTTP/1.1', 'GET /?b=c HTTP/1.1', 'shop.example'],
    ['OPTIONS http://shop.example HTTP/1.1', 'OPTIONS * HTTP/1.1', 'shop.example'],
  ])('%s becomes %s, and its authority replaces Host', async (line, expected, host) => {
    const got = await forwarded(`${line}\r\nHost: other\r\n\r\n`);
    expect(got.startLine).toBe(expected);
    expect(field(got, 'host')).toBe(host);
    expect(field(got, 'x-forwarded-host')).toBe(host);
  });

  it('is HTTP/1.1 for an HTTP/1.0 request, which is given a Host', async () => {
    const got = await forwarded('GET /x HTTP/1.0\r\n\r\n');
    expect(got.startLine).toBe('GET /x HTTP/1.1');
    expect(field(got, 'host')).toBe('app');
    expect(field(got, 'x-forwarded-host')).toBeNull();
  });
});

describe('x-request-id', () => {
  it('is kept', async () => {
    expect(field(await forwarded(get('/', 'X-Request-ID: abc\r\n')), 'x-request-id')).toBe('abc');
  });

  it('is created when it is absent, a new one for each request', async () => {
    const first = field(await forwarded(get()), 'x-request-id');
    const second = field(await forwarded(get()), 'x-request-id');
    expect(first).toMatch(/^[0-9a-f]{32}$/);
    expect(second).toMatch(/^[0-9a-f]{32}$/);
    expect(first).not.toBe(second);
  });

  it('is created in place of an empty one', async () => {
    const got = await forwarded(get('/', 'X-Request-ID:\r\n'));
    expect(got.fields.filter(([name]) => name === 'x-request-id')).toHaveLength(1);
    expect(field(got, 'x-request-id')).toMatch(/^[0-9a-f]{32}$/);
  });

  it('goes on record cut to 128 characters', async () => {
    const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
    const plane = await rig.plane([upstream.endpoint]);
    const id = 'i'.repeat(1000);
    await answer(rig.client(plane.port).send(get('/', `X-Request-ID: ${id}\r\n`)));
    expect(field(upstream.requests[0]!, 'x-request-id')).toBe(id);
    expect(plane.access[0]!.requestId).toBe('i'.repeat(128));
  });

  it('is not created when that is switched off', async () => {
    expect(field(await forwarded(get(), { requestId: false }), 'x-request-id')).toBeNull();
  });
});

describe('traceparent', () => {
  const valid = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

  it('is kept with its tracestate when it is valid', async () => {
    const got = await forwarded(get('/', `Traceparent: ${valid}\r\nTracestate: a=1,b=2\r\n`));
    expect(field(got, 'traceparent')).toBe(valid);
    expect(field(got, 'tracestate')).toBe('a=1,b=2');
  });

  it.each([
    ['an all-zero trace id', 'Traceparent: 00-00000000000000000000000000000000-b7ad6b7169203331-01\r\n'],
    ['two of them', `Traceparent: ${valid}\r\nTraceparent: ${valid}\r\n`],
    ['nonsense', 'Traceparent: nonsense\r\n'],
  ])('is created anew, without the tracestate, for %s', async (_what, fields) => {
    const got = await forwarded(get('/', `${fields}Tracestate: a=1\r\n`));
    expect(field(got, 'traceparent')).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/);
    expect(field(got, 'traceparent')).not.toContain('0af7651916cd43dd8448eb211c80319c');
    expect(field(got, 'tracestate')).toBeNull();
  });

  it('is created when it is absent, and passed as it is when that is switched off', async () => {
    expect(field(await forwarded(get()), 'traceparent')).toMatch(
      /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/,
    );
    expect(field(await forwarded(get(), { traceparent: false }), 'traceparent')).toBeNull();
    const got = await forwarded(get('/', 'Traceparent: nonsense\r\n'), { traceparent: false });
    expect(field(got, 'traceparent')).toBe('nonsense');
  });
});

describe('an upgrade to HTTP/2', () => {
  it.each([
    'h2c',
    'H2C',
    'h2c, websocket',
    'websocket, h2c',
    'websocket,h2c/1',
    'h2',
    'websocket\r\nUpgrade: h2c',
  ])('is not passed on: Upgrade: %j', async (protocols) => {
    const got = await forwarded(
      get(
        '/',
        `Connection: Upgrade, HTTP2-Settings\r\nUpgrade: ${protocols}\r\nHTTP2-Settings: AAMAAABkAAQ\r\n`,
      ),
    );
    expect(field(got, 'connection')).toBeNull();
    expect(field(got, 'upgrade')).toBeNull();
    expect(field(got, 'http2-settings')).toBeNull();
  });
});

describe('an upgrade that nobody asked the connection for', () => {
  it('is cut when Connection does not name it', async () => {
    const got = await forwarded(get('/', 'Upgrade: websocket\r\n'));
    expect(field(got, 'upgrade')).toBeNull();
  });

  it('is cut from an HTTP/1.0 request', async () => {
    const got = await forwarded('GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n');
    expect(field(got, 'upgrade')).toBeNull();
    expect(field(got, 'connection')).toBeNull();
  });
});

describe('a response', () => {
  it('loses its hop-by-hop fields and keeps the rest byte for byte', async () => {
    const got = await answered(
      'HTTP/1.1 299 It  is \xe9\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: timeout=9\r\nX-Hop: 1\r\n' +
        'Proxy-Authenticate: Basic\r\nUpgrade: h2c\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Kept:  3 \r\n' +
        'Content-Length: 2\r\n\r\nok',
    );
    expect(got.startLine).toBe('HTTP/1.1 299 It  is \xe9');
    expect(got.fields).toEqual([
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
      ['x-kept', '3'],
      ['content-length', '2'],
    ]);
  });

  it('keeps Set-Cookie, Content-Length and Cache-Control when the upstream names them in Connection', async () => {
    const got = await answered(
      'HTTP/1.1 200 OK\r\nConnection: set-cookie, content-length, cache-control, vary\r\nSet-Cookie: a=1\r\n' +
        'Cache-Control: private\r\nVary: x\r\nContent-Length: 2\r\n\r\nok',
    );
    expect(names(got)).toEqual(['set-cookie', 'cache-control', 'vary', 'content-length']);
    expect(got.body).toBe('ok');
  });

  it('is announced as HTTP/1.1 when the upstream speaks HTTP/1.0', async () => {
    const got = await answered('HTTP/1.0 200 Fine\r\nContent-Length: 2\r\n\r\nok');
    expect(got.startLine).toBe('HTTP/1.1 200 Fine');
  });
});
