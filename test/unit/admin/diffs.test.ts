/** What mirroring has found, by the admin API and by `fairlead diffs`. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listen } from '../../../src/admin/server.ts';
import { runProgram } from '../../../src/cli/program.ts';
import { NOTHING_MISSED } from '../../../src/telemetry/mirror-view.ts';
import { type AdminBench, newAdminBench, TOKEN } from '../../support/admin.ts';
import { addTo, answerOf, recordOf } from '../../support/diffs.ts';

const MIRRORED = `
version: 1
upstreams: { app: "127.0.0.1:9001" }
experiments:
  ranking: { variants: { control: {}, candidate: { weight: 10% } }, mirror: { share: 5% } }
`;

let bench: AdminBench;
let admin: string;
beforeEach(async () => {
  bench = await newAdminBench();
  admin = `http://127.0.0.1:${await listen(bench.app, { kind: 'tcp', host: '127.0.0.1', port: 0 })}`;
});
afterEach(() => bench.close());

function mirror(price: unknown, hasSamples = false): void {
  const record = recordOf({}, hasSamples);
  for (let n = 0; n < 40; n++) {
    const at = (m: number) => ({ at: n * 3 + m, price: 1 });
    const candidate = answerOf({ ...at(2), price });
    addTo(record, { control: answerOf(at(0)), again: answerOf(at(1)), candidate });
  }
  bench.plane.mirrored = [
    {
      experiment: 'ranking',
      control: 'control',
      candidate: 'candidate',
      share: 0.05,
      inFlight: 0,
      missed: { ...NOTHING_MISSED, rate: 3 },
      diffs: record.toJSON(),
    },
  ];
}

async function diffs(...more: string[]): Promise<{ code: number; text: string }> {
  let text = '';
  const out = (part: string): void => {
    text += part;
  };
  const io = { env: {}, isTerminal: false, out, err: () => {} };
  const code = await runProgram(['diffs', 'ranking', '--admin', admin, ...more], io);
  return { code, text };
}

describe('GET /v1/experiments/NAME/diffs', () => {
  it('says what is compared, with the verdict and the paths', async () => {
    mirror('1');
    const answer = await fetch(`${admin}/v1/experiments/ranking/diffs`);
    expect(await answer.json()).toMatchObject({
      experiment: 'ranking',
      mirror: { control: 'control', candidate: 'candidate', share: 0.05 },
      since: '1970-01-01T00:00:00.000Z',
      missed: { rate: 3 },
      compared: 40,
      verdict: { kind: 'regression' },
      regressions: { control: 3 / 40, candidate: 1, alpha: 0.05 },
      paths: [
        { path: 'body /price', kind: 'regression', differences: 40, noise: 0 },
        { path: 'body /at', kind: 'noise', differences: 40, noise: 40 },
      ],
    });
  });

  it('is empty for an experiment that is not mirrored, 404 for none, and 405 for a change', async () => {
    const get = (path: string, init = {}) => fetch(`${admin}/v1/experiments/${path}`, init);
    expect(await (await get('ranking/diffs')).json()).toMatchObject({
      mirror: null,
      compared: 0,
      paths: [],
      verdict: { kind: 'insufficient' },
    });
    expect((await get('nothing/diffs')).status).toBe(404);
    const headers = { authorization: `Bearer ${TOKEN}` };
    expect((await get('ranking/diffs', { method: 'POST', headers })).status).toBe(405);
  });
});

describe('DELETE /v1/experiments/NAME/diffs', () => {
  const forget = (name: string, token: string) =>
    fetch(`${admin}/v1/experiments/${name}/diffs`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ reason: 'v2.1 is out' }),
    });

  it('forgets what was found, on record, for whoever may change experiments', async () => {
    bench.writeConfig(MIRRORED);
    await bench.control.reload('file');
    expect((await forget('ranking', 'wrong')).status).toBe(401);
    expect((await forget('ranking', TOKEN)).status).toBe(200);
    expect(bench.plane.calls).toContainEqual(['forget-mirror', 'ranking']);
    const { audit } = (await (await fetch(`${admin}/v1/audit`)).json()) as { audit: object[] };
    expect(audit[0]).toMatchObject({ action: 'forget-diffs', target: 'ranking', reason: 'v2.1 is out' });
  });

  it('is refused for an experiment that is not mirrored, or that there is not', async () => {
    expect((await forget('ranking', TOKEN)).status).toBe(422);
    expect((await forget('nothing', TOKEN)).status).toBe(404);
    expect(bench.plane.calls).toEqual([]);
  });
});

describe('fairlead diffs', () => {
  it('prints what differs, without noise, and exits with 1', async () => {
    mirror('1');
    const { code, text } = await diffs();
    expect(code).toBe(1);
    expect(text).toContain('ranking: candidate beside control, 5.0% of the requests since');
    expect(text).toMatch(/^regression: its answers differ: 100% .* \(n=40\)$/m);
    expect(text).toContain('chosen and not compared: rate 3');
    expect(text).toMatch(/^body \/price +regression +40 \(100\.0%\) +0 \(0\.0%\) +number -> string$/m);
    expect(text).not.toContain('body /at');
    expect(text).toContain('noise: 1 more');
    expect((await diffs('--all')).text).toMatch(/^body \/at +noise/m);
  });

  it('prints samples where they are kept, and never what moves a cursor', async () => {
    mirror('\u001b[2J', true);
    const { text } = await diffs();
    expect(text).toContain('body /price: 1 -> ');
    expect(text).not.toContain('\u001b');
  });

  it('exits with 0 when nothing differs or nothing is mirrored', async () => {
    expect(await diffs()).toMatchObject({
      code: 0,
      text: expect.stringContaining('ranking is not mirrored'),
    });
    mirror(1);
    expect(await diffs()).toMatchObject({ code: 0 });
    expect(JSON.parse((await diffs('-o', 'json')).text)).toMatchObject({ compared: 40 });
  });
});
