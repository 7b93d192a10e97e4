/** Writing in bursts: held for a turn of the event loop, and never out of order, lost or without a bound. */
import { once } from 'node:events';
import { connect, createServer, Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Burst, Writer } from '../../src/proxy/writer.ts';

const closers: (() => unknown)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** Both ends of a connection. */
async function pair(): Promise<{ near: Socket; far: Socket; received: () => string }> {
  const server = createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const accepted = once(server, 'connection');
  const near = connect({ port: (server.address() as { port: number }).port, host: '127.0.0.1' });
  // Until then all is kept in the stream, whatever the writer does.
  const connected = once(near, 'connect');
  const [far] = (await accepted) as [Socket];
  await connected;
  let text = '';
  far.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  near.on('error', () => {});
  closers.push(
    () => near.destroy(),
    () => far.destroy(),
    () => server.close(),
  );
  return { near, far, received: () => text };
}

function holding(): Burst {
  const burst = new Burst();
  burst.tick();
  return burst;
}

describe.each([true, false])('a writer with isDirect %s', (isDirect) => {
  it('sends at once while holding back does not pay', async () => {
    const { near } = await pair();
    const writer = new Writer(near, new Burst(), true, isDirect);
    writer.write('a');
    expect(near.bytesWritten).toBe(1);
  });

  it('sends what was held when the turn is over', async () => {
    const { near, received } = await pair();
    const writer = new Writer(near, holding(), true, isDirect);
    writer.write('a');
    writer.write('b');
    expect(near.bytesWritten).toBe(0);
    await expect.poll(received).toBe('ab');
  });

  it('sends upstream before downstream, whichever was written first', async () => {
    const burst = holding();
    const order: string[] = [];
    const writers = [false, true].map((isUpstream) => new Writer(new Socket(), burst, isUpstream, isDirect));
    for (const writer of writers) {
      writer.flush = () => order.push(writer.isUpstream ? 'up' : 'down');
      burst.add(writer);
    }
    await new Promise((resolve) => setImmediate(resolve));
    expect(order).toEqual(['up', 'down']);
  });

  it('keeps the order of text, bytes, and a head with its body', async () => {
    const { near, received } = await pair();
    const writer = new Writer(near, holding(), false, isDirect);
    writer.write('1');
    writer.write(Buffer.from('2'));
    writer.write('3');
    writer.writeTogether('4', Buffer.from('5'));
    writer.writeTogether('6', '7');
    writer.writeTogether('', Buffer.from('8'));
    writer.writeTogether('9', null);
    writer.end();
    await expect.poll(received).toBe('123456789');
  });

  it('holds no more than 64 KiB for one socket', async () => {
    const { near } = await pair();
    const writer = new Writer(near, holding(), false, isDirect);
    writer.write('x'.repeat(65_536));
    expect(near.bytesWritten).toBe(0);
    writer.write('y');
    expect(near.bytesWritten).toBe(65_537);
  });

  it('says no while the peer takes nothing, and the drain follows', async () => {
    const { near, far } = await pair();
    far.pause();
    const writer = new Writer(near, holding(), false, isDirect);
    let writes = 0;
    while (writer.write('x'.repeat(60_000)) && writes < 10_000) {
      writes++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(writes).toBeLessThan(10_000);
    const drained = once(near, 'drain');
    far.resume();
    await drained;
  });

  it('drops what is held for a socket that is gone', async () => {
    const { near } = await pair();
    const writer = new Writer(near, holding(), false, isDirect);
    writer.write('a');
    near.destroy();
    await new Promise((resolve) => setImmediate(resolve));
    expect(near.bytesWritten).toBe(0);
  });
});

describe('a burst', () => {
  it('stops holding after a trial with few sends a turn, until the next tick', async () => {
    const { near } = await pair();
    const burst = holding();
    const writer = new Writer(near, burst, false, false);
    for (let turn = 0; turn < 8; turn++) {
      expect(burst.isHolding).toBe(true);
      writer.write('a');
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(burst.isHolding).toBe(false);
    burst.tick();
    expect(burst.isHolding).toBe(true);
  });

  it('goes on holding when each turn has many', async () => {
    const burst = holding();
    const writers = await Promise.all(
      Array.from({ length: 4 }, async () => new Writer((await pair()).near, burst, false, false)),
    );
    for (let turn = 0; turn < 9; turn++) {
      for (const writer of writers) writer.write('a');
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(burst.isHolding).toBe(true);
  });
});
