/** WebSocket through the sidecar, with the ws package at both ends. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { MIB } from '../support/flow.ts';
import { answer, get, ok, useRig } from '../support/rig.ts';
import { metric, upgrade } from '../support/tunnel.ts';
import { closed, webSocket, webSocketServer } from '../support/websocket.ts';

const rig = useRig();

/** A client and a server that are connected through a plane. */
async function connected(settings: object = {}) {
  const server = await webSocketServer(rig);
  const proxy = await rig.plane([server.endpoint], settings);
  const accepted = server.accepted();
  const client = await webSocket(rig, proxy.port);
  return { ...proxy, client, peer: await accepted };
}

async function message(socket: WebSocket): Promise<Buffer> {
  return (await once(socket, 'message'))[0] as Buffer;
}

function rawSocket(socket: WebSocket): Socket {
  return (socket as unknown as { _socket: Socket })._socket;
}

describe('a WebSocket', () => {
  it('carries binary messages of all sizes both ways, unchanged, and text as text', async () => {
    const { client } = await connected();
    for (const size of [0, 1, 125, 126, 65_535, 65_536, 5_000_000]) {
      const sent = Buffer.alloc(size, createHash('sha256').update(`${size}`).digest());
      client.send(sent);
      expect((await message(client)).equals(sent)).toBe(true);
    }
    client.send('text \u{1f600}');
    const [text, isBinary] = (await once(client, 'message')) as [Buffer, boolean];
    expect([text.toString(), isBinary]).toEqual(['text \u{1f600}', false]);
  });

  it('carries a message of 64 MiB to the server and back', async () => {
    const { client } = await connected();
    const sent = Buffer.alloc(64 * MIB, 'fairlead');
    client.send(sent);
    expect((await message(client)).equals(sent)).toBe(true);
  });

  it('carries fragments, with a ping between them', async () => {
    const { client, peer } = await connected();
    const pinged = once(peer, 'ping');
    client.send('one, ', { fin: false });
    client.ping('in between');
    client.send('two, ', { fin: false });
    client.send('three', { fin: true });
    expect(String(await message(client))).toBe('one, two, three');
    expect(String((await pinged)[0])).toBe('in between');
  });

  it('passes pings and pongs both ways', async () => {
    const { client, peer } = await connected();
    client.ping('from the client');
    expect(String((await once(client, 'pong'))[0])).toBe('from the client');
    peer.ping('from the server');
    expect(String((await once(peer, 'pong'))[0])).toBe('from the server');
  });

  it('is negotiated end to end: subprotocol, origin and who the client is pass', async () => {
    const server = await webSocketServer(rig);
    const { port } = await rig.plane([server.endpoint]);
    const seen = once(server.server, 'connection');
    const socket = new WebSocket(`ws://127.0.0.1:${port}/chat?room=1`, ['v2.chat', 'v1.chat'], {
      origin: 'https://shop.example',
    });
    rig.also(() => socket.terminate());
    await once(socket, 'open');
    const [, request] = await seen;
    expect(socket.protocol).toBe('v2.chat');
    expect(request.url).toBe('/chat?room=1');
    expect(request.headers.origin).toBe('https://shop.example');
    expect(request.headers['x-forwarded-for']).toBe('127.0.0.1');
  });

  it('with permessage-deflate is compressed from end to end', async () => {
    const server = await webSocketServer(rig, { perMessageDeflate: { threshold: 0 } });
    const proxy = await rig.plane([server.endpoint]);
    const client = await webSocket(rig, proxy.port, { perMessageDeflate: { threshold: 0 } });
    expect(client.extensions).toContain('permessage-deflate');
    for (let i = 0; i < 3; i++) {
      client.send('a'.repeat(MIB));
      expect(String(await message(client))).toBe('a'.repeat(MIB));
    }
    const labels = 'direction="inbound",route="all",experiment="",variant=""';
    for (const name of ['fairlead_tunnel_received_bytes_total', 'fairlead_tunnel_sent_bytes_total']) {
      const bytes = await metric(proxy, name, labels);
      expect(bytes).toBeGreaterThan(0);
      expect(bytes).toBeLessThan(MIB / 10);
    }
  });

  it('carries many messages at one time without mixing them up', async () => {
    const server = await webSocketServer(rig);
    const { port } = await rig.plane([server.endpoint]);
    const sockets = await Promise.all(Array.from({ length: 10 }, () => webSocket(rig, port)));
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

  it.each(['client', 'upstream'] as const)(
    'closed by the %s closes with its code at both ends, and leaves nothing open',
    async (who) => {
      const { client, peer, access, plane } = await connected();
      const codes = Promise.all([closed(client), closed(peer)]);
      (who === 'client' ? client : peer).close(4001, 'bye');
      expect(await codes).toEqual([4001, 4001]);
      await expect.poll(() => plane.inFlight(), { interval: 5 }).toBe(0);
      expect(access).toMatchObject([{ status: 101, code: null, closedBy: who }]);
      expect(plane.upstreams()[0]!.endpoints[0]).toMatchObject({ open: 0, idle: 0 });
    },
  );

  it.each(['client', 'upstream'] as const)('whose %s hangs up is gone for the other', async (who) => {
    const { client, peer } = await connected();
    const [left, stays] = who === 'client' ? [client, peer] : [peer, client];
    const code = closed(stays);
    left.terminate();
    expect(await code).toBe(1006);
  });

  it.each(['client', 'upstream'] as const)(
    'whose %s resets is gone for the other, in the middle of a message',
    async (who) => {
      const { client, peer, access } = await connected();
      const [left, stays] = who === 'client' ? [client, peer] : [peer, client];
      const code = closed(stays);
      left.send(Buffer.alloc(16 * MIB));
      rawSocket(left).resetAndDestroy();
      expect(await code).toBe(1006);
      await expect.poll(() => access.length, { interval: 5 }).toBe(1);
      expect(access[0]).toMatchObject({ status: 101, closedBy: `${who}-reset` });
    },
  );
});

describe('an upgrade that the upstream declines', () => {
  it.each([200, 400, 426])('with %i is an ordinary answer', async (status) => {
    const upstream = await rig.upstream(({ socket }) =>
      socket.write(`HTTP/1.1 ${status} No\r\nUpgrade: other\r\nContent-Length: 5\r\n\r\nno ws`),
    );
    const proxy = await rig.plane([upstream.endpoint]);
    const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/chat`);
    socket.on('error', () => {});
    const [, response] = await once(socket, 'unexpected-response');
    expect(response.statusCode).toBe(status);
    const body: Buffer[] = [];
    for await (const chunk of response) body.push(chunk);
    expect(Buffer.concat(body).toString()).toBe('no ws');
    expect(proxy.access).toMatchObject([{ status, bytesOut: 5, closedBy: null }]);
    const labels = 'direction="inbound",route="all",experiment="",variant=""';
    expect(await metric(proxy, 'fairlead_tunnels_active', labels)).toBe(0);
  });

  it('leaves the connection to the next request', async () => {
    const upstream = await rig.upstream(({ socket, startLine }) =>
      socket.write(ok(startLine.split(' ')[1]!)),
    );
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port).send(upgrade('websocket') + get('/next'));
    expect((await answer(client)).body).toBe('/chat');
    expect((await answer(client)).body).toBe('/next');
    expect(upstream.sockets).toHaveLength(1);
  });
});
