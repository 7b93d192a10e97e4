/** Bodies larger than any buffer: byte for byte, and held back where the receiver is slow instead of being held. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { chunked, hashOf, MIB, memory, Sink, sendBody } from '../support/flow.ts';
import { answer, get, ok, useRig } from '../support/rig.ts';

const rig = useRig();

const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const POST_CHUNKED = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';

describe('a large body', () => {
  const LENGTH = 40 * MIB + 12_345;

  it.each([
    ['with a length', `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${LENGTH}\r\n\r\n`, undefined, ''],
    ['in chunks', POST_CHUNKED, chunked, '0\r\n\r\n'],
  ])('%s arrives upstream byte for byte', async (_, head, frame, last) => {
    const sink = new Sink();
    const { createServer } = await import('node:http');
    const server = createServer((request, response) => {
      request.on('data', (chunk) => sink.take(chunk));
      request.on('end', () => response.end('done'));
    });
    sink.head = '\r\n\r\n';
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    rig.also(() => server.close());
    const address = server.address();
    const { port } = await rig.plane([`127.0.0.1:${typeof address === 'object' ? address!.port : 0}`]);
    const client = rig.client(port).send(head);
    await sendBody(client.socket, LENGTH, frame).done;
    expect((await answer(client.send(last), {}, 10_000)).body).toBe('done');
    expect(sink.bytes).toBe(LENGTH);
    expect(sink.digest()).toBe(hashOf(LENGTH));
  });

  it.each([
    ['with a length', `HTTP/1.1 200 OK\r\nContent-Length: ${LENGTH}\r\n\r\n`, '1.1', undefined, ''],
    ['in chunks, to an HTTP/1.0 client', CHUNKED, '1.0', chunked, '0\r\n\r\n'],
    ['ended by the close, to an HTTP/1.0 client', 'HTTP/1.1 200 OK\r\n\r\n', '1.0', undefined, ''],
  ])('%s arrives at the client byte for byte', async (_, head, version, frame, last) => {
    const upstream = await rig.upstream(({ socket }) => {
      socket.write(head);
      sendBody(socket, LENGTH, frame).done.then(() => socket.end(last));
    });
    const { port } = await rig.plane([upstream.endpoint]);
    const socket = rig.socket(port);
    const sink = new Sink();
    socket.on('data', (chunk) => sink.take(chunk));
    socket.write(`GET / HTTP/${version}\r\nHost: a\r\nConnection: close\r\n\r\n`);
    await once(socket, 'end');
    expect(sink.bytes).toBe(LENGTH);
    expect(sink.digest()).toBe(hashOf(LENGTH));
  });
});

describe('backpressure', () => {
  const LENGTH = 300 * MIB;
  /** What the kernel's socket buffers may hold between the two ends, and a little for ours. */
  const IN_BETWEEN_MAX = 100 * MIB;
  /** What the process may hold more than before: the sockets' own buffers, and nothing of the body. */
  const GROWTH_MAX = 2 * MIB;

  /** Resolves when `count` has stopped: nothing moved for a moment, both ends being idle. */
  async function stopped(count: () => number): Promise<number> {
    for (let before = -1; ; ) {
      if (before === count()) return before;
      before = count();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  it('stops the upstream of a client that does not read, holds next to nothing, and loses nothing', async () => {
    let sending = { sent: 0 };
    const upstream = await rig.upstream(({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${LENGTH}\r\n\r\n`);
      sending = sendBody(socket, LENGTH);
    });
    const { port } = await rig.plane([upstream.endpoint]);
    const socket = rig.socket(port);
    const sink = new Sink();
    const before = memory();
    socket.write(get());
    for (const stopAt of [1, 100 * MIB, 200 * MIB]) {
      await new Promise<void>((resolve) => {
        const take = (chunk: Buffer) => {
          sink.take(chunk);
          if (sink.bytes < stopAt) return;
          socket.off('data', take);
          socket.pause();
          resolve();
        };
        socket.on('data', take);
        socket.resume();
      });
      await stopped(() => sending.sent);
      const { buffers, rss } = memory();
      expect(sending.sent - sink.bytes).toBeLessThan(IN_BETWEEN_MAX);
      expect(buffers - before.buffers).toBeLessThan(GROWTH_MAX);
      expect(rss - before.rss).toBeLessThan(30 * MIB);
    }
    await new Promise<void>((resolve) => {
      socket.on('data', (chunk) => {
        sink.take(chunk);
        if (sink.bytes === LENGTH) resolve();
      });
      socket.resume();
    });
    expect(sink.digest()).toBe(hashOf(LENGTH));
  });

  it('stops a client whose upstream does not read, holds next to nothing, and loses nothing', async () => {
    const sink = new Sink();
    let reader: Socket | null = null;
    let stopAt = 1;
    let isStopped = () => {};
    const upstream = await rig.upstream(
      () => {},
      (socket) => {
        reader = socket;
        socket.removeAllListeners('data');
        socket.on('data', (chunk) => {
          sink.take(chunk);
          if (sink.bytes === LENGTH) socket.write(ok());
          if (sink.bytes < stopAt) return;
          socket.pause();
          isStopped();
        });
      },
    );
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port);
    const before = memory();
    let stop = new Promise<void>((resolve) => {
      isStopped = resolve;
    });
    client.send(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${LENGTH}\r\n\r\n`);
    const sending = sendBody(client.socket, LENGTH);
    for (const next of [100 * MIB, 200 * MIB, Number.POSITIVE_INFINITY]) {
      await stop;
      await stopped(() => sending.sent);
      const { buffers, rss } = memory();
      expect(sending.sent - sink.bytes).toBeLessThan(IN_BETWEEN_MAX);
      expect(buffers - before.buffers).toBeLessThan(GROWTH_MAX);
      expect(rss - before.rss).toBeLessThan(30 * MIB);
      stop = new Promise<void>((resolve) => {
        isStopped = resolve;
      });
      stopAt = next;
      reader!.resume();
    }
    expect((await answer(client, {}, 15_000)).status).toBe(200);
    expect(sink.digest()).toBe(hashOf(LENGTH));
  });
});
