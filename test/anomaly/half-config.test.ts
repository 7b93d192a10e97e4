/**
 * A configuration that is half-written, empty, gone or no text at all, under load: not one request notices, what was in
 * force stays in force, and the log and the metrics say so until there is a whole one again.
 */
import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Asker } from '../support/ask.ts';
import { type RunningProcess, runSidecar } from '../support/process.ts';
import { ServiceProcess } from '../support/service-process.ts';

let folder: string;
let file: string;
let service: ServiceProcess;
let sidecar: RunningProcess & { readonly ports: Readonly<Record<string, number>> };
let admin: Asker;
/** What the load has met that is no good answer. */
const bad: string[] = [];
let asked = 0;
let isOver = false;
let clients: Promise<unknown>;

const config = (weight: string) => `
version: 1
requireMetadata: false
listeners: [{ name: inbound, address: "127.0.0.1:0" }]
admin: { address: 127.0.0.1:0, probeAddress: 127.0.0.1:0 }
upstreams:
  v1: "${service.endpoint}"
  v2: "${service.endpoint}"
experiments:
  ranking: { variants: { control: {}, candidate: { weight: ${weight}, upstream: v2 } } }
routes:
  - { name: api, upstream: v1, experiments: [ranking] }
`;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-anomaly-'));
  file = join(folder, 'config.yaml');
  service = await ServiceProcess.start('app');
  writeFileSync(file, config('1%'));
  sidecar = await runSidecar('config.yaml', folder);
  admin = new Asker(sidecar.ports.admin!);
  const asker = new Asker(sidecar.ports.inbound!, 4);
  const client = async (): Promise<void> => {
    while (!isOver) {
      const { status, code } = await asker.ask({ headers: { 'x-user-id': `u${asked++}` } });
      if (status !== 200) bad.push(`${status} ${code}`);
    }
  };
  clients = Promise.all(Array.from({ length: 4 }, client)).then(() => asker.close());
});

afterAll(async () => {
  isOver = true;
  await clients;
  admin.close();
  sidecar.child.kill('SIGTERM');
  expect(await sidecar.exited).toBe(0);
  await service.kill();
  rmSync(folder, { recursive: true });
});

/** The weight in force, and whether the last reload was good, as monitoring sees it. */
async function inForce(): Promise<{ weight: string; isGood: boolean }> {
  const experiment = JSON.parse((await admin.ask({ path: '/v1/experiments/ranking' })).body) as {
    variants: { weight: string }[];
  };
  const page = (await admin.ask({ path: '/metrics' })).body;
  return {
    weight: experiment.variants[1]!.weight,
    isGood: /^fairlead_config_last_reload_successful 1$/m.test(page),
  };
}

/** Cut off in the middle of a line. Cut off behind one it might be a whole one: nobody could tell. */
const half = (text: string) => text.slice(0, text.indexOf('weight'));

/** Puts it in the place of the file at one moment, so that it is looked at once. */
function put(make: (path: string) => void): void {
  const next = join(folder, 'next');
  make(next);
  renameSync(next, file);
}

describe('a configuration that is', () => {
  it.each<[string, () => void]>([
    ['half-written', () => put((next) => writeFileSync(next, half(config('2%'))))],
    ['truncated', () => truncateSync(file, 0)],
    ['gone', () => unlinkSync(file)],
    [
      'a folder',
      () => {
        mkdirSync(join(folder, 'empty'));
        put((next) => symlinkSync('empty', next));
      },
    ],
    ['no text', () => put((next) => writeFileSync(next, Buffer.from([0xff, 0xfe, 0x00, 0x80, 0x0a, 0x00])))],
    ['as deep as it is long', () => put((next) => writeFileSync(next, '['.repeat(20_000)))],
  ])('%s changes nothing, and the next whole one holds', async (_, spoil) => {
    const before = await inForce();
    expect(before.isGood).toBe(true);
    const refusals = () => sidecar.log().split('refused, nothing was changed').length - 1;
    const refused = refusals();
    spoil();
    await expect.poll(async () => (await inForce()).isGood, { timeout: 20_000 }).toBe(false);
    expect((await inForce()).weight).toBe(before.weight);
    await expect.poll(refusals).toBe(refused + 1);
    const weight = `${Number.parseInt(before.weight, 10) + 1}%`;
    put((next) => writeFileSync(next, config(weight)));
    await expect.poll(inForce, { timeout: 20_000 }).toEqual({ weight, isGood: true });
    const answered = asked;
    await expect.poll(() => asked).toBeGreaterThan(answered);
    expect(bad).toEqual([]);
  });
});
