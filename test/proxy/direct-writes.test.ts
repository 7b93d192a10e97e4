/** Text that goes past the stream: in order with what goes through it, whole, and with the same end when it fails. */
import { once } from 'node:events';
import { connect, createServer, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Outcome, type WriteHandle, writeDirectly, writeHandle } from '../../src/proxy/direct-writes.ts';
import { UpstreamSocket } from '../../src/proxy/upstream-socket.ts';
import { Burst, Writer } from '../../src/proxy/writer.ts';

const closers: (() => unknown)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** Both ends of a connection; `near` has written before. */
async function pair(near: Socket = new Socket(), path?: string): Promise<{ near: Socket; far: Socket }> {
  const server = createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve) =>
    path === undefined ? server.listen(0, '127.0.0.1', resolve) : server.listen(path, resolve),
  );
  const accepted = once(server, 'connection');
  if (path === undefined) near.connect((server.address() as { port: number }).port, '127.0.0.1');
  else near.connect(path);
  const [far] = (await accepted) as [Socket];
  if (near.connecting) await once(near, 'connect');
  near.on('error', () => {});
  far.on('error', () => {});
  closers.push(
    () => near.destroy(),
    () => far.destroy(),
    () => server.close(),
  );
  near.write('.', 'latin1');
  await once(far, 'data');
  far.pause();
  return { near, far };
}

/** Writes until the peer takes no more; answers how much that was. */
function clog(writer: Writer): number {
  let length = 0;
  while (writer.write('x'.repeat(65_536))) length += 65_536;
  return length + 65_536;
}

describe('a direct write', () => {
  it('goes past the stream, over TCP and over a UNIX socket', async () => {
    for (const path of [undefined, join(tmpdir(), `fairlead-direct-${process.pid}.sock`)]) {
      const { near, far } = await pair(undefined, path);
      const write = vi.spyOn(near, 'write');
      const arrived = once(far, 'data');
      expect(writeDirectly(writeHandle(near)!, 'hello \u00ff', near)).toBe(Outcome.sent);
      expect(write).not.toHaveBeenCalled();
      far.resume();
      expect((await arrived)[0].toString('latin1')).toBe('hello \u00ff');
    }
  });

  it('is only for sockets it knows, and for none that is still connecting', async () => {
    class OtherSocket extends Socket {}
    const others: Socket[] = [new OtherSocket()];
    for (const socket of [new Socket(), new UpstreamSocket(), ...others]) {
      const { near } = await pair(socket);
      expect(writeHandle(near) !== null).toBe(!others.includes(socket));
    }
    const { far } = await pair();
    const connecting = connect(far.localPort!, '127.0.0.1');
    closers.push(() => connecting.destroy());
    expect(writeHandle(connecting)).toBeNull();
  });

  it('is refused by a socket that cannot send any more', async () => {
    const { near } = await pair();
    const handle = writeHandle(near) as WriteHandle;
    near.end();
    expect(writeDirectly(handle, 'a', near)).toBe(Outcome.refused);
    near.destroy();
    expect(writeDirectly(handle, 'a', near)).toBe(Outcome.refused);
    await expect.poll(() => near.closed).toBe(true);
    expect(writeDirectly(handle, 'a', near)).toBe(Outcome.refused);
    expect(writeHandle(near)).toBeNull();
  });
});

describe('a direct write that waits', () => {
  it('is followed by all that is written later, in its order, and by one drain or more', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 200_000 })), { maxLength: 20 }),
        async (writes) => {
          const { near, far } = await pair();
          const writer = new Writer(near, new Burst(), false, true);
          const sent = [Buffer.alloc(clog(writer), 'x')];
          expect(writer.isClogged).toBe(true);
          for (const [index, [isText, length]] of writes.entries()) {
            const bytes = Buffer.alloc(length, 97 + index);
            sent.push(bytes);
            expect(writer.write(isText ? bytes.toString('latin1') : bytes)).toBe(false);
          }
          const drained = once(near, 'drain');
          const received: Buffer[] = [];
          far.on('data', (chunk) => received.push(chunk));
          far.resume();
          await drained;
          writer.end();
          await once(far, 'end');
          expect(Buffer.concat(received).equals(Buffer.concat(sent))).toBe(true);
          expect(writer.isClogged).toBe(false);
        },
      ),
      { numRuns: 10 },
    );
  });

  it('is sent whole before the socket ends', async () => {
    const { near, far } = await pair();
    const writer = new Writer(near, new Burst(), false, true);
    const length = clog(writer);
    near.destroySoon();
    let received = 0;
    far.on('data', (chunk) => {
      received += chunk.length;
    });
    far.resume();
    await once(far, 'end');
    expect(received).toBe(length);
  });

  it('is forgotten with a socket that is destroyed', async () => {
    const { near } = await pair();
    const writer = new Writer(near, new Burst(), false, true);
    const drain = vi.fn();
    near.on('drain', drain);
    clog(writer);
    near.destroy();
    await expect.poll(() => near.closed).toBe(true);
    expect(drain).not.toHaveBeenCalled();
  });

  it('closes the socket when the peer resets it', async () => {
    const { near, far } = await pair();
    clog(new Writer(near, new Burst(), false, true));
    far.resetAndDestroy();
    await expect.poll(() => near.closed).toBe(true);
  });

  it('leaves an upstream socket open for what it has still to say', async () => {
    const upstream = new UpstreamSocket({ allowHalfOpen: true });
    const { near, far } = await pair(upstream);
    const writer = new Writer(near, new Burst(), true, true);
    clog(writer);
    far.write('too large');
    await new Promise((resolve) => far.write('!', resolve));
    const said: Buffer[] = [];
    near.on('data', (chunk) => said.push(chunk));
    far.destroy();
    await expect.poll(() => Buffer.concat(said).toString()).toBe('too large!');
    await expect.poll(() => upstream.writeError !== null || near.destroyed).toBe(true);
    expect(writer.write('more')).toBe(false);
  });
});
