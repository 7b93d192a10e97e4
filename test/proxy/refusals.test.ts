/** Each answer of our own: its status, its stable code, the side it blames, and what becomes of the connection. */
import { describe, expect, it } from 'vitest';
import { ERRORS, type ErrorCode } from '../../src/base/error.ts';
import { field } from '../support/message.ts';
import { type Answer, answer, get, ok, post, useRig } from '../support/rig.ts';

const rig = useRig();

function expectProblem(got: Answer, status: number, code: ErrorCode): void {
  expect([got.status, got.problem?.code]).toEqual([status, code]);
  expect(got.problem!.status).toBe(status);
  expect(got.problem!.side).toBe(ERRORS[code].side);
  expect(field(got, 'content-type')).toBe('application/problem+json');
  expect(field(got, 'cache-control')).toBe('no-store');
}

/** Malformed or unwanted requests, that no upstream may ever see. */
const REFUSED: readonly [string, string, number, ErrorCode][] = [
  ['a bare line feed', 'GET / HTTP/1.1\nHost: a\n\n', 400, 'request_malformed'],
  ['a space before a colon', 'GET / HTTP/1.1\r\nHost : a\r\n\r\n', 400, 'request_malformed'],
  ['a folded line', 'GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n', 400, 'request_malformed'],
  ['a NUL in a value', 'GET / HTTP/1.1\r\nHost: a\r\nX: 1\0\r\n\r\n', 400, 'request_malformed'],
  ['a fragment in the target', 'GET /#x HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'request_malformed'],
  ['HTTP/0.9', 'GET /\r\n', 400, 'request_malformed'],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400, 'host_invalid'],
  [
    'an expectation that is not 100-continue',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 200-ok\r\n\r\na',
    417,
    'expectation_failed',
  ],
  ['two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', 400, 'host_invalid'],
  ['userinfo in Host', 'GET / HTTP/1.1\r\nHost: u@a\r\n\r\n', 400, 'host_invalid'],
  [
    'Content-Length and Transfer-Encoding',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    400,
    'framing_ambiguous',
  ],
  [
    'two equal Content-Lengths',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc',
    400,
    'framing_ambiguous',
  ],
  [
    'a signed Content-Length',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc',
    400,
    'framing_ambiguous',
  ],
  [
    'Transfer-Encoding in HTTP/1.0',
    'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    400,
    'framing_ambiguous',
  ],
  [
    'chunked that is not last',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n',
    400,
    'framing_ambiguous',
  ],
  [
    'another transfer coding',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
    501,
    'transfer_encoding_unsupported',
  ],
  ['CONNECT', 'CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n', 501, 'method_unsupported'],
  ['HTTP/1.2', 'GET / HTTP/1.2\r\nHost: a\r\n\r\n', 505, 'version_unsupported'],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505, 'version_unsupported'],
];

describe('a request that is refused', () => {
  it.each(REFUSED)(
    'for %s is answered, the connection closed, the upstream never asked',
    async (_, text, status, code) => {
      const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
      const { port } = await rig.plane([upstream.endpoint]);
      const client = rig.client(port).send(`${text}GET /behind HTTP/1.1\r\nHost: a\r\n\r\n`);
      expectProblem(await answer(client), status, code);
      await client.ended();
      expect(client.text).toBe('');
      expect(upstream.sockets).toHaveLength(0);
    },
  );

  it('says so and closes: Connection: close', async () => {
    const { port } = await rig.plane(['127.0.0.1:1']);
    expect(field(await answer(rig.client(port).send('x y z\r\n\r\n')), 'connection')).toBe('close');
  });

  it('for its size is answered 414, 431 by bytes, or 431 by fields', async () => {
    const { port } = await rig.plane(['127.0.0.1:1'], {
      limits: { head: '1KiB', target: '100B', fields: 8 },
    });
    const ask = async (text: string) => answer(rig.client(port).send(text));
    expectProblem(await ask(get(`/${'a'.repeat(200)}`)), 414, 'target_too_long');
    expectProblem(await ask(get('/', `X: ${'a'.repeat(1100)}\r\n`)), 431, 'head_too_large');
    expectProblem(await ask(get('/', 'X: 1\r\n'.repeat(9))), 431, 'head_too_large');
  });

  it('behind a good one is answered after it, in order', async () => {
    const upstream = await rig.upstream(({ socket }) => socket.write(ok('first')));
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port).send(`${get()}bad\r\n\r\n`);
    expect((await answer(client)).body).toBe('first');
    expectProblem(await answer(client), 400, 'request_malformed');
    await client.ended();
  });
});

describe('a request for no route', () => {
  const settings = { routes: [{ name: 'api', match: { path: '/api/*' }, upstream: 'app' }] };

  it('is answered 404, and the connection kept', async () => {
    const upstream = await rig.upstream(({ socket }) => socket.write(ok('routed')));
    const { port } = await rig.plane([upstream.endpoint], settings);
    const client = rig.client(port).send(get('/other'));
    expectProblem(await answer(client), 404, 'route_not_found');
    expect((await answer(client.send(get('/api/x')))).body).toBe('routed');
  });

  it('is answered 404 and closed when its body is still to come, which is not taken for a request', async () => {
    const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
    const { port } = await rig.plane([upstream.endpoint], settings);
    const smuggled = 'GET /api/smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
    const client = rig
      .client(port)
      .send(`POST /other HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n${smuggled}`);
    const got = await answer(client);
    expectProblem(got, 404, 'route_not_found');
    expect(field(got, 'connection')).toBe('close');
    await client.ended();
    expect(upstream.sockets).toHaveLength(0);
  });

  it('has no body in the answer to a HEAD, and the fields of one', async () => {
    const { port } = await rig.plane(['127.0.0.1:1'], settings);
    const client = rig
      .client(port)
      .send('HEAD /x HTTP/1.1\r\nHost: a\r\n\r\nHEAD /y HTTP/1.1\r\nHost: a\r\n\r\n');
    const first = await answer(client, { isBodiless: true });
    const second = await answer(client, { isBodiless: true });
    expect([first.status, second.status]).toEqual([404, 404]);
    expect(Number(field(first, 'content-length'))).toBeGreaterThan(0);
    expect(client.text).toBe('');
  });

  it('keeps the connection of an HTTP/1.0 client that asks for it, and says so', async () => {
    const { port } = await rig.plane(['127.0.0.1:1'], settings);
    const client = rig.client(port).send('GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    const got = await answer(client);
    expectProblem(got, 404, 'route_not_found');
    expect(field(got, 'connection')).toBe('keep-alive');
  });
});

describe('a request body', () => {
  it('that announces more than the limit is answered 413 before the upstream is asked', async () => {
    const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
    const { port } = await rig.plane([upstream.endpoint], { limits: { body: '10B' } });
    const client = rig.client(port).send(post('12345678901'));
    expectProblem(await answer(client), 413, 'body_too_large');
    await client.ended();
    expect(upstream.sockets).toHaveLength(0);
    expect((await answer(rig.client(port).send(post('1234567890')))).status).toBe(200);
  });

  it('that turns out larger than the limit is answered 413, and the upstream request broken off', async () => {
    const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
    const { port } = await rig.plane([upstream.endpoint], { limits: { body: '10B' } });
    const client = rig
      .client(port)
      .send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n');
    await upstream.until(() => upstream.pending[0]?.includes('abcde') ?? false);
    client.send('6\r\nfghijk\r\n0\r\n\r\n');
    expectProblem(await answer(client), 413, 'body_too_large');
    await upstream.until(() => upstream.ended[0]!);
    expect(upstream.requests).toHaveLength(0);
  });

  it.each([
    ['a size that is no number', 'xyz\r\n'],
    ['data that runs over', '3\r\nabcd\r\n0\r\n\r\n'],
    ['a bare line feed after a size', '3\nabc\r\n0\r\n\r\n'],
    ['a forbidden trailer', '3\r\nabc\r\n0\r\nContent-Length: 9\r\n\r\n'],
    ['a trailer of ours', '3\r\nabc\r\n0\r\nX-Experiment: a=b\r\n\r\n'],
  ])('in broken chunks (%s) is answered 400 and never completed upstream', async (_, body) => {
    const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port).send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
    await upstream.until(() => upstream.pending[0]?.includes('\r\n\r\n') ?? false);
    expectProblem(await answer(client.send(body)), 400, 'chunk_malformed');
    await upstream.until(() => upstream.ended[0]!);
    expect(upstream.requests).toHaveLength(0);
  });
});

describe('an upstream that cannot be used', () => {
  it('because it refuses connections is 502 upstream_connect_failed, and the client keeps its connection', async () => {
    // Nobody has this port, and nobody gets it by asking for a free one.
    const { port } = await rig.plane(['127.0.0.1:2']);
    const client = rig.client(port);
    for (let i = 0; i < 2; i++) {
      const got = await answer(client.send(get()));
      expectProblem(got, 502, 'upstream_connect_failed');
      expect(field(got, 'connection')).toBeNull();
    }
  });

  it('because its name or its socket is not there is 502 upstream_connect_failed', async () => {
    const { port } = await rig.plane(['unix:/nonexistent/app.sock']);
    expectProblem(await answer(rig.client(port).send(get())), 502, 'upstream_connect_failed');
  });

  it.each(['FIN', 'RST'])('because it closes without answering (%s) is 502 upstream_reset', async (how) => {
    const upstream = await rig.upstream(({ socket }) =>
      how === 'FIN' ? socket.end() : socket.resetAndDestroy(),
    );
    const { port } = await rig.plane([upstream.endpoint]);
    expectProblem(await answer(rig.client(port).send(get())), 502, 'upstream_reset');
  });

  it.each(['FIN', 'RST'])('because it closes inside its head (%s) is 502 upstream_reset', async (how) => {
    const upstream = await rig.upstream(({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Le', () =>
        how === 'FIN' ? socket.end() : socket.resetAndDestroy(),
      );
    });
    const { port } = await rig.plane([upstream.endpoint]);
    expectProblem(await answer(rig.client(port).send(get())), 502, 'upstream_reset');
  });

  it('because all its connections are taken is 503 overloaded, at once', async () => {
    const upstream = await rig.upstream(({ socket, startLine }) => {
      if (startLine.includes('/free')) socket.write(ok());
    });
    const { port } = await rig.plane([], {
      upstreams: { app: { endpoints: [upstream.endpoint], connectionsMax: 1 } },
    });
    const holding = rig.client(port).send(get('/hold'));
    await upstream.request();
    expectProblem(await answer(rig.client(port).send(get('/free'))), 503, 'overloaded');
    holding.socket.resetAndDestroy();
    await upstream.until(() => upstream.ended[0]!);
    expect((await answer(rig.client(port).send(get('/free')))).status).toBe(200);
  });

  it.each([
    ['no HTTP at all', 'SSH-2.0-OpenSSH\r\n'],
    ['a bare line feed', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    [
      'a length and chunks',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a folded line', 'HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\nContent-Length: 0\r\n\r\n'],
    ['HTTP/2', 'HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n'],
    [
      'a chunk size in the first packet that is none',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    ],
    [
      'chunks for no status that has a body',
      'HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
  ])(
    'because it answers with %s is 502 upstream_malformed, and its connection is not used again',
    async (_, text) => {
      const upstream = await rig.upstream(({ socket, startLine }) => {
        socket.write(startLine.includes('/good') ? ok('good') : text);
      });
      const { port } = await rig.plane([upstream.endpoint]);
      const client = rig.client(port).send(get());
      expectProblem(await answer(client), 502, 'upstream_malformed');
      expect((await answer(client.send(get('/good')))).body).toBe('good');
      expect(upstream.sockets).toHaveLength(2);
    },
  );

  it('because its head has no end is 502 upstream_malformed', async () => {
    const upstream = await rig.upstream(({ socket }) =>
      socket.write(`HTTP/1.1 200 OK\r\nX: ${'a'.repeat(2000)}`),
    );
    const { port } = await rig.plane([upstream.endpoint], { limits: { head: '1KiB', target: '100B' } });
    expectProblem(await answer(rig.client(port).send(get())), 502, 'upstream_malformed');
  });

  it('because the breaker of the last resort is open is 503 with Retry-After, and nobody is asked', async () => {
    const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
    const { port, plane } = await rig.plane([upstream.endpoint], {
      routes: [{ name: 'all', upstream: 'app', experiments: ['test'] }],
      experiments: {
        test: {
          owner: 'a',
          hypothesis: 'b',
          salt: 'test-1',
          variants: { control: { weight: '100%' }, candidate: { weight: '0%' } },
          fallback: 'control',
          breaker: {},
        },
      },
    });
    expect(plane.trip('all/test/control', 4500, 'test')).toBe(true);
    const client = rig.client(port);
    const got = await answer(client.send(get('/', 'X-User-Id: u\r\n')));
    expectProblem(got, 503, 'breaker_open');
    expect(field(got, 'retry-after')).toBe('5');
    expect(upstream.sockets).toHaveLength(0);
    plane.reset('all/test/control', 'test');
    expect((await answer(client.send(get('/', 'X-User-Id: u\r\n')))).status).toBe(200);
  });
});

describe('what is logged of an answer of our own', () => {
  it('is its code, and the route only when there is one', async () => {
    const { port, access } = await rig.plane(['unix:/nonexistent/app.sock']);
    await answer(rig.client(port).send(get()));
    expect(access).toMatchObject([
      { status: 502, code: 'upstream_connect_failed', route: 'all', method: 'GET' },
    ]);
  });
});

describe('a fault of ours', () => {
  it('costs the one request it happens in: 500 internal, and the connection goes on', async () => {
    const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
    const plane = await rig.plane([upstream.endpoint]);
    const { plan } = plane.plane;
    const match = plan.match.bind(plan);
    plan.match = () => {
      throw new Error('planted');
    };
    const client = rig.client(plane.port).send(get());
    const got = await answer(client);
    expectProblem(got, 500, 'internal');
    expect(JSON.stringify(got.problem)).not.toContain('planted');
    plan.match = match;
    client.send(get());
    expect((await answer(client)).status).toBe(200);
    expect(plane.plane.inFlight()).toBe(0);
  });
});
