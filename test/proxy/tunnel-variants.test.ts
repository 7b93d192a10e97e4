/** A tunnel’s variant, which stays unless its experiment is killed or lost, and what is on record of a tunnel. */
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { ForwardClock } from '../support/forward-clock.ts';
import { startPlane } from '../support/plane.ts';
import { useRig } from '../support/rig.ts';
import { ended, metric, switched, switchingUpstream, upgrade } from '../support/tunnel.ts';
import { closed, closeFrame, webSocket, webSocketServer } from '../support/websocket.ts';

const rig = useRig();

const GOING_AWAY = 1001;

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

  it('is left when the experiment is concluded and it has lost, and kept by who has won', async () => {
    const { control, candidate, reload, yaml, ...proxy } = await chat();
    const [atControl, atCandidate] = [control.accepted(), candidate.accepted()];
    const stays = await webSocket(rig, proxy.port, ON('candidate'));
    const away = await webSocket(rig, proxy.port, ON('control'));
    const codes = Promise.all([closed(away), closed(await atControl)]);
    await atCandidate;
    reload(yaml({ status: 'concluded', winner: 'candidate' }));
    expect(await codes).toEqual([GOING_AWAY, GOING_AWAY]);
    stays.send('and I?');
    expect(String((await once(stays, 'message'))[0])).toBe('and I?');
    expect(await ended(proxy)).toMatchObject({ closedBy: 'concluded', outcome: 'ok' });
    const again = candidate.accepted();
    await webSocket(rig, proxy.port, ON('control'));
    await again;
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
