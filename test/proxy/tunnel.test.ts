/** After a 101: WebSocket through the sidecar with the ws package at both ends, and raw tunnels pushed to their limits. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { hashOf, MIB, memory, Sink, sendBody } from '../support/flow.ts';
import { field } from '../support/message.ts';
import type { RawClient } from '../support/peers.ts';
import { answer, get, ok, type Upstream, useRig } from '../support/rig.ts';

const rig = useRig();

const UPGRADE = get('/chat', 'Connection: keep-alive, Upgrade\r\nUpgrade: echo/1\r\n');
const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n';

/** A WebSocket server that sends every message back, behind a plane. */
async function webSocketServer(settings: object = {}) {
  const http = createServer();
  const server = new WebSocketServer({ server: http, maxPayload: 64 * MIB });
  server.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  rig.also(() => {
    for (const socket of server.clients) socket.terminate();
    http.close();
  });
  const address = http.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const proxy = await rig.plane([`127.0.0.1:${port}`], settings);
  return { ...proxy, server };
}

async function webSocket(port: number, path = '/'): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { maxPayload: 64 * MIB });
  socket.on('error', () => {});
  rig.also(() => socket.terminate());
  await once(socket, 'open');
  return socket;
}

interface RawTunnel {
  readonly upstream: Upstream;
  readonly client: RawClient;
  /** The upstream's end. */
  readonly socket: Socket;
  /** What the upstream received behind the head. */
  received(): string;
  readonly access: readonly { code: string | null; status: number }[];
}

/** A raw tunnel; `behind` is sent by the client in the same packet as its request. */
async function rawTunnel(behind = '', settings: object = {}, more = ''): Promise<RawTunnel> {
  const text: string[] = [];
  const upstream = await rig.upstream(
    () => {},
    (socket) => {
      socket.removeAllListeners('data');
      let head = '';
      socket.on('data', (chunk) => {
        if (head.endsWith('\r\n\r\n')) text.push(chunk.toString('latin1'));
        else {
          head += chunk.toString('latin1');
          const end = head.indexOf('\r\n\r\n');
          if (end >= 0) {
            text.push(head.slice(end + 4));
            head = head.slice(0, end + 4);
            socket.write(`${SWITCHED}${more}`);
          }
        }
        upstream.signal.wake();
      });
    },
  );
  const { port, access } = await rig.plane([upstream.endpoint], settings);
  const client = rig.client(port).send(`${UPGRADE}${behind}`);
  const switched = await answer(client);
  expect([switched.status, field(switched, 'connection'), field(switched, 'upgrade')]).toEqual([
    101,
    'upgrade',
    'echo/1',
  ]);
  return { upstream, client, socket: upstream.sockets[0]!, received: () => text.join(''), access };
}

describe('a WebSocket', () => {
  it('carries messages of all sizes up to 5 MB both ways, unchanged', async () => {
    const { port } = await webSocketServer();
    const socket = await webSocket(port, '/chat?room=1');
    for (const size of [0, 1, 125, 126, 65_535, 65_536, 5_000_000]) {
      const message = Buffer.alloc(size, createHash('sha256').update(`${size}`).digest());
      socket.send(message);
      const [got] = (await once(socket, 'message')) as [Buffer];
      expect(got.equals(message)).toBe(true);
    }
    socket.send('text \u{1f600}');
    const [text, isBinary] = (await once(socket, 'message')) as [Buffer, boolean];
    expect([text.toString(), isBinary]).toEqual(['text \u{1f600}', false]);
  });

  it('is negotiated end to end: subprotocol, key and origin pass', async () => {
    const { port, server } = await webSocketServer();
    const seen = once(server, 'connection');
    const socket = new WebSocket(`ws://127.0.0.1:${port}/chat`, ['v2.chat', 'v1.chat'], {
      origin: 'https://shop.example',
    });
    rig.also(() => socket.terminate());
    await once(socket, 'open');
    const [, request] = await seen;
    expect(socket.protocol).toBe('v2.chat');
    expect(request.headers.origin).toBe('https://shop.example');
    expect(request.headers['x-forwarded-for']).toBe('127.0.0.1');
  });

  it('passes pings and pongs both ways', async () => {
    const { port, server } = await webSocketServer();
    const accepted = once(server, 'connection');
    const socket = await webSocket(port);
    const [peer] = (await accepted) as [WebSocket];
    socket.ping('from the client');
    expect(String((await once(socket, 'pong'))[0])).toBe('from the client');
    peer.ping('from the server');
    expect(String((await once(peer, 'pong'))[0])).toBe('from the server');
  });

  it('carries many messages at one time without mixing them up', async () => {
    const { port } = await webSocketServer();
    const sockets = await Promise.all(Array.from({ length: 10 }, () => webSocket(port)));
    await Promise.all(
      sockets.map(async (socket, n) => {
        const got: string[] = [];
        const done = new Promise<void>((resolve) => {
          socket.on('message', (data) => {
            got.push(String(data));
            if (got.length === 200) resolve();
          });
        });
        for (let i = 0; i < 200; i++) socket.send(`${n}:${i}`);
        await done;
        expect(got).toEqual(Array.from({ length: 200 }, (_, i) => `${n}:${i}`));
      }),
    );
  });

  it.each(['client', 'server'])(
    'closed by the %s closes with its code at both ends, and is logged as 101',
    async (who) => {
      const { port, server, access, plane } = await webSocketServer();
      const accepted = once(server, 'connection');
      const socket = await webSocket(port);
      const [peer] = (await accepted) as [WebSocket];
      const closed = Promise.all([once(socket, 'close'), once(peer, 'close')]);
      (who === 'client' ? socket : peer).close(4001, 'bye');
      const [[atClient], [atServer]] = await closed;
      expect([atClient, atServer]).toEqual([4001, 4001]);
      await expect.poll(() => plane.inFlight(), { interval: 5 }).toBe(0);
      expect(access).toMatchObject([{ status: 101, code: null }]);
      expect(plane.upstreams()[0]!.endpoints[0]).toMatchObject({ open: 0, idle: 0 });
    },
  );

  it.each(['client', 'server'])('whose %s is gone is gone for the other', async (who) => {
    const { port, server } = await webSocketServer();
    const accepted = once(server, 'connection');
    const socket = await webSocket(port);
    const [peer] = (await accepted) as [WebSocket];
    const [left, stays] = who === 'client' ? [socket, peer] : [peer, socket];
    const closed = once(stays, 'close');
    left.terminate();
    expect((await closed)[0]).toBe(1006);
  });

  it('that the upstream declines is an ordinary answer, and the connection stays', async () => {
    const upstream = await rig.upstream(({ socket, startLine }) =>
      socket.write(ok(startLine.split(' ')[1]!)),
    );
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port).send(UPGRADE + get('/next'));
    expect((await answer(client)).body).toBe('/chat');
    expect((await answer(client)).body).toBe('/next');
    expect(upstream.sockets).toHaveLength(1);
  });
});

describe('a tunnel', () => {
  it('carries what the client sent right behind its request', async () => {
    const tunnel = await rawTunnel('early bytes');
    await tunnel.upstream.until(() => tunnel.received() === 'early bytes');
    tunnel.client.send(' and later ones');
    await tunnel.upstream.until(() => tunnel.received() === 'early bytes and later ones');
  });

  it('carries much that the client sent right behind its request', async () => {
    const behind = 'abcdefghij'.repeat(50_000);
    const tunnel = await rawTunnel(behind);
    await tunnel.upstream.until(() => tunnel.received().length === behind.length);
    expect(tunnel.received()).toBe(behind);
    tunnel.client.send('!');
    await tunnel.upstream.until(() => tunnel.received().endsWith('!'));
  });

  it('carries what the upstream sent right behind its 101', async () => {
    const tunnel = await rawTunnel('', {}, 'hello \xe9');
    await tunnel.client.until((text) => text.length >= 6);
    expect(Buffer.from(tunnel.client.text, 'latin1').toString()).toBe('hello \xe9');
  });

  it('carries bytes that look like HTTP, unread', async () => {
    const tunnel = await rawTunnel();
    tunnel.client.send(get('/inside'));
    await tunnel.upstream.until(() => tunnel.received() === get('/inside'));
    tunnel.socket.write(ok('inside'));
    await tunnel.client.until((text) => text === ok('inside'));
  });

  it('half-closed by the client still carries the upstream’s bytes', async () => {
    const tunnel = await rawTunnel();
    tunnel.client.socket.end('last');
    await tunnel.upstream.until(() => tunnel.upstream.ended[0]!);
    expect(tunnel.received()).toBe('last');
    tunnel.socket.write('one ');
    await tunnel.client.until((text) => text === 'one ');
    tunnel.socket.end('two');
    await tunnel.client.ended();
    expect(tunnel.client.text).toBe('one two');
    await expect.poll(() => tunnel.access.length, { interval: 5 }).toBe(1);
  });

  it('half-closed by the upstream still carries the client’s bytes', async () => {
    const tunnel = await rawTunnel();
    tunnel.socket.end('last');
    await tunnel.client.ended();
    expect(tunnel.client.text).toBe('last');
    tunnel.client.send('one ');
    await tunnel.upstream.until(() => tunnel.received() === 'one ');
    tunnel.client.socket.end('two');
    await tunnel.upstream.until(() => tunnel.upstream.ended[0]!);
    expect(tunnel.received()).toBe('one two');
    await expect.poll(() => tunnel.access.length, { interval: 5 }).toBe(1);
  });

  it('whose client closed its side before the 101 tells the upstream so, and carries the answer', async () => {
    let switchNow = () => {};
    const upstream = await rig.upstream(({ socket }) => {
      switchNow = () => socket.write(SWITCHED);
    });
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port);
    client.socket.end(`${UPGRADE}all there is`);
    await upstream.request();
    switchNow();
    await upstream.until(() => upstream.pending[0] === 'all there is' && upstream.ended[0]!);
    upstream.sockets[0]!.end('got it');
    await client.ended();
    expect(client.text.endsWith('\r\n\r\ngot it')).toBe(true);
  });

  it.each(['client', 'upstream'])('reset by its %s is cut for the other', async (who) => {
    const tunnel = await rawTunnel();
    if (who === 'client') {
      tunnel.client.socket.resetAndDestroy();
      await tunnel.upstream.until(() => tunnel.upstream.ended[0]! || tunnel.upstream.closed[0]!);
    } else {
      tunnel.socket.resetAndDestroy();
      await tunnel.client.ended();
    }
    await expect.poll(() => tunnel.access.length, { interval: 5 }).toBe(1);
  });

  it('in which nobody says anything is closed when its time is over', async () => {
    const tunnel = await rawTunnel('', {
      timeouts: { tunnelIdle: '200ms', idle: '50ms', firstByte: '50ms', stall: '50ms', request: '100ms' },
    });
    const start = performance.now();
    await tunnel.client.ended();
    expect(performance.now() - start).toBeGreaterThan(100);
    await tunnel.upstream.until(() => tunnel.upstream.ended[0]!);
  });

  it.each(['client', 'upstream'])('in which only the %s says anything stays open', async (who) => {
    const tunnel = await rawTunnel('', { timeouts: { tunnelIdle: '200ms' } });
    let sent = 0;
    const timer = setInterval(() => {
      sent++;
      (who === 'client' ? tunnel.client.socket : tunnel.socket).write('x');
    }, 40);
    rig.also(() => clearInterval(timer));
    await expect.poll(() => sent, { interval: 20, timeout: 3000 }).toBeGreaterThan(12);
    expect([tunnel.client.isEnded, tunnel.upstream.ended[0]]).toEqual([false, false]);
  });

  const LENGTH = 60 * MIB;

  it.each(['client', 'upstream'])(
    'whose %s does not read holds next to nothing, and loses nothing',
    async (who) => {
      const tunnel = await rawTunnel();
      const [reader, writer] =
        who === 'client' ? [tunnel.client.socket, tunnel.socket] : [tunnel.socket, tunnel.client.socket];
      const sink = new Sink();
      sink.head = '\r\n\r\n';
      reader.removeAllListeners('data');
      reader.pause();
      const before = memory();
      const sending = sendBody(writer, LENGTH);
      // Until nothing moves.
      for (let last = -1; last !== sending.sent; ) {
        last = sending.sent;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      expect(sending.sent).toBeLessThan(LENGTH);
      expect(memory().buffers - before.buffers).toBeLessThan(MIB);
      await new Promise<void>((resolve) => {
        reader.on('data', (chunk) => {
          sink.take(chunk);
          if (sink.bytes === LENGTH) resolve();
        });
        reader.resume();
      });
      expect(sink.digest()).toBe(hashOf(LENGTH));
    },
  );
});
