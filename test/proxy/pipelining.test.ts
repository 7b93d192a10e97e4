/** Requests sent before the answer to the last one is there, and clients that say no more will come. */
import { describe, expect, it } from 'vitest';
import { answer, get, ok, post, useRig } from '../support/rig.ts';

const rig = useRig();

/** A busy machine may pause for longer than the second that there is by default. */
const PATIENT = { timeouts: { halfClosed: '20s' } };

/** Answers with the target of the request. */
const echoing = () => rig.upstream(({ socket, startLine }) => socket.write(ok(startLine.split(' ')[1]!)));

/** An upstream that holds its answers until the test gives them. */
const holding = () => rig.upstream(() => {});

describe('pipelined requests', () => {
  it('are answered in order, each with its own body, whatever order they finish in', async () => {
    const upstream = await echoing();
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port);
    client.send(
      get('/1') +
        post('GET /no HTTP/1.1\r\nHost: a\r\n\r\n') +
        get('/3') +
        get('/4', 'Connection: close\r\n'),
    );
    const bodies = [];
    for (let i = 0; i < 4; i++) bodies.push((await answer(client)).body);
    expect(bodies).toEqual(['/1', '/', '/3', '/4']);
    await client.ended();
    expect(upstream.requests).toHaveLength(4);
  });

  it('are answered in order when they arrive cut at every byte', async () => {
    const upstream = await echoing();
    const { port } = await rig.plane([upstream.endpoint]);
    const text =
      get('/1') +
      'POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX: y\r\n\r\n' +
      get('/3');
    for (let cut = 1; cut < text.length; cut += 1) {
      const client = rig.client(port).send(text.slice(0, cut));
      // The rest in a later packet: after an answer has come, or after the kernel has taken the first.
      await new Promise((resolve) => client.socket.write('', resolve));
      await new Promise(setImmediate);
      client.send(text.slice(cut));
      const bodies = [];
      for (let i = 0; i < 3; i++) bodies.push((await answer(client)).body);
      expect([cut, ...bodies]).toEqual([cut, '/1', '/2', '/3']);
      client.close();
    }
  });

  it('are all answered when the client closes its sending side behind them', async () => {
    const upstream = await echoing();
    const { port } = await rig.plane([upstream.endpoint], PATIENT);
    const client = rig.client(port);
    client.socket.end(get('/1') + get('/2') + get('/3'));
    await client.ended();
    const bodies = [];
    for (let i = 0; i < 3; i++) bodies.push((await answer(client)).body);
    expect(bodies).toEqual(['/1', '/2', '/3']);
  });

  it('behind Connection: close are not answered', async () => {
    const upstream = await echoing();
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port).send(get('/1', 'Connection: close\r\n') + get('/2'));
    await client.ended();
    expect((await answer(client)).body).toBe('/1');
    expect(client.text).toBe('');
    expect(upstream.requests).toHaveLength(1);
  });

  it('by the thousand, more than is parked at one time, are all answered', async () => {
    const upstream = await echoing();
    const { port } = await rig.plane([upstream.endpoint]);
    let text = '';
    for (let i = 0; i < 5000; i++) text += get(`/${i}`, 'X-Padding: aaaaaaaaaaaaaaaaaaaaaaaaa\r\n');
    const client = rig.client(port).send(text);
    for (let i = 0; i < 5000; i++) expect((await answer(client)).body).toBe(`/${i}`);
  });

  it('from a client that reads no answers are not served without end', async () => {
    const body = 'x'.repeat(16_384);
    const upstream = await rig.upstream(({ socket }) => socket.write(ok(body)));
    const { port, plane } = await rig.plane([upstream.endpoint]);
    const socket = rig.socket(port);
    socket.pause();
    // 5000 answers are 80 MB.
    socket.write(get().repeat(5000));
    await upstream.until(() => upstream.requests.length > 100);
    let before = -1;
    while (before !== upstream.requests.length) {
      before = upstream.requests.length;
      await upstream.signal
        .until(
          () => upstream.requests.length > before,
          () => '',
          300,
        )
        .catch(() => {});
    }
    const [connection] = [...plane.listeners[0]!.connections];
    expect(connection!.socket.writableLength).toBeLessThan(1_000_000);
    expect(upstream.requests.length).toBeLessThan(2500);
    // And it goes on as soon as the client reads.
    let received = 0;
    socket.on('data', (chunk) => {
      received += chunk.length;
      upstream.signal.wake();
    });
    socket.resume();
    await upstream.until(() => upstream.requests.length === 5000 && received > 5000 * body.length, 10_000);
  });
});

describe('a half-closed client', () => {
  it('is answered', async () => {
    const upstream = await holding();
    const { port } = await rig.plane([upstream.endpoint], PATIENT);
    const client = rig.client(port);
    client.socket.end(get());
    const request = await upstream.request();
    request.socket.write(ok('late'));
    await client.ended();
    expect((await answer(client)).body).toBe('late');
  });

  it('is answered with a body that needs many packets', async () => {
    const body = 'y'.repeat(3_000_000);
    const upstream = await rig.upstream(({ socket }) => socket.write(ok(body)));
    const { port } = await rig.plane([upstream.endpoint], PATIENT);
    const client = rig.client(port);
    client.socket.end(get());
    await client.ended();
    expect((await answer(client)).body).toBe(body);
  });

  it('whose whole request and end come before the upstream is connected is answered', async () => {
    const upstream = await rig.upstream(({ socket, body }) => socket.end(ok(body)));
    const { port } = await rig.plane([upstream.endpoint], PATIENT);
    for (const text of ['', 'abc', 'z'.repeat(100_000)]) {
      const client = rig.client(port);
      const chunked = `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`;
      client.socket.end(text === '' ? post(text) : chunked);
      await client.ended();
      expect((await answer(client)).body).toBe(text);
    }
  });

  it('whose half body and end come before the upstream is connected is let go', async () => {
    const upstream = await echoing();
    const { port, access } = await rig.plane([upstream.endpoint], PATIENT);
    const client = rig.client(port);
    client.socket.end('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc');
    await client.ended();
    expect(client.text).toBe('');
    await upstream.left();
    expect(access).toMatchObject([{ code: 'client_aborted' }]);
  });

  it('that left half a request behind its last whole one is closed when that is answered', async () => {
    const upstream = await echoing();
    const { port } = await rig.plane([upstream.endpoint], PATIENT);
    const client = rig.client(port);
    client.socket.end(`${get('/1')}GET /half HTTP/1.1\r\nHo`);
    await client.ended();
    expect((await answer(client)).body).toBe('/1');
    expect(upstream.requests).toHaveLength(1);
  });

  it('with half a request is closed at once, and the upstream never asked', async () => {
    const upstream = await echoing();
    const { port } = await rig.plane([upstream.endpoint], PATIENT);
    const client = rig.client(port);
    client.socket.end('GET /half HTTP/1.1\r\nHo');
    await client.ended();
    expect(upstream.sockets).toHaveLength(0);
  });

  it('with half a body breaks the upstream request off', async () => {
    const upstream = await echoing();
    const { port } = await rig.plane([upstream.endpoint], PATIENT);
    const client = rig.client(port);
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc');
    await upstream.until(() => upstream.pending[0]?.endsWith('abc') ?? false);
    client.socket.end();
    await upstream.left();
    expect(upstream.requests).toHaveLength(0);
  });

  it('is let go when its answer does not begin in time', async () => {
    const upstream = await holding();
    const { port, access } = await rig.plane([upstream.endpoint], { timeouts: { halfClosed: '100ms' } });
    const client = rig.client(port);
    client.socket.end(get());
    await client.ended();
    await upstream.left();
    expect(access).toMatchObject([{ code: 'client_aborted' }]);
  });
});
