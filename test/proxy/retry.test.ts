/** When a request is sent a second time, and when it must not be: seen from both ends. */
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { field } from '../support/message.ts';
import { answer, get, ok, post, type Upstream, useRig } from '../support/rig.ts';

const rig = useRig();

/**
 * An upstream whose first connection serves /warm and dies, without a word, of the next request on it; later
 * connections serve everything. The request has been seen when it dies: it is a stale connection only to the proxy.
 */
async function dyingOnce(
  how: 'FIN' | 'RST',
  options: { isEveryConnection?: boolean } = {},
): Promise<Upstream> {
  return rig.upstream(({ socket, startLine, connection, body, trailers }) => {
    const isWarm = startLine.includes('/warm');
    if (isWarm || (connection > 0 && !options.isEveryConnection)) socket.write(ok(`${body}${trailers}`));
    else if (how === 'FIN') socket.end();
    else socket.resetAndDestroy();
  });
}

/** A client whose plane has one pooled connection to the upstream. */
async function warm(upstream: Upstream, settings: object = {}) {
  const proxy = await rig.plane([upstream.endpoint], settings);
  const client = rig.client(proxy.port);
  await answer(client.send(get('/warm')));
  return { ...proxy, client };
}

const HOWS = ['FIN', 'RST'] as const;

describe('a pooled connection that turns out dead', () => {
  it.each(
    HOWS.flatMap((how) =>
      (
        [
          ['GET', get(), ''],
          ['HEAD', 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n', ''],
          ['DELETE', 'DELETE / HTTP/1.1\r\nHost: a\r\n\r\n', ''],
          ['OPTIONS', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', ''],
          ['PUT with a small body', post('hello', '', 'PUT'), 'hello'],
          [
            'PUT with a small chunked body',
            'PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX: 1\r\n\r\n',
            'abcdeX: 1',
          ],
          [
            'PUT with an empty chunked body',
            'PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
            '',
          ],
        ] as const
      ).map(([what, request, body]) => [how, what, request, body] as const),
    ),
  )('(%s) under %s is replaced once, and the client never knows', async (how, _, request, body) => {
    const upstream = await dyingOnce(how);
    const { client, access } = await warm(upstream);
    const got = await answer(client.send(request), { isBodiless: request.startsWith('HEAD') });
    expect([got.status, got.body, field(got, 'connection')]).toEqual([200, body, null]);
    const [, first, second] = upstream.requests;
    expect(second!.startLine).toBe(first!.startLine);
    expect(second!.body).toBe(first!.body);
    // The ids are the same: it is one request.
    expect(second!.fields).toEqual(first!.fields);
    expect(upstream.requests).toHaveLength(3);
    expect(access[1]).toMatchObject({ status: 200, retries: 1, code: null, outcome: 'ok' });
    // And the connection to the client goes on.
    expect((await answer(client.send(get('/warm')))).status).toBe(200);
  });

  it.each(HOWS)('(%s) under POST is 502 upstream_reset: it may have been acted on', async (how) => {
    const upstream = await dyingOnce(how);
    const { client, access } = await warm(upstream);
    const got = await answer(client.send(post('hello')));
    expect([got.status, got.problem?.code]).toEqual([502, 'upstream_reset']);
    expect(upstream.requests).toHaveLength(2);
    expect(access[1]).toMatchObject({ retries: 0 });
  });

  it.each(['PATCH', 'UNKNOWN', 'get'])(
    'under %s is 502: nobody knows that it may be repeated',
    async (method) => {
      const upstream = await dyingOnce('FIN');
      const { client } = await warm(upstream);
      expect((await answer(client.send(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`))).status).toBe(502);
      expect(upstream.requests).toHaveLength(2);
    },
  );

  it('under a PUT whose body is larger than is kept is 502', async () => {
    const upstream = await dyingOnce('FIN');
    const { client } = await warm(upstream, { limits: { replay: '1KiB' } });
    const got = await answer(client.send(post('x'.repeat(5000), '', 'PUT')));
    expect([got.status, got.problem?.code]).toEqual([502, 'upstream_reset']);
    expect(upstream.requests).toHaveLength(2);
  });

  it('under a PUT whose body is just as large as is kept is replaced', async () => {
    const upstream = await dyingOnce('FIN');
    const { client } = await warm(upstream, { limits: { replay: '1KiB' } });
    expect((await answer(client.send(post('x'.repeat(1024), '', 'PUT')))).body).toBe('x'.repeat(1024));
  });

  it.each([[100], [100_000], [700_000]])(
    'in the middle of a PUT of %i bytes is replaced, and the rest of the body follows',
    async (size) => {
      let isDead = false;
      const upstream = await rig.upstream(
        ({ socket, body }) => socket.write(ok(body.length === 0 ? '' : `${body.length}`)),
        (socket, connection) => {
          if (connection > 0) return;
          socket.on('data', (chunk) => {
            if (chunk.toString('latin1').startsWith('GET') || isDead) return;
            isDead = true;
            socket.resetAndDestroy();
          });
        },
      );
      const { client } = await warm(upstream, { limits: { replay: '1MiB' } });
      client.send(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size + 1}\r\n\r\n${'x'.repeat(size)}`);
      await upstream.until(() => (upstream.pending[1]?.length ?? 0) >= size);
      const got = await answer(client.send('y'));
      expect([got.status, got.body]).toEqual([200, `${size + 1}`]);
      expect(upstream.requests.map(({ startLine, body }) => [startLine.slice(0, 3), body.length])).toEqual([
        ['GET', 0],
        ['PUT', size + 1],
      ]);
    },
  );

  it('already reset when the first part of a PUT is written is replaced, and the rest of the body follows', async () => {
    const upstream = await rig.upstream(({ socket, body }) => socket.write(ok(body)));
    const { client } = await warm(upstream);
    // Both are there when the proxy looks next, and it sees the client first: its write fails.
    client.send('PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello');
    upstream.sockets[0]!.resetAndDestroy();
    await upstream.until(() => upstream.pending[1]?.endsWith('hello') ?? false);
    expect((await answer(client.send('world'))).body).toBe('helloworld');
  });

  it('under an upgrade is 502', async () => {
    const upstream = await dyingOnce('FIN');
    const { client } = await warm(upstream);
    expect(
      (await answer(client.send(get('/', 'Connection: upgrade\r\nUpgrade: websocket\r\n')))).status,
    ).toBe(502);
    expect(upstream.requests).toHaveLength(2);
  });

  it('is replaced by a new one, not by another pooled one that may be as dead', async () => {
    const held: Socket[] = [];
    const upstream = await rig.upstream(({ socket, startLine, connection }) => {
      if (startLine.includes('/hold')) held.push(socket);
      else if (connection < 3) socket.resetAndDestroy();
      else socket.write(ok(`on ${connection}`));
    });
    const { port } = await rig.plane([upstream.endpoint]);
    const clients = [0, 1, 2].map(() => rig.client(port).send(get('/hold')));
    await upstream.until(() => held.length === 3);
    for (const socket of held) socket.write(ok());
    for (const client of clients) await answer(client);
    expect((await answer(clients[0]!.send(get('/next')))).body).toBe('on 3');
    expect(upstream.requests).toHaveLength(5);
  });

  it('whose replacement dies as well is 502: there is no third attempt', async () => {
    const upstream = await dyingOnce('RST', { isEveryConnection: true });
    const { client, access } = await warm(upstream);
    const got = await answer(client.send(get()));
    expect([got.status, got.problem?.code]).toEqual([502, 'upstream_reset']);
    expect(upstream.requests).toHaveLength(3);
    expect(access[1]).toMatchObject({ status: 502, retries: 1 });
  });

  it('whose replacement cannot be connected is 502: there is no third attempt', async () => {
    const upstream = await dyingOnce('FIN');
    const { client } = await warm(upstream);
    upstream.stopListening();
    const got = await answer(client.send(get()));
    expect([got.status, got.problem?.code]).toEqual([502, 'upstream_connect_failed']);
  });
});

describe('a new connection that dies of its first request', () => {
  it.each(HOWS)(
    '(%s) is 502, and nothing is sent again: the upstream is not stale but broken',
    async (how) => {
      const upstream = await rig.upstream(({ socket }) =>
        how === 'FIN' ? socket.end() : socket.resetAndDestroy(),
      );
      const { port } = await rig.plane([upstream.endpoint]);
      expect((await answer(rig.client(port).send(get()))).problem?.code).toBe('upstream_reset');
      expect(upstream.requests).toHaveLength(1);
    },
  );
});

describe('once a byte of the response is there', () => {
  it.each([
    ['half a status line', 'HTT', 502],
    ['half a head', 'HTTP/1.1 200 OK\r\n', 502],
  ])('(%s) nothing is sent again', async (_, text, status) => {
    const upstream = await rig.upstream(({ socket, startLine }) => {
      if (startLine.includes('/warm')) socket.write(ok());
      else socket.end(text);
    });
    const { client } = await warm(upstream);
    expect((await answer(client.send(get()))).status).toBe(status);
    expect(upstream.requests).toHaveLength(2);
  });

  it('(a whole head) nothing is sent again, and the client sees that the body is not complete', async () => {
    const upstream = await rig.upstream(({ socket, startLine }) => {
      if (startLine.includes('/warm')) socket.write(ok());
      else socket.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab');
    });
    const { client } = await warm(upstream);
    await client.send(get()).ended();
    await expect(answer(client)).rejects.toThrow('closed');
    expect(upstream.requests).toHaveLength(2);
  });
});

describe('an endpoint that cannot be connected', () => {
  it('is passed over for the other one, whatever the method', async () => {
    const dead = await rig.upstream(() => {});
    dead.stopListening();
    const upstream = await rig.upstream(({ socket, body }) => socket.write(ok(body)));
    const { port, access } = await rig.plane([dead.endpoint, upstream.endpoint]);
    const client = rig.client(port);
    for (let i = 0; i < 6; i++) expect((await answer(client.send(post(`body ${i}`)))).body).toBe(`body ${i}`);
    expect(access.reduce((sum, { retries }) => sum + retries, 0)).toBe(3);
    expect(upstream.requests).toHaveLength(6);
  });

  it('is passed over for the other one while the body is still to come', async () => {
    const dead = await rig.upstream(() => {});
    dead.stopListening();
    const upstream = await rig.upstream(({ socket, body }) => socket.write(ok(`${body.length}`)));
    const { port } = await rig.plane([dead.endpoint, upstream.endpoint]);
    for (let i = 0; i < 2; i++) {
      const body = 'z'.repeat(500_000);
      expect((await answer(rig.client(port).send(post(body)))).body).toBe('500000');
    }
  });

  it('like all the others is 502 after two attempts', async () => {
    const endpoints: string[] = [];
    for (let i = 0; i < 3; i++) {
      const dead = await rig.upstream(() => {});
      dead.stopListening();
      endpoints.push(dead.endpoint);
    }
    const { port, plane, access } = await rig.plane(endpoints);
    expect((await answer(rig.client(port).send(get()))).problem?.code).toBe('upstream_connect_failed');
    expect(
      plane
        .upstreams()[0]!
        .endpoints.map(({ connectFailures }) => connectFailures)
        .sort(),
    ).toEqual([0, 1, 1]);
    expect(access).toMatchObject([{ retries: 1, status: 502 }]);
  });
});

describe('an endpoint that breaks new connections under a request', () => {
  it.each([
    ['GET', get(), 200],
    ['POST', post('x'), 502],
  ])(
    'gets no second try: a %s goes to another endpoint if it may be repeated',
    async (_, request, status) => {
      const dying = await rig.upstream(({ socket }) => socket.resetAndDestroy());
      const healthy = await rig.upstream(({ socket }) => socket.write(ok()));
      const { port } = await rig.plane([dying.endpoint, healthy.endpoint]);
      const statuses = [];
      for (let i = 0; i < 4; i++) statuses.push((await answer(rig.client(port).send(request))).status);
      expect(statuses).toContain(200);
      expect(statuses.filter((found) => found !== 200)).toEqual(status === 200 ? [] : [502, 502]);
      expect(dying.requests).toHaveLength(2);
    },
  );
});
