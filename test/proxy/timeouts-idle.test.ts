/** How long a client's connection may be silent, in a head and between requests. */
import { describe, expect, it } from 'vitest';
import { forwardPlane, MINUTE_MS } from '../support/forward-clock.ts';
import { type Answer, answer, get, ok, post, useRig } from '../support/rig.ts';

const rig = useRig();

function problem(got: Answer) {
  return [got.status, got.problem?.code, got.problem?.side];
}

describe('the request head', () => {
  const timeouts = { requestHead: '1h', idle: '3h' };

  it('that stops half-way is answered 408, and the connection closed', async () => {
    const { port, forward, hasRead, connections } = await forwardPlane(rig, ['127.0.0.1:1'], { timeouts });
    const half = 'GET / HTTP/1.1\r\nHo';
    const client = rig.client(port).send(half);
    await hasRead(half.length);
    await forward(55 * MINUTE_MS);
    expect(connections()).toMatchObject([{ isIdle: false }]);
    await forward(5 * MINUTE_MS);
    expect(problem(await answer(client))).toEqual([408, 'request_head_timeout', 'downstream']);
    await client.ended();
  });

  it('that trickles is not given more time', async () => {
    const { port, forward, hasRead } = await forwardPlane(rig, ['127.0.0.1:1'], { timeouts });
    const pieces = ['GET / HTTP/1.1\r\n', 'X: y\r\n', 'X: y\r\n'];
    const client = rig.client(port);
    let sent = 0;
    for (const piece of pieces) {
      client.send(piece);
      sent += piece.length;
      await hasRead(sent);
      await forward(20 * MINUTE_MS);
    }
    expect(problem(await answer(client))[1]).toBe('request_head_timeout');
  });

  it('that never begins costs the connection, without a word', async () => {
    const { port } = await rig.plane(['127.0.0.1:1'], { timeouts: { requestHead: '200ms' } });
    const client = rig.client(port);
    await client.ended();
    expect(client.text).toBe('');
  });

  it('that stops half-way behind an answered request is answered 408, long before the idle limit', async () => {
    const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
    const { port, forward } = await forwardPlane(rig, [upstream.endpoint], { timeouts });
    const client = rig.client(port).send(`${get()}GET /half HTTP/1.1\r\n`);
    expect((await answer(client)).status).toBe(200);
    await forward(60 * MINUTE_MS);
    expect(problem(await answer(client))).toEqual([408, 'request_head_timeout', 'downstream']);
  });

  it('is not hurried while the request before it is being answered', async () => {
    const upstream = await rig.upstream(({ socket, startLine }) => {
      if (startLine.includes('next')) socket.write(ok('next'));
    });
    const { port, forward } = await forwardPlane(rig, [upstream.endpoint], {
      timeouts: { ...timeouts, firstByte: '3h' },
    });
    const client = rig.client(port).send(`${get('/slow')}GET /next HTTP/1.1\r\n`);
    const { socket } = await upstream.request();
    await forward(90 * MINUTE_MS);
    socket.write(ok('slow'));
    expect((await answer(client)).body).toBe('slow');
    expect((await answer(client.send('Host: a\r\n\r\n'))).body).toBe('next');
  });
});

describe('an empty line behind a body', () => {
  const FIRST = `${post('body')}\r\n`;

  const behind = async (timeouts: object) => {
    const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
    const proxy = await forwardPlane(rig, [upstream.endpoint], { timeouts });
    const client = rig.client(proxy.port).send(FIRST);
    expect((await answer(client)).status).toBe(200);
    return { ...proxy, client };
  };

  it('is no head that has begun: the connection is idle, and closed without a word', async () => {
    const { client, forward, connections } = await behind({ requestHead: '1h', idle: '4h' });
    await forward(230 * MINUTE_MS);
    expect(connections()).toHaveLength(1);
    await forward(10 * MINUTE_MS);
    await client.ended();
    expect(client.text).toBe('');
  });

  it('is followed by a request, in pieces or whole', async () => {
    const { client } = await behind({ requestHead: '1h', idle: '1h' });
    expect((await answer(client.send(get()))).status).toBe(200);
    client.send('\r').send('\n').send('GET / HT');
    expect((await answer(client.send('TP/1.1\r\nHost: a\r\n\r\n'))).status).toBe(200);
  });

  it('gives the head behind it no more time than any other', async () => {
    const { client, forward, hasRead } = await behind({ requestHead: '1h', idle: '4h' });
    client.send('G');
    await hasRead(FIRST.length + 1);
    await forward(60 * MINUTE_MS);
    expect(problem(await answer(client))).toEqual([408, 'request_head_timeout', 'downstream']);
  });
});

describe('an idle client connection', () => {
  it('is closed without a word', async () => {
    const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
    const { port, forward, connections } = await forwardPlane(rig, [upstream.endpoint], {
      timeouts: { idle: '1h' },
    });
    const client = rig.client(port).send(get());
    await answer(client);
    await forward(55 * MINUTE_MS);
    expect(connections()).toHaveLength(1);
    await forward(5 * MINUTE_MS);
    await client.ended();
    expect(client.text).toBe('');
    expect(client.isReset).toBe(false);
  });
});

describe('an idle upstream connection', () => {
  it('is closed when its own limit is reached', async () => {
    const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
    const { port } = await rig.plane([upstream.endpoint], { timeouts: { upstreamIdle: '200ms' } });
    await answer(rig.client(port).send(get()));
    await upstream.until(() => upstream.ended[0]!);
  });
});
