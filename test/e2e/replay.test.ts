/** Decisions on record as their users have them: a sidecar whose rules change, one process or two, and the replay. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ask, PLAIN, type Sidecar, useWorkers, workersConfig } from '../support/workers.ts';

const rig = useWorkers();
const MAIN = join(import.meta.dirname, '../../src/main.ts');

const RECORDED = `
decisions: { file: log/decisions.ndjson, sample: 100%, units: UNITS }
stickyKeys: [{ id: k1, key: sticky-secret-0123456789-0123456789 }]
holdout: { share: 10% }
`;

const EXPERIMENT = `    sticky: { ttl: 30d }
    targeting: [{ not: { header: x-country, equals: FR } }]
    owner:`;

function start(workers: number, units: string): Promise<Sidecar> {
  return rig.start((ports) =>
    workersConfig(ports, RECORDED.replace('UNITS', units), workers).replace('    owner:', EXPERIMENT),
  );
}

const get = (...fields: string[]): string =>
  ['GET /?a=1 HTTP/1.1', 'Host: a', ...fields, '', ''].join('\r\n');

/** Everything that a decision may come from, over connections that reach all workers. */
async function traffic(sidecar: Sidecar): Promise<number> {
  let count = 0;
  for (let connection = 0; connection < 8; connection++) {
    const client = sidecar.client();
    const requests = [
      PLAIN,
      get('x-user-id: anna', 'x-country: FR'),
      get('x-user-id: bob', 'x-experiment-override: ranking=candidate'),
      get('x-user-id: bob', 'x-experiment: ranking=candidate, other=x'),
      get('x-user-id: bob', 'x-experiment: ranking=gone'),
      get('user-agent: kube-probe/1.31'),
      ...Array.from({ length: 20 }, (_, n) => get(`x-user-id: user-${connection}-${n}`)),
    ];
    for (const request of requests) await ask(client, request);
    client.send(get('x-user-id: eve'));
    const cookie = /set-cookie: ([^;]+)/i.exec(await client.response())?.[1] ?? 'none=1';
    await ask(client, get('x-user-id: adam', `cookie: ${cookie}`));
    count += requests.length + 2;
  }
  return count;
}

async function stopped(sidecar: Sidecar): Promise<void> {
  sidecar.child.kill('SIGTERM');
  expect(await sidecar.exited).toBe(0);
}

function replay(sidecar: Sidecar, ...more: string[]) {
  const args = [MAIN, 'replay', 'log/decisions.ndjson', ...more];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: sidecar.cwd,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

it.skipIf(process.platform !== 'linux').each([
  [1, 'hashed'],
  [2, 'hashed'],
  [2, 'plain'],
])(
  'with %i process(es) and %s units every decision agrees, through changes at run time and a restart of the rules',
  async (workers, units) => {
    const sidecar = await start(workers, units);
    let count = await traffic(sidecar);
    await sidecar.post('/v1/experiments/ranking/weights', {
      weights: { control: 50, candidate: 50 },
      reason: 'ramp',
    });
    count += await traffic(sidecar);
    await sidecar.trip('60s');
    count += await traffic(sidecar);
    await sidecar.post('/v1/experiments/ranking:kill', { reason: 'test' });
    count += await traffic(sidecar);
    await stopped(sidecar);

    expect(replay(sidecar)).toEqual({
      status: 0,
      stdout: `${count} decisions: ${count} agree\n`,
      stderr: '',
    });
    const log = readFileSync(join(sidecar.cwd, 'log/decisions.ndjson'), 'utf8');
    for (const reason of [
      'split:',
      'override',
      'propagated',
      'unknown-variant',
      'excluded:health-check',
      'killed',
    ])
      expect(log).toContain(`"reason":"${reason}`);
    for (const part of ['"reason":"sticky"', '"reason":"holdout"', '"because":"breaker"'])
      expect(log).toContain(part);
    expect(log.includes('user-1-1')).toBe(units === 'plain');
    const folder = join(sidecar.cwd, 'log/decisions.ndjson.configs');
    expect(readdirSync(folder)).toHaveLength(3);
    for (const file of readdirSync(folder))
      expect(readFileSync(join(folder, file), 'utf8')).not.toContain('sticky-secret');
  },
  60_000,
);
