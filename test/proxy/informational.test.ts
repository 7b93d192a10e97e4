/** Interim responses: passed on as they come, to clients that can read them, before and never instead of the final one. */
import { describe, expect, it } from 'vitest';
import { field } from '../support/message.ts';
import { answer, get, ok, useRig } from '../support/rig.ts';

const rig = useRig();

const HINTS = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n';

/** An upstream that answers every request with this, whatever it is. */
const answering = (text: string) => rig.upstream(({ socket }) => socket.write(text));

describe('Expect: 100-continue', () => {
  const head = 'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n';

  it('reaches the upstream before the body, its 100 the client, and then the body and the answer follow', async () => {
    const upstream = await rig.upstream(
      ({ socket, body }) => socket.write(ok(body)),
      (socket) =>
        socket.on('data', (chunk) => {
          if (/\r\nexpect: 100-continue\r\n/i.test(chunk.toString('latin1')))
            socket.write('HTTP/1.1 100 Continue\r\n\r\n');
        }),
    );
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port).send(head);
    const interim = await answer(client);
    expect(interim.startLine).toBe('HTTP/1.1 100 Continue');
    expect(upstream.pending[0]!.toLowerCase()).toContain('expect: 100-continue');
    const final = await answer(client.send('hello'));
    expect([final.status, final.body, field(final, 'connection')]).toEqual([200, 'hello', null]);
    expect((await answer(client.send(head))).status).toBe(100);
    expect((await answer(client.send('again'))).body).toBe('again');
    expect(upstream.sockets).toHaveLength(1);
  });

  it('that the upstream declines ends the connection, so that the body cannot be taken for a request', async () => {
    const upstream = await rig.upstream(
      () => {},
      (socket) => socket.once('data', () => socket.write('HTTP/1.1 417 No\r\nContent-Length: 2\r\n\r\nno')),
    );
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port).send(head);
    const final = await answer(client);
    expect([final.status, field(final, 'connection')]).toEqual([417, 'close']);
    await client.ended();
  });

  it('is not waited for: a client that sends its body at once is served, and still gets the 100', async () => {
    const upstream = await rig.upstream(({ socket, body }) =>
      socket.write(`HTTP/1.1 100 Continue\r\n\r\n${ok(body)}`),
    );
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port).send(`${head}hello`);
    expect((await answer(client)).status).toBe(100);
    expect((await answer(client)).body).toBe('hello');
  });

  it('of an HTTP/1.0 client is not passed on, and neither is a 100 to it', async () => {
    const upstream = await rig.upstream(({ socket, body }) =>
      socket.write(`HTTP/1.1 100 Continue\r\n\r\n${ok(body)}`),
    );
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig
      .client(port)
      .send('POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello');
    const final = await answer(client);
    expect([final.status, final.body]).toEqual([200, 'hello']);
    expect(field(upstream.requests[0]!, 'expect')).toBeNull();
  });

  it('of a chunked request lets the chunks through after the 100', async () => {
    const upstream = await rig.upstream(
      ({ socket, body, trailers }) => socket.write(ok(body + trailers.join())),
      (socket) => socket.once('data', () => socket.write('HTTP/1.1 100 Continue\r\n\r\n')),
    );
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig
      .client(port)
      .send('PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n');
    expect((await answer(client)).status).toBe(100);
    expect((await answer(client.send('3\r\nabc\r\n0\r\nX: 1\r\n\r\n'))).body).toBe('abcX: 1');
  });
});

describe('interim responses', () => {
  it('come one by one, before the final answer is there', async () => {
    const upstream = await rig.upstream(() => {});
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port).send(get());
    const { socket } = await upstream.request();
    for (let i = 0; i < 3; i++) {
      socket.write(HINTS);
      const hint = await answer(client);
      expect([hint.status, field(hint, 'link')]).toEqual([103, '</a.css>; rel=preload']);
    }
    socket.write(ok('final'));
    expect((await answer(client)).body).toBe('final');
  });

  it('in one packet with each other and the final answer are all there, in order', async () => {
    const upstream = await answering(
      `HTTP/1.1 102 Processing\r\n\r\n${HINTS}HTTP/1.1 199 Odd\r\nX: y\r\n\r\n${ok('end')}`,
    );
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port);
    for (let round = 0; round < 2; round++) {
      client.send(get());
      const statuses = [];
      for (let i = 0; i < 4; i++) statuses.push((await answer(client)).status);
      expect(statuses).toEqual([102, 103, 199, 200]);
    }
    expect(upstream.sockets).toHaveLength(1);
  });

  it('cut at every byte are the same', async () => {
    const text = `${HINTS}HTTP/1.1 102 Processing\r\n\r\n${ok('end')}`;
    const upstream = await rig.upstream(({ socket, startLine }) => {
      const cut = Number(startLine.split('/')[1]!.split(' ')[0]);
      socket.write(text.slice(0, cut), () => setImmediate(() => socket.write(text.slice(cut))));
    });
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port);
    for (let cut = 1; cut < text.length; cut++) {
      client.send(get(`/${cut}`));
      const statuses = [];
      for (let i = 0; i < 3; i++) statuses.push((await answer(client)).status);
      expect([cut, ...statuses]).toEqual([cut, 103, 102, 200]);
    }
  });

  it('are kept from HTTP/1.0 clients', async () => {
    const upstream = await answering(`HTTP/1.1 100 Continue\r\n\r\n${HINTS}${ok('end')}`);
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port).send('GET / HTTP/1.0\r\n\r\n');
    await client.ended();
    expect(client.text.startsWith('HTTP/1.1 200 OK\r\n')).toBe(true);
  });

  it('lose their hop-by-hop fields', async () => {
    const upstream = await answering(
      `HTTP/1.1 103 Early Hints\r\nConnection: x-hop\r\nX-Hop: 1\r\nX: 2\r\n\r\n${ok()}`,
    );
    const { port } = await rig.plane([upstream.endpoint]);
    expect((await answer(rig.client(port).send(get()))).fields).toEqual([['x', '2']]);
  });

  it('without an end are 502 upstream_malformed', async () => {
    const upstream = await answering('HTTP/1.1 102 Processing\r\n\r\n'.repeat(100));
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port).send(get());
    let got = await answer(client);
    let count = 0;
    while (got.status === 102) {
      count++;
      got = await answer(client);
    }
    expect([got.status, got.problem?.code]).toEqual([502, 'upstream_malformed']);
    expect(count).toBeLessThanOrEqual(32);
  });

  it('with a Transfer-Encoding are 502 upstream_malformed', async () => {
    const upstream = await answering(
      `HTTP/1.1 103 Hints\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${ok()}`,
    );
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port).send(get());
    expect((await answer(client)).problem?.code).toBe('upstream_malformed');
  });

  it('followed by the end of the connection are followed by 502, and nothing is tried again', async () => {
    const upstream = await rig.upstream(({ socket, startLine }) => {
      if (startLine.includes('/warm')) socket.write(ok());
      else socket.end(HINTS);
    });
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port);
    await answer(client.send(get('/warm')));
    client.send(get('/die'));
    expect((await answer(client)).status).toBe(103);
    expect((await answer(client)).problem?.code).toBe('upstream_reset');
    expect(upstream.requests).toHaveLength(2);
  });
});

describe('101', () => {
  const upgraded = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n';

  it.each([
    ['that nobody asked for', get()],
    ['for an Upgrade that Connection does not name', get('/', 'Upgrade: websocket\r\n')],
    ['to an HTTP/1.0 client', 'GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'],
  ])('%s is 502 upstream_malformed', async (_, request) => {
    const upstream = await answering(`${upgraded}anything`);
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port).send(request);
    expect((await answer(client)).problem?.code).toBe('upstream_malformed');
    await upstream.until(() => upstream.ended[0]!);
  });

  it('that does not say to what is 502 upstream_malformed', async () => {
    const upstream = await answering('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\n');
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port).send(get('/', 'Connection: upgrade\r\nUpgrade: websocket\r\n'));
    const got = await answer(client);
    expect([got.status, got.problem?.code]).toEqual([502, 'upstream_malformed']);
  });

  it('to a request whose body is still on its way is 502 upstream_malformed', async () => {
    const upstream = await rig.upstream(
      () => {},
      (socket) => socket.once('data', () => socket.write(upgraded)),
    );
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig
      .client(port)
      .send(
        'POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nab',
      );
    expect((await answer(client)).problem?.code).toBe('upstream_malformed');
    await client.ended();
  });
});
