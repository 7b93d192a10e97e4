/**
 * The wall clock jumps, by a day and by ten years, forwards and back, under load. Durations, time limits, breakers and
 * faults go by the clock that never jumps; only what people read shows the new time.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Asker } from '../support/ask.ts';
import { type RunningProcess, runSidecar } from '../support/process.ts';
import { ServiceProcess } from '../support/service-process.ts';

const PRELOAD = fileURLToPath(new URL('../support/jumping-clock.ts', import.meta.url));
const TOKEN = 'clock-token';
const DAY_MS = 86_400_000;
/** What is forced lasts so long: enough for two jumps and a look on a machine that is busy. */
const FORCED_MS = 4000;
const CANDIDATE = { 'x-experiment-override': 'ranking=candidate' };

let folder: string;
let clock: string;
let services: ServiceProcess[];
let sidecar: RunningProcess & { readonly ports: Readonly<Record<string, number>> };
let asker: Asker;
let admin: Asker;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-anomaly-'));
  clock = join(folder, 'clock');
  services = await Promise.all([ServiceProcess.start('control'), ServiceProcess.start('candidate')]);
  const config = {
    version: 1,
    requireMetadata: false,
    listeners: [{ name: 'inbound', address: '127.0.0.1:0' }],
    admin: { address: '127.0.0.1:0', probeAddress: '127.0.0.1:0', token: TOKEN },
    upstreams: { v1: services[0]!.endpoint, v2: services[1]!.endpoint },
    routes: [{ name: 'api', upstream: 'v1', experiments: ['ranking'] }],
    experiments: {
      ranking: {
        variants: { control: {}, candidate: { weight: '50%', upstream: 'v2' } },
        breaker: { window: '10s', minimumRequests: 10, errorRate: '50%', halfOpenRequests: 1 },
      },
    },
    accessLog: { file: 'access.log' },
  };
  writeFileSync(join(folder, 'config.yaml'), JSON.stringify(config));
  const through = ['env', `FAIRLEAD_TEST_CLOCK=${clock}`, `NODE_OPTIONS=--import=${PRELOAD}`];
  sidecar = await runSidecar('config.yaml', folder, through);
  asker = new Asker(sidecar.ports.inbound!, 4);
  admin = new Asker(sidecar.ports.admin!);
});

afterAll(async () => {
  asker.close();
  admin.close();
  sidecar.child.kill('SIGTERM');
  expect(await sidecar.exited).toBe(0);
  await Promise.all(services.map((service) => service.kill()));
  rmSync(folder, { recursive: true });
});

/** The wall clock of the sidecar is off by so much when this resolves. */
async function jumpTo(offsetMs: number): Promise<void> {
  writeFileSync(clock, String(offsetMs));
  if (existsSync(`${clock}.done`)) unlinkSync(`${clock}.done`);
  sidecar.child.kill('SIGUSR2');
  await expect.poll(() => existsSync(`${clock}.done`)).toBe(true);
}

const accessLines = () =>
  readFileSync(join(folder, 'access.log'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { time: number; duration_ms: number; status: number; served: string });

async function change(path: string, body: object): Promise<void> {
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
  const { status } = await admin.ask({ method: 'POST', path, headers, body: JSON.stringify(body) });
  expect([200, 201]).toContain(status);
}

const breaker = async () =>
  JSON.parse((await admin.ask({ path: '/v1/breakers/api/ranking/candidate' })).body) as { state: string };

describe.skipIf(process.platform === 'win32')('a wall clock that jumps', () => {
  it('costs no request under way, and no duration is wrong', async () => {
    let asked = 0;
    let isOver = false;
    const client = async (): Promise<void> => {
      while (!isOver) {
        const { status, ms } = await asker.ask({ headers: CANDIDATE });
        asked++;
        expect(status).toBe(200);
        expect(ms).toBeLessThan(5000);
      }
    };
    await services[1]!.behave({ kind: 'slow', ms: 20 });
    const clients = Promise.all(Array.from({ length: 4 }, client));
    const seen: number[] = [];
    for (const offsetMs of [DAY_MS, -DAY_MS, 3650 * DAY_MS, 0]) {
      await jumpTo(offsetMs);
      const before = asked;
      await expect.poll(() => asked).toBeGreaterThan(before + 20);
      await expect
        .poll(() => accessLines().some(({ time }) => Math.abs(time - Date.now() - offsetMs) < 60_000))
        .toBe(true);
      seen.push(offsetMs);
    }
    isOver = true;
    await clients;
    expect(seen).toHaveLength(4);
    await expect.poll(() => accessLines().length).toBe(asked);
    for (const { duration_ms: ms, served } of accessLines()) {
      expect(ms).toBeGreaterThan(15);
      expect(ms).toBeLessThan(5000);
      expect(served).toBe('candidate');
    }
    await services[1]!.behave({ kind: 'ok' });
  });

  it('opens no breaker, closes none before its time, and keeps none open for longer', async () => {
    await change('/v1/breakers/api/ranking/candidate:trip', { for: `${FORCED_MS}ms`, reason: 'test' });
    const startedMs = performance.now();
    await jumpTo(DAY_MS);
    expect((await breaker()).state).toBe('open');
    await jumpTo(-DAY_MS);
    await expect
      .poll(async () => (await asker.ask({ headers: CANDIDATE })).body, { timeout: 20_000 })
      .toBe('candidate');
    expect(performance.now() - startedMs).toBeGreaterThan(FORCED_MS - 50);
    await expect.poll(async () => (await breaker()).state).toBe('closed');
    await jumpTo(0);
  });

  it('ends no fault before its time, and keeps none for longer', async () => {
    await change('/v1/faults', {
      target: 'ranking/candidate',
      abort: { status: 404 },
      for: `${FORCED_MS}ms`,
    });
    const startedMs = performance.now();
    const status = async () => (await asker.ask({ headers: CANDIDATE })).status;
    await jumpTo(DAY_MS);
    expect(await status()).toBe(404);
    await jumpTo(-DAY_MS);
    await expect.poll(status, { timeout: 20_000 }).toBe(200);
    expect(performance.now() - startedMs).toBeGreaterThan(FORCED_MS - 50);
    expect((await admin.ask({ path: '/v1/faults' })).body).toBe('{"faults":[]}');
    await jumpTo(0);
  });
});
