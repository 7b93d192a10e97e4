/** After a 101: raw tunnels pushed to their limits. */
import { describe, expect, it } from 'vitest';
import { hashOf, MIB, memory, Sink, sendBody } from '../support/flow.ts';
import { ForwardClock, forwarded, MINUTE_MS } from '../support/forward-clock.ts';
import { get, ok, useRig } from '../support/rig.ts';
import { PROTOCOL, rawTunnel, switched, upgrade } from '../support/tunnel.ts';

const rig = useRig();

describe('a tunnel', () => {
  it('carries what the client sent right behind its request', async () => {
    const tunnel = await rawTunnel(rig, { behind: 'early bytes' });
    await tunnel.upstream.until(() => tunnel.received() === 'early bytes');
    tunnel.client.send(' and later ones');
    await tunnel.upstream.until(() => tunnel.received() === 'early bytes and later ones');
  });

  it('carries much that the client sent right behind its request', async () => {
    const behind = 'abcdefghij'.repeat(50_000);
    const tunnel = await rawTunnel(rig, { behind });
    await tunnel.upstream.until(() => tunnel.received().length === behind.length);
    expect(tunnel.received()).toBe(behind);
    tunnel.client.send('!');
    await tunnel.upstream.until(() => tunnel.received().endsWith('!'));
  });

  it('carries what the upstream sent right behind its 101', async () => {
    const tunnel = await rawTunnel(rig, { more: 'hello \xe9' });
    await tunnel.client.until((text) => text.length >= 7);
    expect(tunnel.client.text).toBe('hello \xe9');
  });

  it('carries bytes that look like HTTP, unread', async () => {
    const tunnel = await rawTunnel(rig);
    tunnel.client.send(get('/inside'));
    await tunnel.upstream.until(() => tunnel.received() === get('/inside'));
    tunnel.socket.write(ok('inside'));
    await tunnel.client.until((text) => text === ok('inside'));
  });

  it('half-closed by the client still carries the upstream’s bytes', async () => {
    const tunnel = await rawTunnel(rig);
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
    const tunnel = await rawTunnel(rig);
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
      switchNow = () => socket.write(switched());
    });
    const { port } = await rig.plane([upstream.endpoint], { timeouts: { halfClosed: '1h' } });
    const client = rig.client(port);
    client.socket.end(`${upgrade()}all there is`);
    await upstream.request();
    switchNow();
    await upstream.until(() => upstream.pending[0] === 'all there is' && upstream.ended[0]!);
    upstream.sockets[0]!.end('got it');
    await client.ended();
    expect(client.text.endsWith('\r\n\r\ngot it')).toBe(true);
  });

  it.each(['client', 'upstream'])('reset by its %s is cut for the other', async (who) => {
    const tunnel = await rawTunnel(rig);
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
    const timeouts = {
      tunnelIdle: '4h',
      idle: '1h',
      firstByte: '1h',
      stall: '1h',
      request: '2h',
    };
    const clock = new ForwardClock();
    const tunnel = await rawTunnel(rig, { settings: { timeouts }, clock });
    await forwarded(tunnel, clock, 230 * MINUTE_MS);
    expect(tunnel.plane.listeners[0]!.connections.size).toBe(1);
    await forwarded(tunnel, clock, 10 * MINUTE_MS);
    await tunnel.client.ended();
    await tunnel.upstream.until(() => tunnel.upstream.ended[0]!);
  });

  it.each(['client', 'upstream'])('in which only the %s says anything stays open', async (who) => {
    const clock = new ForwardClock();
    const tunnel = await rawTunnel(rig, { settings: { timeouts: { tunnelIdle: '1h' } }, clock });
    for (let sent = 1; sent <= 4; sent++) {
      (who === 'client' ? tunnel.client.socket : tunnel.socket).write('x');
      const arrived = 'x'.repeat(sent);
      if (who === 'client') await tunnel.upstream.until(() => tunnel.received() === arrived);
      else await tunnel.client.until((text) => text === arrived);
      await forwarded(tunnel, clock, 40 * MINUTE_MS);
      expect(tunnel.plane.listeners[0]!.connections.size).toBe(1);
    }
    expect([tunnel.client.isEnded, tunnel.upstream.ended[0]]).toEqual([false, false]);
  });

  const LENGTH = 64 * MIB;
  /** The head of a binary frame of LENGTH bytes, with a mask from a client; what is behind it is as good as masked. */
  const FRAME = { upstream: '\x82\x7f\0\0\0\0\x04\0\0\0', client: '\x82\xff\0\0\0\0\x04\0\0\0mask' };

  it.each([
    ['client', PROTOCOL],
    ['upstream', PROTOCOL],
    ['client', 'websocket'],
    ['upstream', 'websocket'],
  ] as const)(
    'whose %s does not read holds next to nothing, and loses nothing: 64 MiB of %s',
    async (who, protocol) => {
      const tunnel = await rawTunnel(rig, { protocol });
      const isToClient = who === 'client';
      const reader = isToClient ? tunnel.client.socket : tunnel.socket;
      const writer = isToClient ? tunnel.socket : tunnel.client.socket;
      const head = protocol === 'websocket' ? FRAME[isToClient ? 'upstream' : 'client'] : '';
      const sink = new Sink();
      sink.head = '\r\n\r\n';
      reader.removeAllListeners('data');
      reader.pause();
      const before = memory();
      writer.write(head, 'latin1');
      const sending = sendBody(writer, LENGTH);
      // Until nothing moves.
      for (let last = -1; last !== sending.sent; ) {
        last = sending.sent;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      expect(sending.sent).toBeLessThan(LENGTH);
      expect(memory().buffers - before.buffers).toBeLessThan(MIB);
      let skipped = 0;
      await new Promise<void>((resolve) => {
        reader.on('data', (chunk) => {
          const skip = Math.min(head.length - skipped, chunk.length);
          skipped += skip;
          sink.take(chunk.subarray(skip));
          if (sink.bytes === LENGTH) resolve();
        });
        reader.resume();
      });
      expect(sink.digest()).toBe(hashOf(LENGTH));
    },
  );
});
