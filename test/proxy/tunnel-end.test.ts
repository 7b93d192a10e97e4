/** How tunnels end that nobody closed: of age, of silence, at a drain; and how orderly that is. */
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { ForwardClock, ticked } from '../support/forward-clock.ts';
import { startPlane } from '../support/plane.ts';
import { useRig } from '../support/rig.ts';
import { ended, metric, type RawTunnel, rawTunnel, switched, upgrade } from '../support/tunnel.ts';
import {
  closed,
  closeFrame,
  frame,
  framesIn,
  Opcode,
  webSocket,
  webSocketServer,
} from '../support/websocket.ts';

const rig = useRig();

const GOING_AWAY = 1001;
const LABELS = 'direction="inbound",route="all",experiment="",variant=""';

/** A WebSocket and its server's end, with a plane that has `settings`. */
async function connected(settings: object, clock = systemClock) {
  const server = await webSocketServer(rig);
  const proxy = await startPlane(
    JSON.stringify({
      version: 1,
      listeners: [{ name: 'inbound', address: '127.0.0.1:0' }],
      upstreams: { app: server.endpoint },
      ...settings,
    }),
    clock,
  );
  rig.also(() => proxy.close());
  const accepted = server.accepted();
  const client = await webSocket(rig, proxy.port);
  return { ...proxy, client, peer: await accepted };
}

/** Everything that both raw peers got. */
async function bothEnded(tunnel: RawTunnel): Promise<{ client: string; upstream: string }> {
  await Promise.all([tunnel.client.ended(), tunnel.upstream.left()]);
  return { client: tunnel.client.text, upstream: tunnel.received() };
}

describe('a WebSocket', () => {
  it('that is too old is closed at both ends with 1001, however busy it is', async () => {
    const { client, peer, ...proxy } = await connected({ timeouts: { tunnelMax: '150ms' } });
    const timer = setInterval(() => client.send('x'), 10);
    rig.also(() => clearInterval(timer));
    client.on('close', () => clearInterval(timer));
    expect(await Promise.all([closed(client), closed(peer)])).toEqual([GOING_AWAY, GOING_AWAY]);
    expect(await ended(proxy)).toMatchObject({ closedBy: 'max-age', code: null, outcome: 'ok' });
  });

  it('in which nobody says anything is closed at both ends with 1001', async () => {
    const { client, peer, ...proxy } = await connected({ timeouts: { tunnelIdle: '100ms' } });
    expect(await Promise.all([closed(client), closed(peer)])).toEqual([GOING_AWAY, GOING_AWAY]);
    expect(await ended(proxy)).toMatchObject({ closedBy: 'idle' });
  });

  it('is closed at both ends with 1001 by a drain, which then has nothing to cut', async () => {
    const { client, peer, ...proxy } = await connected({});
    const codes = Promise.all([closed(client), closed(peer)]);
    expect(await proxy.plane.drain(30_000)).toBe(0);
    expect(await codes).toEqual([GOING_AWAY, GOING_AWAY]);
    expect(proxy.access).toMatchObject([{ closedBy: 'drain' }]);
  });
});

describe('an orderly end', () => {
  const MESSAGE = { opcode: Opcode.binary, payload: 'm'.repeat(200) };

  it('waits for the end of the frame that the client is sending', async () => {
    const tunnel = await rawTunnel(rig, { protocol: 'websocket' });
    const message = frame(MESSAGE, true);
    tunnel.client.send(message.slice(0, 50));
    await tunnel.upstream.until(() => tunnel.received().length === 50);
    const drained = tunnel.plane.drain(30_000);
    await tunnel.client.until((text) => text === closeFrame(GOING_AWAY, false));
    tunnel.client.send(message.slice(50) + frame(MESSAGE, true) + closeFrame(4002, true));
    await tunnel.upstream.until(() => tunnel.received().length === message.length + 8);
    // What the client said after it was told to go is dropped, and the Close is ours.
    const got = framesIn(tunnel.received());
    expect(got).toMatchObject([MESSAGE, { opcode: Opcode.close, payload: '\x03\xe9', isMasked: true }]);
    tunnel.socket.write(closeFrame(GOING_AWAY, false), 'latin1');
    await bothEnded(tunnel);
    tunnel.client.socket.end();
    tunnel.socket.end();
    expect(await drained).toBe(0);
  });

  it('waits for the end of the frame that the upstream is sending', async () => {
    const tunnel = await rawTunnel(rig, { protocol: 'websocket' });
    const message = frame(MESSAGE, false);
    tunnel.socket.write(message.slice(0, 3), 'latin1');
    await tunnel.client.until((text) => text.length === 3);
    const drained = tunnel.plane.drain(30_000);
    await tunnel.upstream.until(() => tunnel.received().length === 8);
    expect(framesIn(tunnel.received())).toMatchObject([{ opcode: Opcode.close, payload: '\x03\xe9' }]);
    tunnel.socket.write(message.slice(3) + frame(MESSAGE, false) + closeFrame(4002, false), 'latin1');
    await tunnel.client.until((text) => text === message + closeFrame(GOING_AWAY, false));
    tunnel.client.send(closeFrame(GOING_AWAY, true));
    await bothEnded(tunnel);
    tunnel.client.socket.end();
    tunnel.socket.end();
    expect(await drained).toBe(0);
  });

  /** A WebSocket by hand that has just been told to go, for its age. */
  async function aged(before: (tunnel: RawTunnel) => Promise<void> = async () => {}): Promise<RawTunnel> {
    const clock = new ForwardClock();
    const settings = { timeouts: { tunnelMax: '1h' } };
    const tunnel = await rawTunnel(rig, { protocol: 'websocket', clock, settings });
    await before(tunnel);
    clock.forward(3_600_000);
    await ticked(tunnel);
    return tunnel;
  }

  it('leaves a Close of the peers alone', async () => {
    const tunnel = await aged(async ({ client, upstream, received }) => {
      client.send(closeFrame(4001, true));
      await upstream.until(() => received() === closeFrame(4001, true));
    });
    tunnel.socket.end(closeFrame(4001, false), 'latin1');
    expect(await tunnel.client.ended()).toBe(closeFrame(4001, false));
    tunnel.client.socket.end();
    expect(await ended(tunnel)).toMatchObject({ closedBy: 'client' });
    expect(tunnel.received()).toBe(closeFrame(4001, true));
  });

  it('waits for the client when the upstream is gone', async () => {
    const tunnel = await aged();
    await tunnel.upstream.until(() => tunnel.received().length === 8);
    tunnel.socket.resetAndDestroy();
    expect(await tunnel.client.ended()).toBe(closeFrame(GOING_AWAY, false));
    await ticked(tunnel);
    expect(tunnel.access).toEqual([]);
    tunnel.client.socket.end(closeFrame(GOING_AWAY, true), 'latin1');
    await expect.poll(() => tunnel.client.isClosed, { interval: 5 }).toBe(true);
    expect(tunnel.client.isReset).toBe(false);
    expect(await ended(tunnel)).toMatchObject({ closedBy: 'max-age' });
  });

  it('waits for the upstream when the client is gone', async () => {
    const tunnel = await aged();
    tunnel.client.socket.end(closeFrame(GOING_AWAY, true), 'latin1');
    expect(await ended(tunnel)).toMatchObject({ closedBy: 'max-age' });
    await tunnel.upstream.left();
    const errors: Error[] = [];
    tunnel.socket.on('error', (error) => errors.push(error));
    tunnel.socket.write(frame(MESSAGE, false), 'latin1');
    tunnel.socket.end(closeFrame(GOING_AWAY, false), 'latin1');
    await tunnel.upstream.until(() => tunnel.upstream.closed[0]!);
    expect(errors).toEqual([]);
    expect(framesIn(tunnel.received())).toMatchObject([{ opcode: Opcode.close, payload: '\x03\xe9' }]);
    await expect.poll(() => tunnel.plane.upstreams()[0]!.endpoints[0]!.open, { interval: 5 }).toBe(0);
  });

  it('is the end of the stream for peers that do not answer, and then the end', async () => {
    const clock = new ForwardClock();
    const tunnel = await rawTunnel(rig, { protocol: 'websocket', clock });
    tunnel.client.send(frame(MESSAGE, true).slice(0, 50));
    await tunnel.upstream.until(() => tunnel.received().length === 50);
    const drained = tunnel.plane.drain(60_000);
    await tunnel.client.until((text) => text.length === 4);
    expect([tunnel.client.isEnded, tunnel.upstream.ended[0]]).toEqual([false, false]);
    clock.forward(5000);
    // The frame was not finished: the upstream gets no Close in the middle of it.
    const texts = await bothEnded(tunnel);
    expect(texts).toEqual({
      client: closeFrame(GOING_AWAY, false),
      upstream: frame(MESSAGE, true).slice(0, 50),
    });
    expect(tunnel.access).toEqual([]);
    clock.forward(5000);
    expect(await drained).toBe(0);
    expect(tunnel.access).toMatchObject([{ closedBy: 'drain' }]);
  });

  it('of what calls itself WebSocket and is none is the end of the stream', async () => {
    const tunnel = await rawTunnel(rig, { protocol: 'websocket' });
    tunnel.client.send('no frame');
    tunnel.socket.write('no frame either');
    await tunnel.client.until((text) => text.length === 15);
    await tunnel.upstream.until(() => tunnel.received().length === 8);
    const drained = tunnel.plane.drain(30_000);
    expect(await bothEnded(tunnel)).toEqual({ client: 'no frame either', upstream: 'no frame' });
    tunnel.client.socket.end();
    tunnel.socket.end();
    expect(await drained).toBe(0);
  });

  it('of another protocol is the end of the stream, behind what was sent before', async () => {
    const clock = new ForwardClock();
    const tunnel = await rawTunnel(rig, { clock, settings: { timeouts: { tunnelMax: '1h' } } });
    tunnel.client.socket.pause();
    const sent = 'abcdefghij'.repeat(400_000);
    tunnel.socket.write(sent);
    await expect
      .poll(() => metric(tunnel, 'fairlead_tunnel_sent_bytes_total', LABELS), { interval: 5 })
      .toBeGreaterThan(0);
    clock.forward(3_600_000);
    await tunnel.upstream.left();
    tunnel.client.socket.resume();
    const { client } = await bothEnded(tunnel);
    // What the proxy had not read yet is not waited for.
    expect(sent.startsWith(client)).toBe(true);
    expect(client.length).toBe(await metric(tunnel, 'fairlead_tunnel_sent_bytes_total', LABELS));
    tunnel.client.socket.end();
    expect(await ended(tunnel)).toMatchObject({ closedBy: 'max-age' });
  });

  it('comes at once when the 101 comes during a drain', async () => {
    let switchNow = () => {};
    const upstream = await rig.upstream(({ socket }) => {
      switchNow = () => socket.end(switched('websocket'));
    });
    const { port, plane } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port).send(upgrade('websocket'));
    await upstream.request();
    const drained = plane.drain(30_000);
    switchNow();
    await client.ended();
    expect(client.text.endsWith(closeFrame(GOING_AWAY, false))).toBe(true);
    client.socket.end();
    expect(await drained).toBe(0);
  });
});
