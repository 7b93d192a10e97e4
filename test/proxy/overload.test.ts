/** More connections than there may be: refused early and visibly, in bounded numbers, and taken again afterwards. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import { STANDING } from '../support/forward-clock.ts';
import { field } from '../support/message.ts';
import type { RawClient } from '../support/peers.ts';
import { answer, configOf, get, ok, Signal, useRig } from '../support/rig.ts';
import { hasOpenssl, tlsListener, tlsSocket, useCertificates } from '../support/tls.ts';

const rig = useRig();
const certificates = useCertificates();

async function limited(connectionsMax: number, listener: object = {}, clock?: Clock) {
  const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
  const listeners = [{ name: 'inbound', address: '127.0.0.1:0', connectionsMax, ...listener }];
  const proxy = await rig.plane([upstream.endpoint], { listeners }, clock);
  const { counters } = proxy.plane.metrics;
  return { ...proxy, refused: () => counters.connectionsRefused.value };
}

describe('a connection past the limit of its listener', () => {
  it('is told so at once, before it has sent anything, and taken again when there is room', async () => {
    const { port, refused, plane } = await limited(1);
    const first = rig.client(port);
    expect((await answer(first.send(get()))).status).toBe(200);
    const second = rig.client(port);
    const got = await answer(second);
    expect([got.status, got.problem?.code, got.problem?.side]).toEqual([503, 'overloaded', 'internal']);
    expect([field(got, 'retry-after'), field(got, 'connection')]).toEqual(['1', 'close']);
    expect(got.body).toContain('1 connections');
    await second.ended();
    expect(refused()).toBe(1);
    expect(plane.metrics.localAnswers('overloaded').value).toBe(1);
    first.socket.end();
    await first.until(() => first.isClosed);
    expect((await answer(rig.client(port).send(get()))).status).toBe(200);
  });

  it('is not reset under what it is sending, so that it can read that', async () => {
    const { port } = await limited(1, {}, STANDING);
    await answer(rig.client(port).send(get()));
    const second = rig.client(port);
    second.socket.pause();
    second.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n');
    for (let i = 0; i < 50; i++) await second.sent('x'.repeat(10_000));
    second.socket.end();
    second.socket.resume();
    await second.until(() => second.isClosed);
    expect(second.isReset).toBe(false);
    expect((await answer(second)).status).toBe(503);
  });

  it('is cut off when it does not go', async () => {
    const { port } = await limited(1);
    await answer(rig.client(port).send(get()));
    const second = rig.client(port);
    await second.ended();
    // Its own side stays open; only a write shows that ours is gone.
    const timer = setInterval(() => second.send('x'), 50);
    await second.until(() => second.isClosed);
    clearInterval(timer);
  });

  it('is one of 256 that are told; the rest are closed without a word', async () => {
    const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
    const listeners = [{ name: 'inbound', address: '127.0.0.1:0', connectionsMax: 1 }];
    // Time stands still, so none of them is done with while the others come.
    const { port, plane } = await rig.plane([upstream.endpoint], { listeners }, STANDING);
    const first = rig.client(port);
    await answer(first.send(get()));
    const others = Array.from({ length: 400 }, () => rig.client(port));
    await Promise.all(others.map((client) => client.until(() => client.isEnded || client.isClosed)));
    const told = others.filter(({ text }) => text.startsWith('HTTP/1.1 503'));
    expect(told).toHaveLength(256);
    expect(others.filter(({ text }) => text === '')).toHaveLength(144);
    expect(plane.metrics.counters.connectionsRefused.value).toBe(400);
    // Who was in is not disturbed.
    expect((await answer(first.send(get()))).status).toBe(200);
  });

  it.skipIf(!hasOpenssl)('is closed when it would be TLS: nobody could read the answer', async () => {
    const { port, refused } = await limited(1, tlsListener(certificates.server).listeners[0]);
    const client = () => rig.client(tlsSocket(rig, port, certificates.authority));
    expect((await answer(client().send(get()))).status).toBe(200);
    const second = client();
    await second.until(() => second.isEnded || second.isClosed);
    expect(second.text).toBe('');
    const plain = rig.client(port);
    await plain.until(() => plain.isEnded || plain.isClosed);
    expect(plain.text).toBe('');
    expect(refused()).toBe(2);
  });
});

describe('a process that may not open as many files as its connections take', () => {
  it('says so at start, refuses visibly before it runs out, and goes on when there is room', async () => {
    const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
    const script = fileURLToPath(new URL('../support/few-descriptors.ts', import.meta.url));
    const child = spawn(
      'sh',
      ['-c', 'ulimit -n 192 && exec "$0" "$@"', process.execPath, script, configOf([upstream.endpoint])],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    rig.also(() => child.kill('SIGKILL'));
    let said = '';
    const signal = new Signal();
    child.stdout.on('data', (chunk) => {
      said += chunk;
      signal.wake();
    });
    await signal.until(
      () => said.includes('port '),
      () => said,
    );
    expect(said).toContain('this process may open 192 files');
    expect(said).toContain('10000 wanted, 56 accepted');
    const port = Number(/port (\d+)/.exec(said)![1]);
    const flood = Array.from({ length: 150 }, () => rig.client(port).send(get()));
    // Who is closed without a word hears of an end or of a reset, as it had been read or not.
    const isOver = ({ text, isEnded, isClosed }: RawClient) => text !== '' || isEnded || isClosed;
    await Promise.all(flood.map((client) => client.until(() => isOver(client))));
    const statuses = flood.map(({ text }) => text.slice(9, 12));
    expect(statuses.filter((status) => status === '200')).toHaveLength(56);
    expect(statuses.filter((status) => status === '503')).not.toHaveLength(0);
    expect(statuses).not.toContain('502');
    // What it says comes another way than its answers.
    const full = 'has 56 connections, which is its limit';
    await signal.until(
      () => said.includes(full),
      () => said,
    );
    expect(said.split(full)).toHaveLength(2);
    for (const { socket } of flood) socket.destroy();
    await expect
      .poll(async () => {
        const client = rig.client(port).send(get());
        await client.until(() => isOver(client));
        return client.text.slice(9, 12);
      })
      .toBe('200');
    child.stdin.end();
    await once(child, 'exit');
  });
});
