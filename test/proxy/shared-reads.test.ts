/**
 * Accepted sockets read into one buffer where Node lets them, and large bodies into one of their own: what anyone
 * else sent never shows, in either way of reading.
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { LARGE_BODY_BYTES, LargeBuffers, NO_LARGE_BUFFERS, ReadBuffer } from '../../src/proxy/read-buffer.ts';
import { readInto } from '../../src/proxy/shared-reads.ts';
import { hashOf, MIB, Sink, sendBody } from '../support/flow.ts';
import { answer, get, ok, post, useRig } from '../support/rig.ts';

const rig = useRig();

/** An accepted socket and the one that connected to it. */
async function pair(): Promise<{ accepted: Socket; client: Socket }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  rig.also(() => server.close());
  const { port } = server.address() as { port: number };
  const client = connect(port, '127.0.0.1');
  const [accepted] = (await once(server, 'connection')) as [Socket];
  rig.also(() => client.destroy());
  rig.also(() => accepted.destroy());
  return { accepted, client };
}

describe('readInto', () => {
  it('reads an accepted socket of this Node into the buffers it is given', async () => {
    const { accepted, client } = await pair();
    const buffers = [Buffer.alloc(4), Buffer.alloc(8), null, null];
    const got: [Buffer, string][] = [];
    const arrived = new Promise<void>((resolve) => {
      const reads = new ReadBuffer(NO_LARGE_BUFFERS);
      reads.next = () => {
        const buffer = buffers.shift() ?? null;
        reads.inUse = buffer ?? reads.inUse;
        return buffer;
      };
      const onRead = (length: number, buffer: Buffer) => {
        got.push([buffer, buffer.toString('latin1', 0, length)]);
        if (got.length === 3) resolve();
      };
      expect(readInto(accepted, { reads, onRead })).toBe(true);
    });
    accepted.resume();
    client.write('abcdefghijklmnop');
    await arrived;
    expect(got.map(([, text]) => text)).toEqual(['abcd', 'efghijkl', 'mnop']);
    expect(got[0]![0]).not.toBe(got[1]![0]);
    expect(got[1]![0]).toBe(got[2]![0]);
    client.end();
    await once(accepted, 'end');
  });

  it('leaves a socket alone that has a buffer already, or is closed', async () => {
    const { accepted, client } = await pair();
    const reader = () => ({ reads: new ReadBuffer(NO_LARGE_BUFFERS), onRead() {} });
    expect(readInto(accepted, reader())).toBe(true);
    expect(readInto(accepted, reader())).toBe(false);
    client.destroy();
    await once(client, 'close');
    expect(readInto(client, reader())).toBe(false);
  });
});

describe('the buffers for large bodies', () => {
  it('are twelve at most, and come back', () => {
    const buffers = new LargeBuffers();
    const lent = Array.from({ length: 12 }, () => buffers.take());
    expect(lent.every((buffer) => buffer !== null)).toBe(true);
    expect(buffers.take()).toBeNull();
    buffers.giveBack(lent[0]!, true);
    expect(buffers.take()).toBe(lent[0]);
  });

  it('are not used again while something is still written from them', () => {
    const buffers = new LargeBuffers();
    const reads = new ReadBuffer(buffers);
    const shared = reads.next();
    reads.enlarge();
    expect(reads.viewMinBytes).toBe(Number.POSITIVE_INFINITY);
    const own = reads.next();
    expect(own).not.toBe(shared);
    expect(reads.next()).toBeNull();
    expect(reads.viewMinBytes).toBe(65_536);
    reads.shrink(false);
    expect(reads.next()).toBe(shared);
    expect(buffers.take()).not.toBe(own);
  });
});

describe.each([true, false])('with nodeInternals: %s', (nodeInternals) => {
  const LENGTH = 6 * LARGE_BODY_BYTES + 12_345;

  it('large bodies on many connections at once arrive as they were sent, both ways', async () => {
    const received: string[] = [];
    const server = createServer((socket) => {
      let sink = new Sink();
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        sink.take(chunk);
        if (sink.bytes < LENGTH) return;
        received.push(sink.digest());
        sink = new Sink();
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${LENGTH}\r\n\r\n`);
        void sendBody(socket, LENGTH);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    rig.also(() => server.close());
    const { port: upstreamPort } = server.address() as { port: number };
    const { port } = await rig.plane([`127.0.0.1:${upstreamPort}`], { nodeInternals });
    const answers = Array.from({ length: 20 }, async () => {
      const socket = rig.socket(port);
      const sink = new Sink();
      const done = new Promise<void>((resolve) => {
        socket.on('data', (chunk) => {
          sink.take(chunk);
          if (sink.bytes === LENGTH) resolve();
        });
        socket.on('close', () => resolve());
      });
      socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${LENGTH}\r\n\r\n`);
      await sendBody(socket, LENGTH).done;
      await done;
      return sink.digest();
    });
    expect(new Set(await Promise.all(answers))).toEqual(new Set([hashOf(LENGTH)]));
    await expect.poll(() => received.length).toBe(20);
    expect(new Set(received)).toEqual(new Set([hashOf(LENGTH)]));
  });

  it('a response that the client takes up late is not what was read for others meanwhile', async () => {
    const large = 2 * MIB;
    const upstream = await rig.upstream(({ socket, startLine }) => {
      if (!startLine.includes('large')) return void socket.write(ok('x'.repeat(70_000)));
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${large}\r\n\r\n`);
      void sendBody(socket, large);
    });
    const { port } = await rig.plane([upstream.endpoint], { nodeInternals });
    const late = rig.socket(port);
    late.pause();
    late.write(get('/large'));
    for (let i = 0; i < 30; i++) await answer(rig.client(port).send(get()));
    const other = new Sink();
    const busy = rig.socket(port);
    busy.on('data', (chunk) => other.take(chunk));
    busy.write(get('/large'));
    await expect.poll(() => other.bytes).toBe(large);
    const sink = new Sink();
    late.on('data', (chunk) => sink.take(chunk));
    late.resume();
    await expect.poll(() => sink.bytes).toBe(large);
    expect([sink.digest(), other.digest()]).toEqual([hashOf(large), hashOf(large)]);
  });

  it('an upload is sent again whole when the pooled connection turns out dead', async () => {
    const body = 'b'.repeat(50_000);
    const upstream = await rig.upstream(({ socket, connection }) => {
      socket.write(ok());
      if (connection === 0) socket.prependOnceListener('data', () => socket.resetAndDestroy());
    });
    const { port } = await rig.plane([upstream.endpoint], { nodeInternals });
    const client = rig.client(port).send(get());
    await answer(client);
    await answer(client.send(post(body, '', 'PUT')));
    expect(upstream.requests.at(-1)!.body).toBe(body);
    expect(upstream.sockets).toHaveLength(2);
  });

  it('what follows a large body in the same packet is the next request', async () => {
    const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
    const { port } = await rig.plane([upstream.endpoint], { nodeInternals });
    const body = 'c'.repeat(2 * LARGE_BODY_BYTES);
    const client = rig.client(port).send(post(body) + get('/second'));
    expect((await answer(client)).status).toBe(200);
    expect((await answer(client)).status).toBe(200);
    expect(upstream.requests.map(({ body }) => body.length)).toEqual([body.length, 0]);
    expect(upstream.requests[1]!.startLine).toBe('GET /second HTTP/1.1');
  });
});
