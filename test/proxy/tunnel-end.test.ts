/** How tunnels end that nobody closed, and what is on record of a tunnel: age, silence, drain, kill. */
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { startPlane, type TestPlane } from '../support/plane.ts';
import { useRig } from '../support/rig.ts';
import {
  ForwardClock,
  metric,
  type RawTunnel,
  rawTunnel,
  switched,
  switchingUpstream,
  upgrade,
} from '../support/tunnel.ts';
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

/** A plane with an experiment between two upstreams; half of the users each, unless told otherwise. */
async function experiment(control: string, candidate: string, clock = systemClock) {
  const yaml = (more: object = {}, variants: object = {}) =>
    JSON.stringify({
      version: 1,
      listeners: [{ name: 'inbound', address: '127.0.0.1:0' }],
      upstreams: { v1: control, v2: candidate },
      routes: [{ name: 'all', upstream: 'v1', experiments: ['chat'] }],
      experiments: {
        chat: {
          variants: { control: { weight: '50%' }, candidate: { weight: '50%', upstream: 'v2' }, ...variants },
          ...more,
        },
      },
    });
  const proxy = await startPlane(yaml(), clock);
  rig.also(() => proxy.close());
  return { ...proxy, yaml };
}

function variantLabels(variant: string): string {
  return `direction="inbound",route="all",experiment="chat",variant="${variant}"`;
}

const ON = (variant: string) => ({
  headers: { 'x-experiment-override': `chat=${variant}`, 'x-user-id': 'u1' },
});

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

async function ended(proxy: Pick<TestPlane, 'access'>) {
  await expect.poll(() => proxy.access.length, { interval: 5, timeout: 5000 }).toBe(1);
  return proxy.access[0]!;
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
    expect(await proxy.plane.drain(5000)).toBe(0);
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
    const drained = tunnel.plane.drain(5000);
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
    const drained = tunnel.plane.drain(5000);
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

  it('leaves a Close of the peers alone', async () => {
    const tunnel = await rawTunnel(rig, { protocol: 'websocket' });
    tunnel.client.send(closeFrame(4001, true));
    await tunnel.upstream.until(() => tunnel.received() === closeFrame(4001, true));
    const drained = tunnel.plane.drain(5000);
    tunnel.socket.end(closeFrame(4001, false), 'latin1');
    expect(await tunnel.client.ended()).toBe(closeFrame(4001, false));
    tunnel.client.socket.end();
    expect(await drained).toBe(0);
    expect(tunnel.received()).toBe(closeFrame(4001, true));
    expect(tunnel.access).toMatchObject([{ closedBy: 'client' }]);
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
    const drained = tunnel.plane.drain(5000);
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
    const drained = plane.drain(5000);
    switchNow();
    await client.ended();
    expect(client.text.endsWith(closeFrame(GOING_AWAY, false))).toBe(true);
    client.socket.end();
    expect(await drained).toBe(0);
  });
});

describe('the variant of a tunnel', () => {
  async function chat(clock = systemClock) {
    const control = await webSocketServer(rig);
    const candidate = await webSocketServer(rig);
    return { control, candidate, ...(await experiment(control.endpoint, candidate.endpoint, clock)) };
  }

  it('stays when the weights change, the experiment is paused or leaves the file, or a breaker trips', async () => {
    const { candidate, control, port, plane, reload, yaml } = await chat();
    const accepted = candidate.accepted();
    const socket = await webSocket(rig, port, ON('candidate'));
    const peer = await accepted;
    reload(yaml({}, { candidate: { weight: '0%', upstream: 'v2' }, control: { weight: '100%' } }));
    reload(yaml({ status: 'paused' }));
    plane.trip('all/chat/candidate', 60_000, 'test');
    reload(
      JSON.stringify({
        version: 1,
        listeners: [{ name: 'inbound', address: '127.0.0.1:0' }],
        upstreams: { v1: control.endpoint },
      }),
    );
    socket.send('still here?');
    expect(String((await once(socket, 'message'))[0])).toBe('still here?');
    expect(peer.readyState).toBe(peer.OPEN);
  });

  it('is left when the experiment is killed: 1001 at both ends, and the next one is the control', async () => {
    const { control, candidate, reload, yaml, ...proxy } = await chat();
    const atCandidate = candidate.accepted();
    const away = await webSocket(rig, proxy.port, ON('candidate'));
    const peer = await atCandidate;
    const stays = await webSocket(rig, proxy.port, ON('control'));
    const codes = Promise.all([closed(away), closed(peer)]);
    reload(yaml({ status: 'killed' }));
    expect(await codes).toEqual([GOING_AWAY, GOING_AWAY]);
    stays.send('and I?');
    expect(String((await once(stays, 'message'))[0])).toBe('and I?');
    const atControl = control.accepted();
    await webSocket(rig, proxy.port, ON('candidate'));
    await atControl;
    expect(await ended(proxy)).toMatchObject({ closedBy: 'killed', outcome: 'ok' });
    expect(await metric(proxy, 'fairlead_tunnels_active', variantLabels('candidate'))).toBe(0);
    expect(await metric(proxy, 'fairlead_tunnels_active', variantLabels('control'))).toBe(1);
    expect(
      await metric(proxy, 'fairlead_tunnels_total', `cause="killed",${variantLabels('candidate')}`),
    ).toBe(1);
  });

  it('is left at once when the experiment is killed before the 101', async () => {
    let switchNow = () => {};
    const candidate = await rig.upstream(({ socket }) => {
      switchNow = () => socket.write(switched('websocket'));
    });
    const control = await rig.upstream(() => {});
    const { port, reload, yaml } = await experiment(control.endpoint, candidate.endpoint);
    const client = rig.client(port);
    client.send(upgrade('websocket', 'x-experiment-override: chat=candidate\r\n'));
    await candidate.request();
    reload(yaml({ status: 'killed' }));
    switchNow();
    await client.until((text) => text.endsWith(closeFrame(GOING_AWAY, false)));
  });

  it('that serves in place of another is not killed with it', async () => {
    const { control, port, plane, reload, yaml } = await chat();
    plane.trip('all/chat/candidate', 60_000, 'test');
    const accepted = control.accepted();
    const socket = await webSocket(rig, port, ON('candidate'));
    const peer = await accepted;
    reload(yaml({ status: 'killed' }));
    socket.send('still here?');
    expect(String((await once(socket, 'message'))[0])).toBe('still here?');
    expect(peer.readyState).toBe(peer.OPEN);
  });
});

describe('on record', () => {
  it('a tunnel is a settled request and an exposure at the switch, and a tunnel until its end', async () => {
    const control = await switchingUpstream(rig);
    const candidate = await switchingUpstream(rig);
    const proxy = await experiment(control.upstream.endpoint, candidate.upstream.endpoint);
    const labels = variantLabels('candidate');
    const client = rig.client(proxy.port);
    client.send(upgrade('echo/1', 'x-experiment-override: chat=candidate\r\nx-user-id: u1\r\n'));
    await client.until((text) => text.endsWith('\r\n\r\n'));
    client.text = '';
    const read = async () => ({
      requests: await metric(proxy, 'fairlead_requests_total', `code_class="1xx",outcome="ok",${labels}`),
      timed: await metric(proxy, 'fairlead_request_duration_seconds_count', labels),
      inFlight: await metric(proxy, 'fairlead_requests_in_flight', labels),
      active: await metric(proxy, 'fairlead_tunnels_active', labels),
      received: await metric(proxy, 'fairlead_tunnel_received_bytes_total', labels),
      sent: await metric(proxy, 'fairlead_tunnel_sent_bytes_total', labels),
      ended: await metric(proxy, 'fairlead_tunnels_total', `cause="upstream",${labels}`),
      lasted: await metric(proxy, 'fairlead_tunnel_duration_seconds_count', labels),
    });
    const open = { requests: 1, timed: 1, inFlight: 0, active: 1, received: 0, sent: 0, ended: 0, lasted: 0 };
    expect(await read()).toEqual(open);
    expect(proxy.exposures).toMatchObject([{ experiment: 'chat', served: 'candidate', reason: 'override' }]);
    expect(proxy.access).toEqual([]);
    client.send('12345');
    await candidate.upstream.until(() => candidate.received() === '12345');
    candidate.upstream.sockets[0]!.end('123');
    await client.ended();
    expect(await read()).toEqual({ ...open, received: 5, sent: 3 });
    client.socket.end();
    await expect.poll(read, { interval: 5 }).toEqual({
      ...open,
      active: 0,
      received: 5,
      sent: 3,
      ended: 1,
      lasted: 1,
    });
    expect(proxy.access).toMatchObject([
      { status: 101, bytesIn: 5, bytesOut: 3, closedBy: 'upstream', outcome: 'ok', code: null },
    ]);
    expect(proxy.exposures).toHaveLength(1);
  });

  it('the length of a tunnel is in the log, and makes nothing slow', async () => {
    const clock = new ForwardClock();
    const candidate = await switchingUpstream(rig);
    const proxy = await experiment('127.0.0.1:9', candidate.upstream.endpoint, clock);
    proxy.reload(proxy.yaml({ breaker: { slow: { threshold: '1s', rate: '10%' } } }));
    const client = rig.client(proxy.port);
    client.send(upgrade('echo/1', 'x-experiment-override: chat=candidate\r\n'));
    await client.until((text) => text.endsWith('\r\n\r\n'));
    clock.forward(600_000);
    client.socket.resetAndDestroy();
    const record = await ended(proxy);
    expect(record).toMatchObject({ outcome: 'ok' });
    expect(record.durationMs).toBeGreaterThan(600_000);
    const labels = variantLabels('candidate');
    expect(await metric(proxy, 'fairlead_tunnel_duration_seconds_sum', labels)).toBeGreaterThan(600);
    expect(await metric(proxy, 'fairlead_request_duration_seconds_sum', labels)).toBeLessThan(60);
  });
});
