/**
 * A disk that is full, under a sidecar in a process of its own: a file system of four megabytes, mounted for that process
 * alone. Requests are answered as ever, changes hold, and when there is room again everything that was kept is written.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Asker } from '../support/ask.ts';
import { residentBytes } from '../support/footprint.ts';
import { runSidecar } from '../support/process.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { hasTools } from '../support/tools.ts';

const TOKEN = 'disk-token';
/** Requests under way: as many as there are connections. */
const AT_ONCE = 16;
/** In a name space of its own, in which it may mount; its process keeps the id that was started. */
const ON_A_SMALL_DISK = [
  'unshare',
  '--user',
  '--map-root-user',
  '--mount',
  'sh',
  '-c',
  'mount -t tmpfs -o size=4m tmpfs small && exec "$@"',
  'sh',
];

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start() {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-anomaly-'));
  closers.push(() => rmSync(folder, { recursive: true }));
  const service = await ServiceProcess.start('app');
  closers.push(() => service.kill());
  const config = {
    version: 1,
    requireMetadata: false,
    listeners: [{ name: 'inbound', address: '127.0.0.1:0' }],
    admin: { address: '127.0.0.1:0', probeAddress: '127.0.0.1:0', token: TOKEN },
    upstreams: { app: service.endpoint },
    experiments: { ranking: { variants: { control: {}, candidate: { weight: '50%' } } } },
    accessLog: { file: 'small/access.log' },
    exposures: { file: 'small/exposures.ndjson' },
    stateFile: 'small/state.json',
    audit: { file: 'small/audit.ndjson' },
  };
  writeFileSync(join(folder, 'config.yaml'), JSON.stringify(config));
  mkdirSync(join(folder, 'small'));
  const sidecar = await runSidecar('config.yaml', folder, ON_A_SMALL_DISK);
  closers.push(() => sidecar.child.kill('SIGKILL'));
  const asker = new Asker(sidecar.ports.inbound!);
  closers.push(() => asker.close());
  const admin = new Asker(sidecar.ports.admin!);
  closers.push(() => admin.close());
  // What is mounted there, only that process sees.
  const small = `/proc/${sidecar.child.pid}/root${folder}/small`;
  return { sidecar, asker, admin, small };
}

/** Until nothing more fits. */
function fill(folder: string): void {
  const { bavail, bsize } = statfsSync(folder);
  try {
    writeFileSync(join(folder, 'filler'), Buffer.alloc(bavail * bsize));
  } catch {
    // Somebody else has written meanwhile.
  }
  expect(statfsSync(folder).bavail).toBe(0);
}

const linesOf = (file: string): unknown[] =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

describe.skipIf(process.platform !== 'linux' || !hasTools('unshare', 'mount'))('a full disk', () => {
  it('costs no request and no change, and no line either once there is room', async () => {
    const { sidecar, asker, admin, small } = await start();
    let asked = 0;
    // A few at a time: none waits for its turn.
    const ask = async (count: number): Promise<void> => {
      for (let left = count; left > 0; left -= AT_ONCE) {
        const all = Array.from({ length: Math.min(left, AT_ONCE) }, () =>
          asker.ask({ headers: { 'x-user-id': `u${asked++}` } }),
        );
        for (const { status, ms } of await Promise.all(all)) {
          expect(status).toBe(200);
          expect(ms).toBeLessThan(5000);
        }
      }
    };
    await ask(200);
    const calm = residentBytes(sidecar.child.pid!);
    await expect.poll(() => linesOf(`${small}/access.log`).length).toBe(200);
    fill(small);
    await ask(2000);
    const exposed = asked;
    const killed = await admin.ask({
      method: 'POST',
      path: '/v1/experiments/ranking:kill',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      body: '{"reason":"test"}',
    });
    // In force, whatever becomes of the file.
    expect(killed.status).toBe(200);
    await expect.poll(() => sidecar.log()).toContain('state.json cannot be written (ENOSPC');
    const said = () =>
      sidecar
        .log()
        .split('\n')
        .filter((line) => line.includes('ENOSPC'));
    // Said once of each file, not once a request.
    await expect.poll(() => said().length).toBe(4);
    await ask(100);
    expect(said()).toHaveLength(4);
    expect(residentBytes(sidecar.child.pid!) - calm).toBeLessThan(64 * 1_048_576);
    unlinkSync(`${small}/filler`);
    await expect.poll(() => linesOf(`${small}/access.log`).length, { timeout: 20_000 }).toBe(asked);
    // Every user had an exposure up to then, and the sidecar would start again with what it was told.
    await expect.poll(() => linesOf(`${small}/exposures.ndjson`).length, { timeout: 20_000 }).toBe(exposed);
    await expect
      .poll(
        () => JSON.parse(readFileSync(`${small}/state.json`, 'utf8')).experiments.ranking.status?.status,
        { timeout: 20_000 },
      )
      .toBe('killed');
    await expect
      .poll(() => linesOf(`${small}/audit.ndjson`), { timeout: 20_000 })
      .toMatchObject([{ id: 1, action: 'set-status', target: 'ranking', reason: 'test' }]);
    await ask(10);
    await expect.poll(() => linesOf(`${small}/access.log`).length).toBe(asked);
    const page = (await admin.ask({ path: '/metrics' })).body;
    expect(page).toContain('fairlead_access_log_dropped_total 0');
    expect(page).toContain('fairlead_exposures_dropped_total 0');
  });
});
