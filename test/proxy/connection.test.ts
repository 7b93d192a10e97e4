/** Connections on both sides: kept, reused, shared out, half-closed, broken off, and closed so that nobody loses bytes. */
import { describe, expect, it } from 'vitest';
import { forwardPlane, MINUTE_MS, STANDING } from '../support/forward-clock.ts';
import { field } from '../support/message.ts';
import { answer, get, ok, useRig } from '../support/rig.ts';

const rig = useRig();

/** Answers with the target of the request. */
const echoing = () => rig.upstream(({ socket, startLine }) => socket.write(ok(startLine.split(' ')[1]!)));

/** An upstream that holds its answers until the test gives them. */
const holding = () => rig.upstream(() => {});

describe('keep-alive', () => {
  it('serves request after request on one connection to each side', async () => {
    const upstream = await echoing();
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port);
    for (let i = 0; i < 20; i++) {
      const got = await answer(client.send(get(`/${i}`)));
      expect(got.body).toBe(`/${i}`);
      expect(field(got, 'connection')).toBeNull();
    }
    expect(upstream.sockets).toHaveLength(1);
  });

  it('ends for the client that says Connection: close, while the upstream connection is kept', async () => {
    const upstream = await echoing();
    const { port } = await rig.plane([upstream.endpoint]);
    const first = rig.client(port).send(get('/a', 'Connection: close\r\n'));
    expect(field(await answer(first), 'connection')).toBe('close');
    await first.ended();
    expect((await answer(rig.client(port).send(get('/b')))).body).toBe('/b');
    expect(upstream.sockets).toHaveLength(1);
  });

  it('ends for the upstream that says Connection: close, while the client connection is kept', async () => {
    const upstream = await rig.upstream(({ socket }) => socket.write(ok('x', 'Connection: close\r\n')));
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port);
    for (let i = 0; i < 3; i++) expect(field(await answer(client.send(get())), 'connection')).toBeNull();
    expect(upstream.sockets).toHaveLength(3);
    await upstream.until(() => upstream.ended.every((isEnded) => isEnded));
  });

  it('is what an HTTP/1.0 upstream has only when it says so', async () => {
    const upstream = await rig.upstream(({ socket, startLine }) => {
      const connection = startLine.includes('keep') ? 'Connection: Keep-Alive\r\n' : '';
      socket.write(`HTTP/1.0 200 OK\r\n${connection}Content-Length: 0\r\n\r\n`);
    });
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port);
    await answer(client.send(get('/keep')));
    await answer(client.send(get('/keep')));
    await answer(client.send(get('/drop')));
    expect(upstream.sockets).toHaveLength(1);
    await answer(client.send(get('/keep')));
    expect(upstream.sockets).toHaveLength(2);
  });

  it('is refused an upstream that will drop it sooner than it could be used', async () => {
    const upstream = await rig.upstream(({ socket }) => socket.write(ok('x', 'Keep-Alive: timeout=0\r\n')));
    const { port } = await rig.plane([upstream.endpoint]);
    await answer(rig.client(port).send(get()));
    await upstream.left();
  });

  it('is shown to an HTTP/1.0 client that asks for it, and ends for one that does not', async () => {
    const upstream = await echoing();
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port);
    const first = await answer(client.send('GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n'));
    expect([first.body, field(first, 'connection')]).toEqual(['/a', 'keep-alive']);
    const second = await answer(client.send('GET /b HTTP/1.0\r\n\r\n'));
    expect([second.body, field(second, 'connection')]).toEqual(['/b', 'close']);
    await client.ended();
  });

  it('ends for an HTTP/1.0 client whose response has no length, which only the close can end', async () => {
    const upstream = await rig.upstream(({ socket }) =>
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: 1\r\n\r\n'),
    );
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port).send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    await client.ended();
    const got = await answer(client);
    expect([got.body, got.framing, field(got, 'connection')]).toEqual(['abc', 'close', 'close']);
  });

  it('goes on after answers without a body: HEAD, 204, 304', async () => {
    const upstream = await rig.upstream(({ socket, startLine }) => {
      if (startLine.startsWith('HEAD')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n');
      else if (startLine.includes('204')) socket.write('HTTP/1.1 204 No Content\r\n\r\n');
      else socket.write('HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\nETag: "a"\r\n\r\n');
    });
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port);
    const head = await answer(client.send('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n'), { isBodiless: true });
    expect(field(head, 'content-length')).toBe('1000');
    expect((await answer(client.send(get('/204')))).status).toBe(204);
    expect(field(await answer(client.send(get('/304'))), 'content-length')).toBe('1000');
    expect(upstream.sockets).toHaveLength(1);
  });
});

describe('the pool', () => {
  it('hands out the connection that came back last, so that surplus ones run into their idle limit', async () => {
    const upstream = await holding();
    const { port, plane, forward } = await forwardPlane(rig, [upstream.endpoint], {
      timeouts: { upstreamIdle: '1h', idle: '9h' },
    });
    const clients = [0, 1, 2].map(() => rig.client(port).send(get()));
    await upstream.until(() => upstream.requests.length === 3);
    const order = [1, 2, 0];
    for (const n of order) {
      upstream.requests[n]!.socket.write(ok());
      const idle = order.indexOf(n) + 1;
      await expect.poll(() => plane.upstreams()[0]!.endpoints[0]!.idle, { interval: 5 }).toBe(idle);
    }
    for (const client of clients) await answer(client);
    // The last to come back is used again and again; the other two are closed when their time is over.
    const last = upstream.requests[0]!.connection;
    const client = rig.client(port);
    for (let i = 0; i < 3; i++) {
      await forward(25 * MINUTE_MS);
      const n = upstream.requests.length;
      client.send(get());
      const request = await upstream.request(n);
      expect(request.connection).toBe(last);
      request.socket.write(ok());
      await answer(client);
    }
    await upstream.until(() => upstream.ended.filter((isEnded) => isEnded).length === 2);
    expect(upstream.ended[last]).toBe(false);
    expect(upstream.sockets).toHaveLength(3);
  });

  it('does not share a connection between two requests at one time', async () => {
    const upstream = await holding();
    const { port } = await rig.plane([upstream.endpoint]);
    const first = rig.client(port).send(get('/1'));
    const second = rig.client(port).send(get('/2'));
    await upstream.until(() => upstream.requests.length === 2);
    expect(new Set(upstream.requests.map(({ connection }) => connection)).size).toBe(2);
    for (const { socket, startLine } of upstream.requests) socket.write(ok(startLine));
    expect((await answer(first)).body).toBe('GET /1 HTTP/1.1');
    expect((await answer(second)).body).toBe('GET /2 HTTP/1.1');
  });

  it('takes the endpoints of an upstream in turn', async () => {
    const [a, b] = [await echoing(), await echoing()];
    const { port } = await rig.plane([a.endpoint, b.endpoint]);
    const client = rig.client(port);
    for (let i = 0; i < 10; i++) await answer(client.send(get()));
    expect([a.requests.length, b.requests.length]).toEqual([5, 5]);
  });

  it('forgets a connection that the upstream closes while idle', async () => {
    const upstream = await echoing();
    const { port, plane } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port);
    await answer(client.send(get()));
    expect(plane.upstreams()[0]!.endpoints[0]).toMatchObject({ open: 1, idle: 1 });
    upstream.sockets[0]!.end();
    await upstream.until(() => upstream.closed[0]!);
    expect(plane.upstreams()[0]!.endpoints[0]).toMatchObject({ open: 0, idle: 0 });
    expect((await answer(client.send(get()))).status).toBe(200);
  });
});

describe('bytes that nobody asked for', () => {
  const surplus = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison';

  it('in the same packet behind a response never answer the next request', async () => {
    const upstream = await rig.upstream(({ socket, startLine }) =>
      socket.write(startLine.includes('first') ? ok('first') + surplus : ok('second')),
    );
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port);
    expect((await answer(client.send(get('/first')))).body).toBe('first');
    expect((await answer(client.send(get('/second')))).body).toBe('second');
    expect(upstream.sockets).toHaveLength(2);
    expect(client.text).toBe('');
  });

  it.each([
    ['a response to HEAD', 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n', ok('body')],
    ['a 204', get(), 'HTTP/1.1 204 No\r\n\r\nbody'],
    ['a last chunk', get(), 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX'],
  ])('behind %s cost the connection', async (_, request, response) => {
    const upstream = await rig.upstream(({ socket }) => socket.write(response));
    const { port } = await rig.plane([upstream.endpoint]);
    const isBodiless = request.startsWith('HEAD');
    await answer(rig.client(port).send(request), { isBodiless });
    await upstream.left();
  });

  it('on an idle connection cost that connection', async () => {
    const upstream = await rig.upstream(({ socket, connection }) => socket.write(ok(`on ${connection}`)));
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port);
    expect((await answer(client.send(get()))).body).toBe('on 0');
    upstream.sockets[0]!.write(surplus);
    await upstream.left();
    expect((await answer(client.send(get()))).body).toBe('on 1');
  });
});

describe('a client that goes away', () => {
  it('while its answer is awaited (RST) takes the upstream request with it', async () => {
    const upstream = await holding();
    const { port, access } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port).send(get());
    await upstream.request();
    client.socket.resetAndDestroy();
    await upstream.left();
    expect(access).toMatchObject([{ code: 'client_aborted', outcome: 'ignored' }]);
  });

  it.each(['FIN', 'RST'])(
    'in the middle of its upload (%s) takes the upstream request with it',
    async (how) => {
      const upstream = await holding();
      const { port, access } = await rig.plane([upstream.endpoint]);
      const client = rig
        .client(port)
        .send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
      await upstream.until(() => upstream.pending[0]?.includes('abc') ?? false);
      if (how === 'FIN') client.socket.destroy();
      else client.socket.resetAndDestroy();
      await upstream.left();
      expect(upstream.requests).toHaveLength(0);
      expect(access).toMatchObject([{ code: 'client_aborted' }]);
    },
  );

  it.each(['FIN', 'RST'])(
    'in the middle of its download (%s) takes the upstream response with it',
    async (how) => {
      const upstream = await rig.upstream(({ socket }) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n');
        const block = Buffer.alloc(65_536);
        const send = () => {
          while (!socket.destroyed && socket.write(block));
        };
        socket.on('drain', send);
        send();
      });
      const { port, access } = await rig.plane([upstream.endpoint]);
      const client = rig.client(port).send(get());
      await client.until((text) => text.length > 100_000);
      client.text = '';
      if (how === 'FIN') client.socket.destroy();
      else client.socket.resetAndDestroy();
      await upstream.left();
      expect(access).toMatchObject([{ code: 'client_aborted', status: 200 }]);
    },
  );

  it('before the upstream is connected leaves nothing open', async () => {
    const upstream = await holding();
    const { port, plane } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port);
    client.socket.write(get(), () => client.socket.resetAndDestroy());
    await rig.client(port).send(get('/probe')).socket;
    await upstream.until(() => upstream.requests.some(({ startLine }) => startLine.includes('probe')));
    await upstream.until(() => plane.upstreams()[0]!.endpoints[0]!.open === 1);
    expect(plane.inFlight()).toBe(1);
  });
});

describe('an answer that comes before the request is complete', () => {
  it('is passed on at once, and the connections closed behind it', async () => {
    const upstream = await rig.upstream(
      () => {},
      (socket) =>
        socket.once('data', () => socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno')),
    );
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port).send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc');
    const got = await answer(client);
    expect([got.status, got.body, field(got, 'connection')]).toEqual([413, 'no', 'close']);
    await upstream.left();
    await client.ended();
  });

  it('reaches a client that goes on sending all of its body before it reads', async () => {
    const upstream = await rig.upstream(
      () => {},
      (socket) =>
        socket.once('data', () => socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno')),
    );
    const { port } = await rig.plane([upstream.endpoint], {}, STANDING);
    const client = rig.client(port).send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n');
    await client.until((text) => text.endsWith('no'));
    await new Promise<void>((resolve) => client.socket.write(Buffer.alloc(900_000), () => resolve()));
    client.socket.end();
    await client.until(() => client.isClosed);
    expect(client.isReset).toBe(false);
    expect((await answer(client)).status).toBe(413);
  });

  it('may go on while the request goes on: both directions stream at once', async () => {
    const upstream = await rig.upstream(
      () => {},
      (socket) => {
        let isBegun = false;
        socket.on('data', (chunk) => {
          const text = chunk.toString('latin1');
          if (!isBegun) socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
          isBegun = true;
          if (text.includes('ping')) socket.write('4\r\npong\r\n');
          if (/(^|\n)0\r\n\r\n$/.test(text)) socket.write('0\r\n\r\n');
        });
      },
    );
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port).send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
    await client.until((text) => text.includes('200 OK'));
    for (let i = 1; i <= 3; i++) {
      client.send('4\r\nping\r\n');
      await client.until((text) => text.split('pong').length === i + 1);
    }
    client.send('0\r\n\r\n');
    expect((await answer(client)).body).toBe('pongpongpong');
  });
});

describe('a close after an answer of our own', () => {
  it.each([
    ['400', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\nContent-Length: 5\r\n\r\n', 400],
    ['413', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n', 413],
  ])('lets a client that is still sending read its %s', async (_, head, status) => {
    // It is given some time to go, which does not pass.
    const { port } = await rig.plane(['127.0.0.1:1'], { limits: { body: '1KiB' } }, STANDING);
    const client = rig.client(port);
    client.socket.pause();
    client.send(head);
    // The answer is under way and unread; the body follows in many packets.
    for (let i = 0; i < 50; i++)
      await new Promise<void>((resolve) => client.socket.write(Buffer.alloc(10_000), () => resolve()));
    client.socket.end();
    client.socket.resume();
    await client.until(() => client.isClosed);
    expect(client.isReset).toBe(false);
    expect((await answer(client)).status).toBe(status);
  });

  it('does not wait for ever for a client that goes on sending', async () => {
    const { port, plane } = await rig.plane(['127.0.0.1:1'], { limits: { body: '1KiB' } });
    const socket = rig.socket(port);
    socket.on('data', () => {});
    const block = Buffer.alloc(65_536);
    const send = () => {
      while (!socket.destroyed && socket.write(block));
    };
    socket.on('drain', send);
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\n');
    send();
    await new Promise((resolve) => socket.once('close', resolve));
    expect(plane.listeners[0]!.connections.size).toBe(0);
  });
});
