/** Layers and the life of experiments as people see them: the admin API and `fairlead get`. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listen } from '../../../src/admin/server.ts';
import { getCommand } from '../../../src/cli/get.ts';
import { type AdminBench, newAdminBench, TOKEN } from '../../support/admin.ts';

const variants = 'variants: { control: {}, candidate: { weight: 10% } }';
/** The clock of the bench stands at 2023-11-14. */
const CONFIG = `
version: 1
upstreams: { app: "127.0.0.1:9001" }
holdout: { share: 1% }
layers:
  search: { holdout: 5%, salt: s-1 }
  price: {}
experiments:
  ranking: { ${variants}, layer: search, range: [0%-40%, 60%-70%], startsAt: "2024-01-01T00:00:00Z" }
  synonyms: { ${variants}, layer: search, range: 40%-50%, endsAt: "2023-11-01T00:00:00Z" }
  spelling: { ${variants}, layer: search, range: 0%-30%, status: concluded, winner: candidate }
  vat: { ${variants}, layer: price, range: 0%-100%, status: paused, requires: [{ experiment: ranking, variant: candidate }] }
  checkout:
    owner: pay-team
    allowProtected: { approvedBy: anna, reason: tested for a month }
    startsAt: 2023-06-01T00:00:00Z
    ${variants}
protect: [all]
`;
/** All are on the one route there is. */
const APPROVED = CONFIG.replaceAll(
  /^( {2}(?:ranking|synonyms|spelling|vat): \{)/gm,
  '$1 allowProtected: { approvedBy: bert, reason: r },',
);

let bench: AdminBench;
let admin: string;
beforeEach(async () => {
  bench = await newAdminBench();
  bench.writeConfig(APPROVED);
  expect((await bench.control.reload('file')).issues.filter(({ severity }) => severity === 'error')).toEqual(
    [],
  );
  admin = `http://127.0.0.1:${await listen(bench.app, { kind: 'tcp', host: '127.0.0.1', port: 0 })}`;
});
afterEach(() => bench.close());

async function printed(what: 'layers' | 'experiments', output: 'table' | 'wide' | 'json'): Promise<string> {
  const text: string[] = [];
  const io = {
    env: {},
    isTerminal: false,
    out: (more: string) => void text.push(more),
    err: () => {},
  };
  expect(await getCommand({ what, output, admin }, io)).toBe(0);
  return text.join('');
}

async function read(path: string): Promise<unknown> {
  const answer = await bench.app.inject({ url: path, headers: { host: 'localhost' } });
  expect(answer.statusCode).toBe(200);
  return answer.json();
}

describe('layers', () => {
  test('say who has which part and what is free, and nothing of what is concluded is taken', async () => {
    expect(await read('/v1/layers')).toEqual({
      holdout: { share: '1%', salt: 'holdout' },
      layers: [
        {
          name: 'search',
          salt: 's-1',
          holdout: '5%',
          experiments: [
            { name: 'ranking', status: 'running', ranges: ['0%-40%', '60%-70%'], share: '50%' },
            { name: 'synonyms', status: 'running', ranges: ['40%-50%'], share: '10%' },
            { name: 'spelling', status: 'concluded', ranges: ['0%-30%'], share: '30%' },
          ],
          free: { ranges: ['50%-60%', '70%-100%'], share: '40%' },
        },
        {
          name: 'price',
          salt: 'price',
          holdout: null,
          experiments: [{ name: 'vat', status: 'paused', ranges: ['0%-100%'], share: '100%' }],
          free: { ranges: [], share: '0%' },
        },
      ],
    });
  });

  test('are a table, or JSON for tools', async () => {
    expect(await printed('layers', 'table')).toBe(
      [
        'NAME     FREE   FREE-RANGES         EXPERIMENTS                                                             HOLDOUT',
        'search   40%    50%-60%, 70%-100%   ranking 0%-40%+60%-70%, synonyms 40%-50%, spelling 0%-30% (concluded)   5%',
        'price    0%     -                   vat 0%-100% (paused)                                                    -',
        '1% of all units are held out of every experiment',
        '',
      ].join('\n'),
    );
    expect(JSON.parse(await printed('layers', 'json'))).toEqual(
      ((await read('/v1/layers')) as { layers: unknown }).layers,
    );
  });

  test('cannot be changed here', async () => {
    const answer = await bench.app.inject({
      method: 'POST',
      url: '/v1/layers',
      headers: { host: 'localhost', authorization: `Bearer ${TOKEN}` },
    });
    expect([answer.statusCode, answer.headers.allow]).toEqual([405, 'GET']);
  });
});

describe('experiments', () => {
  test('show their life: what is the matter, dates, winner, layer, prerequisites, approval', async () => {
    const one = async (name: string) => (await read(`/v1/experiments/${name}`)) as Record<string, unknown>;
    expect(await one('ranking')).toMatchObject({
      status: 'running',
      condition: 'not-started',
      // The bench began with another salt.
      epoch: 2,
      startsAt: '2024-01-01T00:00:00.000Z',
      endsAt: null,
      layer: { name: 'search', ranges: ['0%-40%', '60%-70%'] },
      holdouts: ['1% of all', '5% of the layer'],
      approval: { approvedBy: 'bert', reason: 'r' },
    });
    expect(await one('synonyms')).toMatchObject({ condition: 'ended', endsAt: '2023-11-01T00:00:00.000Z' });
    expect(await one('spelling')).toMatchObject({
      status: 'concluded',
      condition: null,
      winner: 'candidate',
    });
    expect(await one('vat')).toMatchObject({ condition: null, requires: ['ranking=candidate'] });
    expect(await one('checkout')).toMatchObject({
      condition: 'stale',
      staleAt: '2023-08-30T00:00:00.000Z',
      layer: null,
      approval: { approvedBy: 'anna', reason: 'tested for a month' },
    });
  });

  test('the table says what is the matter beside the status, the wide one who approved', async () => {
    const statuses = (await printed('experiments', 'table'))
      .split('\n')
      .map((line) => line.split(/ {2,}/).slice(0, 2).join(' '));
    expect(statuses).toEqual([
      'NAME STATUS',
      'ranking running,not-started',
      'synonyms running,ended',
      'spelling concluded',
      'vat paused',
      'checkout running,stale',
      '',
    ]);
    const wide = (await printed('experiments', 'wide')).split('\n');
    expect(wide[0]).toMatch(/EPOCH +LAYER +REQUIRES +OWNER +APPROVED-BY$/);
    expect(wide[1]).toMatch(/ 2 +search 0%-40%, 60%-70% +- +- +bert$/);
    expect(wide[4]).toMatch(/ 1 +price 0%-100% +ranking=candidate +- +bert$/);
    expect(wide[5]).toMatch(/ 1 +- +- +pay-team +anna$/);
  });
});
