/**
 * DNS that is gone, lies and moves services, under load, for a sidecar in a process of its own: nobody's request fails
 * that somebody could answer, and what is the matter is on record.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Asker } from '../support/ask.ts';
import { DnsServer } from '../support/dns.ts';
import { residentBytes } from '../support/footprint.ts';
import { type RunningProcess, runSidecar } from '../support/process.ts';
import { ServiceProcess } from '../support/service-process.ts';

const NAME = '_http._tcp.candidate.test';
const CLIENTS = 4;

let folder: string;
let dns: DnsServer;
let control: ServiceProcess;
let services: ServiceProcess[];
let sidecar: RunningProcess & { readonly ports: Readonly<Record<string, number>> };
let asker: Asker;
let isOver = false;
let clients: Promise<unknown>;
/** Answers by who gave them, and what was no good answer. */
const served = new Map<string, number>();
const bad: string[] = [];

/** The name leads to these and no others, for a second. */
function point(...to: readonly ServiceProcess[]): void {
  dns.set('a.candidate.test', { A: ['127.0.0.1'] });
  dns.set(NAME, { SRV: to.map(({ port }) => ({ port, target: 'a.candidate.test' })) });
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-anomaly-'));
  dns = await new DnsServer().listen();
  const start = (name: string) => ServiceProcess.start(name);
  [control, ...services] = (await Promise.all([start('control'), start('first'), start('second')])) as [
    ServiceProcess,
    ...ServiceProcess[],
  ];
  point(services[0]!);
  const config = {
    version: 1,
    requireMetadata: false,
    listeners: [{ name: 'inbound', address: '127.0.0.1:0' }],
    admin: { address: '127.0.0.1:0', probeAddress: '127.0.0.1:0' },
    dns: { servers: [dns.address], timeout: '2s', minTtl: '500ms', maxTtl: '1s', keepMissing: '1s' },
    upstreams: { v1: control.endpoint, v2: `srv:${NAME}` },
    routes: [{ name: 'api', upstream: 'v1', experiments: ['ranking'] }],
    experiments: {
      ranking: {
        variants: { control: {}, candidate: { weight: '50%', upstream: 'v2' } },
        breaker: { window: '2s', minimumRequests: 20, openFor: '200ms', openForMax: '300ms' },
      },
    },
  };
  writeFileSync(join(folder, 'config.yaml'), JSON.stringify(config));
  sidecar = await runSidecar('config.yaml', folder);
  asker = new Asker(sidecar.ports.inbound!, CLIENTS);
  let n = 0;
  const client = async (): Promise<void> => {
    while (!isOver) {
      const method = n++ % 3 === 0 ? 'POST' : 'GET';
      const body = method === 'POST' ? { body: 'x' } : {};
      const result = await asker.ask({
        method,
        headers: { 'x-experiment-override': 'ranking=candidate' },
        ...body,
      });
      const name = result.body.split(' ')[0]!;
      if (result.status === 200) served.set(name, (served.get(name) ?? 0) + 1);
      else bad.push(`${method} ${result.status} ${result.code}`);
    }
  };
  clients = Promise.all(Array.from({ length: CLIENTS }, client));
});

afterAll(async () => {
  isOver = true;
  await clients;
  asker.close();
  sidecar.child.kill('SIGTERM');
  expect(await sidecar.exited).toBe(0);
  await Promise.all([control, ...services].map((service) => service.kill()));
  dns.close();
  rmSync(folder, { recursive: true });
});

/** Resolves when so many more answers have come from this service. */
async function more(name: string, count: number): Promise<void> {
  const before = served.get(name) ?? 0;
  await expect.poll(() => served.get(name) ?? 0, { timeout: 20_000 }).toBeGreaterThan(before + count);
}

describe('DNS', () => {
  it('that is gone changes nothing: the last addresses are used, and the log says so once', async () => {
    // Warm: what comes on top is to be seen.
    await more('first', 3000);
    const calm = residentBytes(sidecar.child.pid!);
    const before = sidecar.log().length;
    const log = () => sidecar.log().slice(before);
    dns.fail(NAME, 'silent');
    dns.otherwise = 'silent';
    await expect.poll(log, { timeout: 20_000 }).toContain(NAME);
    await more('first', 2000);
    const said = log()
      .split('\n')
      .filter((line) => line.includes(`"name":"${NAME}"`));
    expect(said).toEqual([expect.stringContaining('cannot be resolved')]);
    expect(residentBytes(sidecar.child.pid!) - calm).toBeLessThan(48 * 1_048_576);
    expect(bad).toEqual([]);
  });

  it('that is back and says another address moves every request there, and the old one can go', async () => {
    dns.otherwise = 'nxdomain';
    point(services[1]!);
    await more('second', 100);
    await services[0]!.kill();
    await more('second', 1000);
    expect(bad).toEqual([]);
  });

  it('that knows the name no more leaves the candidate to control, in the same requests', async () => {
    dns.fail(NAME, 'nxdomain');
    await more('control', 500);
    const before = served.get('second');
    await more('control', 500);
    // Not one goes to who may be somebody else by now.
    expect(served.get('second')).toBe(before);
    expect(bad).toEqual([]);
  });

  it('that knows it again brings the candidate back', async () => {
    await services[0]!.restart();
    point(services[0]!, services[1]!);
    await more('first', 100);
    await more('second', 100);
    expect(bad).toEqual([]);
  });

  it('that says nonsense is not believed', async () => {
    for (const target of ['', 'nowhere.test']) {
      dns.set(NAME, { SRV: [{ port: 1, target }] });
      await more('control', 300);
      expect(bad).toEqual([]);
      point(services[0]!);
      await more('first', 50);
    }
  });
});
