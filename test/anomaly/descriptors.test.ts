/**
 * A whole sidecar that runs out of file descriptors, because of its clients: what it needs for itself it has kept. It
 * goes on to serve who is in, turns others away in words, and can be reloaded, changed, scraped and stopped meanwhile.
 * `test/proxy/overload.test.ts` has the numbers for the listeners alone.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Asker } from '../support/ask.ts';
import { type RunningProcess, runSidecar } from '../support/process.ts';
import { ServiceProcess } from '../support/service-process.ts';

const DESCRIPTORS = 160;
const FLOOD = 400;
const TOKEN = 'few-token';

let folder: string;
let service: ServiceProcess;
let sidecar: RunningProcess & { readonly ports: Readonly<Record<string, number>> };
let asker: Asker;
let admin: Asker;
const flood: { readonly socket: Socket; text: string; isClosed: boolean }[] = [];

const config = (weight: string): string =>
  JSON.stringify({
    version: 1,
    requireMetadata: false,
    listeners: [{ name: 'inbound', address: '127.0.0.1:0' }],
    admin: { address: '127.0.0.1:0', probeAddress: '127.0.0.1:0', token: TOKEN },
    upstreams: { app: service.endpoint },
    experiments: { ranking: { variants: { control: {}, candidate: { weight } } } },
    accessLog: { file: 'access.log' },
    exposures: { file: 'exposures.ndjson' },
    stateFile: 'state.json',
  });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-anomaly-'));
  service = await ServiceProcess.start('app');
  writeFileSync(join(folder, 'config.yaml'), config('1%'));
  sidecar = await runSidecar('config.yaml', folder, [
    'sh',
    '-c',
    `ulimit -n ${DESCRIPTORS} && exec "$@"`,
    'sh',
  ]);
  asker = new Asker(sidecar.ports.inbound!, 4);
  admin = new Asker(sidecar.ports.admin!, 2);
  // Who is in before the others come.
  for (let i = 0; i < 20; i++) expect((await asker.ask()).status).toBe(200);
  for (let i = 0; i < FLOOD; i++) {
    const one = { socket: connect(sidecar.ports.inbound!, '127.0.0.1'), text: '', isClosed: false };
    one.socket.setEncoding('latin1').on('data', (chunk) => {
      one.text += chunk;
    });
    one.socket.on('error', () => {});
    one.socket.on('close', () => {
      one.isClosed = true;
    });
    one.socket.write('GET /flood HTTP/1.1\r\nHost: a\r\n\r\n');
    flood.push(one);
  }
});

afterAll(async () => {
  asker.close();
  admin.close();
  for (const { socket } of flood) socket.destroy();
  sidecar.child.kill('SIGTERM');
  expect(await sidecar.exited).toBe(0);
  await service.kill();
  rmSync(folder, { recursive: true });
});

describe.skipIf(process.platform !== 'linux')('a sidecar out of descriptors', () => {
  it('has told whom it turned away, and failed nobody whom it had let in', async () => {
    await expect
      .poll(() => flood.every(({ text, isClosed }) => text !== '' || isClosed), { timeout: 20_000 })
      .toBe(true);
    const statuses = flood.map(({ text }) => text.slice(9, 12));
    expect(statuses.filter((status) => status === '200').length).toBeGreaterThan(20);
    expect(statuses.filter((status) => status === '503').length).toBeGreaterThan(0);
    // The rest is closed without a word, and nobody has another answer.
    expect(new Set(statuses)).toEqual(new Set(['200', '503', '']));
    expect((await asker.ask()).status).toBe(200);
    expect(sidecar.log()).toContain(`this process may open ${DESCRIPTORS} files`);
    expect(sidecar.log()).not.toContain('EMFILE');
  });

  it('can still be reloaded, changed and scraped, and writes what it has to write', async () => {
    writeFileSync(join(folder, 'config.yaml'), config('2%'));
    const weight = async () =>
      JSON.parse((await admin.ask({ path: '/v1/experiments/ranking' })).body).variants[1].weight as string;
    await expect.poll(weight, { timeout: 20_000 }).toBe('2%');
    const killed = await admin.ask({
      method: 'POST',
      path: '/v1/experiments/ranking:kill',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      body: '{"reason":"test"}',
    });
    expect(killed.status).toBe(200);
    await expect
      .poll(() => existsSync(join(folder, 'state.json')) && readFileSync(join(folder, 'state.json'), 'utf8'))
      .toContain('killed');
    expect((await admin.ask({ path: '/metrics' })).body).toMatch(
      /^fairlead_downstream_connections_refused_total [1-9]/m,
    );
    const lines = () => readFileSync(join(folder, 'access.log'), 'utf8').split('\n').length;
    const before = lines();
    expect((await asker.ask()).status).toBe(200);
    await expect.poll(lines).toBeGreaterThan(before);
    expect(sidecar.log()).not.toContain('EMFILE');
  });

  it('takes everybody again when the others have gone', async () => {
    for (const { socket } of flood) socket.destroy();
    await expect
      .poll(async () => {
        const fresh = new Asker(sidecar.ports.inbound!, 16);
        const results = await Promise.all(Array.from({ length: 16 }, () => fresh.ask()));
        fresh.close();
        return [...new Set(results.map(({ status }) => status))];
      })
      .toEqual([200]);
  });
});
