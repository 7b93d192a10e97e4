/** By what an experiment deals, and how long clients keep what they got, as the admin API and `fairlead get` show it. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { listen } from '../../../src/admin/server.ts';
import { getCommand } from '../../../src/cli/get.ts';
import { type AdminBench, newAdminBench } from '../../support/admin.ts';
import { Recorder } from '../../support/recorder.ts';

const CONFIG = `
version: 1
upstreams: { app: "127.0.0.1:9001" }
stickyKeys: [{ id: k1, key: k1-0123456789-0123456789-0123456789 }]
experiments:
  ranking:
    sticky: { ttl: 30d, bucketVersion: 2, minBucketVersion: 2 }
    variants: { control: {}, candidate: { weight: 10% } }
  moved:
    algorithm: { name: growthbook2, seed: checkout-2 }
    variants: { control: {}, candidate: { weight: 10% } }
`;

let bench: AdminBench;
beforeEach(async () => {
  bench = await newAdminBench();
  bench.writeConfig(CONFIG);
  expect(await bench.control.reload('file')).toMatchObject({ ok: true });
});
afterEach(() => bench.close());

async function view(name: string): Promise<Record<string, unknown>> {
  const answer = await bench.app.inject({ url: `/v1/experiments/${name}`, headers: { host: 'localhost' } });
  return answer.json();
}

test('an experiment of our own has its salt, and where clients keep their variant', async () => {
  expect(await view('ranking')).toMatchObject({
    algorithm: 'fairlead1',
    salt: 'ranking',
    sticky: { in: 'cookie fairlead_sticky', ttl: '30d', bucketVersion: 2, minBucketVersion: 2 },
  });
});

test('an experiment with the cohorts of another system has its name and a fingerprint of its options', async () => {
  const { algorithm, salt, sticky } = await view('moved');
  expect([algorithm, sticky]).toEqual(['growthbook2', null]);
  expect(salt).toMatch(/^growthbook2 [0-9a-f]{8}$/);
});

test('a wide table has both', async () => {
  const admin = `http://127.0.0.1:${await listen(bench.app, { kind: 'tcp', host: '127.0.0.1', port: 0 })}`;
  const io = new Recorder();
  expect(await getCommand({ what: 'experiments', output: 'wide', admin }, io)).toBe(0);
  expect(io.stdout).toMatch(/ALGORITHM +SALT +STICKY/);
  expect(io.stdout).toMatch(/fairlead1 +ranking +cookie fairlead_sticky/);
});
