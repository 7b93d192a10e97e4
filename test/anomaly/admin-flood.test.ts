/**
 * An admin port that is flooded: by connections that say nothing, by requests that never end, and by requests that
 * cost something. The data path has its own connections and does not notice, also where descriptors are few.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Asker } from '../support/ask.ts';
import { residentBytes } from '../support/footprint.ts';
import { runSidecar } from '../support/process.ts';
import { ServiceProcess } from '../support/service-process.ts';

const FEW = ['sh', '-c', 'ulimit -n 256 && exec "$@"', 'sh'];
const FLOOD = 600;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start(through: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-anomaly-'));
  closers.push(() => rmSync(folder, { recursive: true }));
  const service = await ServiceProcess.start('app');
  closers.push(() => service.kill());
  const config = {
    version: 1,
    requireMetadata: false,
    listeners: [{ name: 'inbound', address: '127.0.0.1:0' }],
    admin: { address: '127.0.0.1:0', probeAddress: '127.0.0.1:0' },
    upstreams: { app: service.endpoint },
    experiments: { ranking: { variants: { control: {}, candidate: { weight: '50%' } } } },
    accessLog: { file: 'access.log' },
    exposures: { enabled: false },
  };
  writeFileSync(join(folder, 'config.yaml'), JSON.stringify(config));
  const sidecar = await runSidecar('config.yaml', folder, through);
  closers.push(() => sidecar.child.kill('SIGKILL'));
  return { sidecar };
}

/** Connections, each with this said on it; kept until the end of the test. */
async function flood(port: number, text: string): Promise<Socket[]> {
  const sockets = Array.from({ length: FLOOD }, () => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.resume();
    if (text !== '') socket.write(text);
    closers.push(() => socket.destroy());
    return socket;
  });
  await Promise.all(
    sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve).once('close', resolve))),
  );
  return sockets;
}

describe.skipIf(process.platform !== 'linux').each([
  ['as many descriptors as usual', []],
  ['few descriptors', FEW],
])('an admin port, with %s, that is flooded', (_, through) => {
  it.each([
    ['connections that say nothing', ''],
    ['requests that never end', 'GET /v1/config HTTP/1.1\r\nHost: localhost\r\nX-Slow: '],
    [
      'bodies that never come',
      'POST /v1/explain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n',
    ],
    ['expensive questions', 'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'],
  ])('by %s: no request of the data path fails, and memory is bounded', async (_what, text) => {
    const { sidecar } = await start(through);
    const asker = new Asker(sidecar.ports.inbound!, 8);
    closers.push(() => asker.close());
    const ask = async (count: number) => {
      const results = await Promise.all(Array.from({ length: count }, () => asker.ask()));
      return [...new Set(results.map(({ status, code }) => `${status} ${code}`))];
    };
    // Warm: what comes on top is to be seen.
    expect(await ask(3000)).toEqual(['200 ']);
    const calm = residentBytes(sidecar.child.pid!);
    const sockets = await flood(sidecar.ports.admin!, text);
    // New connections, so that descriptors are asked for: those of before are closed.
    asker.close();
    expect(await ask(400)).toEqual(['200 ']);
    expect(residentBytes(sidecar.child.pid!) - calm).toBeLessThan(64 * 1_048_576);
    // The probes have a port of their own.
    const probes = new Asker(sidecar.ports.probes!);
    closers.push(() => probes.close());
    expect((await probes.ask({ path: '/readyz' })).status).toBe(200);
    for (const socket of sockets) socket.destroy();
    const admin = new Asker(sidecar.ports.admin!);
    closers.push(() => admin.close());
    await expect.poll(async () => (await admin.ask({ path: '/v1/config' })).status).toBe(200);
  });
});
