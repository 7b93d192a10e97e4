/** The command `fairlead plan`: exit codes, what it prints, and what it reads. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { API_HEADER, API_VERSION } from '../../../src/admin/api-header.ts';
import { planCommand } from '../../../src/cli/plan.ts';
import type { Plan } from '../../../src/cli/plan-changes.ts';
import { configHash } from '../../../src/config/hash.ts';
import { configOf } from '../../support/config.ts';
import { Recorder } from '../../support/recorder.ts';
import { RANKING, shop } from '../../support/shop.ts';

describe('plan', () => {
  let folder: string;
  let io: Recorder;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'fairlead-plan-'));
    io = new Recorder();
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function write(name: string, text: string): string {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  }

  const options = { units: 10_000, output: 'text' } as const;

  test('is 0 without changes, 1 with, 3 for a file that is not valid, 2 for a sample of nothing', async () => {
    const [old, next] = [
      write('old.yaml', shop(RANKING)),
      write('new.yaml', shop(RANKING.replace('10%', '5%'))),
    ];
    expect(await planCommand({ ...options, file: old, against: old }, io)).toBe(0);
    expect(io.stdout).toMatch(/^no changes \(hash [0-9a-f]{12}\)\n$/);
    io.stdout = '';
    expect(await planCommand({ ...options, file: next, against: old }, io)).toBe(1);
    expect(io.stdout).toMatch(/^ranking +candidate +control +5%$/m);
    const bad = write('bad.yaml', 'version: 2\n');
    expect(await planCommand({ ...options, file: bad, against: old }, io)).toBe(3);
    expect(await planCommand({ ...options, file: old, against: bad }, io)).toBe(3);
    const sample = write('sample', 'nothing\n{}\n');
    await expect(planCommand({ ...options, file: next, against: old, sample }, io)).rejects.toMatchObject({
      exitCode: 2,
    });
  });

  test('counts with the slots and weights that were set at run time', async () => {
    const state = join(folder, 'state.json');
    const text = `${shop(RANKING)}stateFile: ${state}\n`;
    const at = { reason: 'ramp', actor: 'ann', at: '2026-01-01T00:00:00Z' };
    const weights = {
      weightsPpm: { control: 700_000, candidate: 300_000 },
      declaredPpm: { control: 900_000, candidate: 100_000 },
    };
    const slots = [
      { start: 0, end: 700_000, variant: 'control' },
      { start: 700_000, end: 1_000_000, variant: 'candidate' },
    ];
    const ranking = {
      salt: 'ranking',
      status: null,
      weights: { ...weights, ...at },
      slots,
      epoch: 3,
      seenAt: null,
    };
    writeFileSync(state, JSON.stringify({ format: 'fairlead-state', version: 1, experiments: { ranking } }));
    const old = write('old.yaml', text);
    expect(await planCommand({ ...options, file: old, against: old }, io)).toBe(0);
    const next = write('new.yaml', text.replace('weight: 10%', 'weight: 40%'));
    expect(await planCommand({ ...options, output: 'json', file: next, against: old }, io)).toBe(1);
    const { experiments } = JSON.parse(io.stdout.slice(io.stdout.indexOf('{'))) as Plan;
    expect(experiments[0]).toMatchObject({
      before: 'running, control 70%, candidate 30%',
      after: 'running, control 60%, candidate 40%',
      notes: ['its run-time weights end: the file is newer'],
    });
    const [move, ...others] = experiments[0]!.moves;
    expect(others).toEqual([]);
    expect(move).toMatchObject({ from: 'control', to: 'candidate' });
    expect(move!.share).toBeCloseTo(0.1, 9);
  });

  test('says what a sidecar that starts anew would deal otherwise, and what to do', async () => {
    const arms = 'x: { variants: { control: {}, a: { weight: 5% }, b: { weight: 5% } } }';
    const old = write('old.yaml', shop(arms));
    const next = write('new.yaml', shop(arms.replace(/ } }$/, ', c: { weight: 5% } } }')));
    expect(await planCommand({ ...options, file: next, against: old }, io)).toBe(1);
    expect(io.stdout).toContain(
      "\n  a sidecar that starts without this one's state deals 10% of the units otherwise: give it a new salt, or restart all without their state\n",
    );
    io.stdout = '';
    await planCommand({ ...options, output: 'json', file: next, against: old }, io);
    expect(JSON.parse(io.stdout)).toMatchObject({ experiments: [{ freshDiffers: 0.1 }] });
  });

  test('reads a sample that is piped in', async () => {
    const [old, next] = [
      write('old.yaml', shop(RANKING)),
      write('new.yaml', shop(RANKING.replace('10%', '60%'))),
    ];
    const piped = (text: string) =>
      planCommand({ ...options, file: next, against: old, sample: '-' }, io, Readable.from([text]));
    expect(await piped('{"unit_id":"ann-1"}\n{"unit_id":"ann-2"}\n')).toBe(1);
    expect(io.stdout).toContain('the sample has 2 records');
    await expect(piped('nothing\n')).rejects.toThrow('in what was piped in there is no line');
  });

  test('asks a running sidecar with the token that is given', async () => {
    const config = configOf(shop(RANKING));
    const asked: unknown[] = [];
    const server = createServer((request, response) => {
      asked.push(`${request.url} ${request.headers.authorization}`);
      response.setHeader(API_HEADER, API_VERSION);
      const answer =
        request.url === '/v1/config'
          ? { declared: config, hash: configHash(config) }
          : { format: 'fairlead-state', version: 1, experiments: {} };
      response.end(JSON.stringify(answer));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const admin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const file = write('same.yaml', shop(RANKING));
    expect(await planCommand({ ...options, file, admin, token: 'hush' }, io)).toBe(0);
    expect(asked).toEqual(expect.arrayContaining(['/v1/config Bearer hush', '/v1/runtime Bearer hush']));
    server.close();
    await once(server, 'close');
  });

  test('takes units and requests from what was recorded, and prints no unit', async () => {
    const [old, next] = [
      write('old.yaml', shop(RANKING)),
      write('new.yaml', shop(RANKING.replace('10%', '5%'))),
    ];
    const exposure = { experiment: 'ranking', assigned: 'candidate', served: 'candidate', reason: 'split' };
    const request = { level: 30, msg: 'request', direction: 'inbound', route: 'all' };
    const records = [
      ...Array.from({ length: 30 }, (_, index) => ({ ...exposure, unit: `hash${index % 20}` })),
      ...Array.from({ length: 30 }, (_, index) => ({
        specversion: '1.0',
        data: { ...exposure, unit: `hash${index % 20}` },
      })),
      ...Array.from({ length: 1000 }, () => request),
    ];
    const sample = write('sample', records.map((record) => `${JSON.stringify(record)}\n`).join('not json\n'));
    expect(await planCommand({ ...options, file: next, against: old, sample }, io)).toBe(1);
    expect(io.stdout).toContain('the sample has 1060 records');
    expect(io.stdout).toMatch(/^ranking +candidate +control +20 +10$/m);
    expect(io.stdout).toMatch(/^all +v2 +\d\d +\d\d$/m);
    expect(io.stdout).not.toContain('hash1');
    io.stdout = '';
    const ids = write('ids', Array.from({ length: 50 }, (_, i) => `{"unit_id":"ann-${i}"}\n`).join(''));
    expect(await planCommand({ ...options, file: next, against: old, sample: ids }, io)).toBe(1);
    expect(io.stdout).toContain('~ by 50 units');
    expect(io.stdout).not.toContain('ann-');
  });
});
