/** What a client has sent, and what it has seen, when its candidate fails: what control gets of it. */
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { DataPlane } from '../../src/proxy/data-plane.ts';
import { answer, get, ok, post, useRig } from '../support/rig.ts';
import { CANDIDATE, twoArms } from '../support/two-arms.ts';

const rig = useRig();

/** A client of the plane is not read. */
function isHeldBack(plane: DataPlane): boolean {
  return plane.listeners.some(({ connections }) => [...connections].some(({ isPaused }) => isPaused));
}

describe('a body', () => {
  it('that is larger than is kept, once sent, keeps its request with the candidate', async () => {
    const arms = await twoArms(rig, 'end', { config: { limits: { replay: '1KiB' } } });
    const got = await answer(rig.client(arms.port).send(post('x'.repeat(5000), CANDIDATE, 'PUT')));
    expect([got.status, got.problem?.code]).toEqual([502, 'upstream_reset']);
    expect(arms.control.requests).toHaveLength(0);
  });

  it('that came while the candidate was being connected goes to a connection that waits for it', async () => {
    const arms = await twoArms(rig, 'refuse');
    const client = rig.client(arms.port);
    await answer(client.send(get('/', 'x-experiment-override: never\r\n')));
    const body = 'x'.repeat(300_000);
    const got = await answer(client.send(post(body, CANDIDATE)));
    expect([got.status, got.body.length]).toEqual([200, 'control'.length + body.length]);
    expect(arms.control.sockets).toHaveLength(1);
  });

  it('that is half sent is sent to control from its beginning, and the rest follows', async () => {
    const arms = await twoArms(rig, 'reset');
    const client = rig.client(arms.port);
    client.send(`PUT / HTTP/1.1\r\nHost: a\r\n${CANDIDATE}Content-Length: 10\r\n\r\nhello`);
    await arms.control.until(() => arms.control.pending[0]?.endsWith('hello') ?? false);
    expect((await answer(client.send('world'))).body).toBe('controlhelloworld');
    expect(arms.candidate.requests).toHaveLength(0);
  });

  it('that the candidate does not take goes on to control, where a connection waits for it', async () => {
    const control = await rig.upstream(({ socket, body }) => socket.write(ok(`${body.length}`)));
    const deaf: Socket[] = [];
    const candidate = await rig.upstream(
      () => {},
      (socket) => deaf.push(socket.pause()),
    );
    const { port, plane } = await rig.plane([], {
      upstreams: { v1: control.endpoint, v2: candidate.endpoint },
      routes: [{ name: 'api', upstream: 'v1', experiments: ['x'] }],
      experiments: { x: { variants: { control: {}, candidate: { weight: '50%', upstream: 'v2' } } } },
      limits: { replay: '16MiB' },
    });
    const client = rig.client(port);
    await answer(client.send(get('/', 'x-experiment-override: never\r\n')));
    const body = 'x'.repeat(12_000_000);
    client.send(post(body, CANDIDATE, 'PUT'));
    // More than the kernel holds for both: the proxy has stopped to read.
    await expect.poll(() => isHeldBack(plane), { interval: 20, timeout: 20_000 }).toBe(true);
    deaf[0]!.resetAndDestroy();
    expect((await answer(client, {}, 10_000)).body).toBe(`${body.length}`);
    expect(control.sockets).toHaveLength(1);
  });

  it('that the candidate refuses with 503 before it has come is sent to control', async () => {
    const arms = await twoArms(rig, 'hang', { config: { limits: { replay: '1MiB' } } });
    arms.candidate.signal.wake();
    const client = rig.client(arms.port);
    const body = 'y'.repeat(200_000);
    client.send(`PUT / HTTP/1.1\r\nHost: a\r\n${CANDIDATE}Content-Length: ${body.length + 1}\r\n\r\n${body}`);
    await arms.candidate.until(() => (arms.candidate.pending[0]?.length ?? 0) > 100_000);
    arms.candidate.sockets[0]!.write('HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n');
    await arms.control.until(() => (arms.control.pending[0]?.length ?? 0) > 200_000);
    const got = await answer(client.send('z'));
    expect([got.status, got.body]).toEqual([200, `control${body}z`]);
  });
});

describe('what the client has seen', () => {
  it('of an answer ends the matter: after 103 there is no other', async () => {
    const arms = await twoArms(rig, 'hints');
    const client = rig.client(arms.port).send(get('/', CANDIDATE));
    await client.until((text) => text.includes('502'));
    expect(client.text).toContain('103 Early Hints');
    expect(arms.control.requests).toHaveLength(0);
  });

  it('as 100 Continue says nothing of the answer, and control serves', async () => {
    const arms = await twoArms(rig, 'end');
    const client = rig.client(arms.port);
    client.send(`PUT / HTTP/1.1\r\nHost: a\r\n${CANDIDATE}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`);
    await arms.candidate.until(() => arms.candidate.pending[0]?.includes('100-continue') ?? false);
    arms.candidate.sockets[0]!.write('HTTP/1.1 100 Continue\r\n\r\n');
    await client.until((text) => text.endsWith('100 Continue\r\n\r\n'));
    client.text = '';
    expect((await answer(client.send('hello'))).body).toBe('controlhello');
  });
});

describe('an upgrade', () => {
  const UPGRADE = get('/', `${CANDIDATE}Connection: upgrade\r\nUpgrade: websocket\r\n`);

  it.each([
    ['could not be connected', 'refuse'],
    ['answered 503', 503],
  ] as const)('goes to control when the candidate %s', async (_, mood) => {
    const arms = await twoArms(rig, mood);
    expect((await answer(rig.client(arms.port).send(UPGRADE))).body).toBe('control');
  });

  it('that the candidate may have made does not', async () => {
    const arms = await twoArms(rig, 'reset');
    expect((await answer(rig.client(arms.port).send(UPGRADE))).status).toBe(502);
    expect(arms.control.requests).toHaveLength(0);
  });
});
