/** `fairlead endpoint`: what it asks for, and what it says. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { listen } from '../../../src/admin/server.ts';
import { type AdminBench, newAdminBench } from '../../support/admin.ts';
import { runSaying } from '../../support/cli-said.ts';

let bench: AdminBench;
let admin: string;
beforeEach(async () => {
  bench = await newAdminBench();
  bench.plane.upstreams = () => [
    {
      name: 'v1',
      endpoints: ['127.0.0.1:9001', 'unix:/run/a.sock'].map((id) => ({ id, active: 0, idle: 0 })),
    },
  ];
  admin = `http://127.0.0.1:${await listen(bench.app, { kind: 'tcp', host: '127.0.0.1', port: 0 })}`;
});
afterEach(() => bench.close());

const run = (...argv: string[]) => runSaying([...argv, '--admin', admin]);

test('takes an endpoint out and lets it back in', async () => {
  expect(await run('endpoint', 'drain', 'v1', 'unix:/run/a.sock', '--reason', 'new kernel')).toEqual({
    code: 0,
    said: 'v1/unix:/run/a.sock gets nothing new; `fairlead endpoint undrain v1 unix:/run/a.sock` lets it back in\n',
  });
  expect(await run('endpoint', 'undrain', 'v1', 'unix:/run/a.sock')).toEqual({
    code: 0,
    said: 'v1/unix:/run/a.sock gets requests again\n',
  });
  expect(bench.plane.calls).toEqual([
    ['drain-endpoints', [{ upstream: 'v1', endpoint: 'unix:/run/a.sock' }]],
    ['drain-endpoints', []],
  ]);
});

test('says why it is refused', async () => {
  await run('endpoint', 'drain', 'v1', '127.0.0.1:9001');
  const { code, said } = await run('endpoint', 'drain', 'v1', 'unix:/run/a.sock');
  expect(code).not.toBe(0);
  expect(said).toContain('It is the last endpoint of v1 that gets requests.');
});
