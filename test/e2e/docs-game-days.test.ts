/** docs/game-days.md as somebody would try it: its configurations, and its command lines one after the other. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/parse.ts';
import { blocks, commands } from '../support/docs.ts';
import { fixedUpstream, type RawUpstream } from '../support/peers.ts';
import { runSidecar } from '../support/process.ts';
import { hasTools } from '../support/tools.ts';

const DOC = 'docs/game-days.md';
const SHIM = join(import.meta.dirname, '../../bin/fairlead.js');
const TOKEN = 'docs-token';

let folder: string;
let upstreams: RawUpstream[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairlead-docs-'));
  const answer = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
  upstreams = [await fixedUpstream(answer), await fixedUpstream(answer)];
});

afterAll(async () => {
  await Promise.all(upstreams.map((upstream) => upstream.close()));
  await rm(folder, { recursive: true, force: true });
});

it('shows configurations that are valid, and warns of nothing', async () => {
  const examples = await blocks(DOC, 'yaml');
  expect(examples).toHaveLength(2);
  for (const example of examples) expect(parseConfig(example, DOC).issues).toEqual([]);
});

describe.skipIf(!hasTools('curl'))('its commands', () => {
  it.each([['one process', ''], ...(process.platform === 'linux' ? [['two workers', 'workers: 2\n']] : [])])(
    'do what they say (%s)',
    async (_, workers) => {
      const [example] = await blocks(DOC, 'yaml');
      const ports = `
listeners: [{ name: inbound, address: "127.0.0.1:0" }]
admin: { address: 127.0.0.1:0, probeAddress: 127.0.0.1:0, token: ${TOKEN} }
${workers}`;
      const config = example!
        .replace('127.0.0.1:9001', upstreams[0]!.endpoint)
        .replace('127.0.0.1:9002', upstreams[1]!.endpoint);
      await writeFile(join(folder, 'shop.yaml'), config + ports);
      const sidecar = await runSidecar('shop.yaml', folder);
      const shell = async (line: string): Promise<string> => {
        const typed = line
          .replace(/^npx fairlead/, `'${process.execPath}' '${SHIM}'`)
          .replace('127.0.0.1:15106', `127.0.0.1:${sidecar.ports.inbound}`)
          .replace('127.0.0.1:15100', `127.0.0.1:${sidecar.ports.admin}`)
          // Long enough to have answers on a machine that does something else for a second.
          .replace(' -d 1 ', ' -d 4 ');
        const admin = / (?:inject|get) /.test(typed)
          ? ` --admin http://127.0.0.1:${sidecar.ports.admin}`
          : '';
        const env = { ...process.env, TOKEN, FAIRLEAD_ADMIN__TOKEN: TOKEN };
        const run = promisify(execFile)('sh', ['-c', typed + admin], { cwd: folder, env });
        // Load that met failures says so with its exit code.
        const { stdout } = await run.catch((error) => {
          if (typed.includes(' load ') && error.code === 1) return error as { stdout: string };
          throw error;
        });
        return stdout;
      };
      try {
        const [setUp, ...rest] = await blocks(DOC, 'sh');
        expect(commands(setUp!)).toEqual([
          'export FAIRLEAD_ADMIN__TOKEN=secret',
          'npx fairlead run -c shop.yaml',
        ]);
        const said: string[] = [];
        for (const line of rest.flatMap(commands)) said.push(await shell(line));
        const [made, listed, loaded, breakers, ended, posted, all] = said;
        const [shown] = await blocks(DOC, 'text');
        const general = (text: string) => text.replace(/until \S+/, 'until T').trim();
        expect(general(made!)).toBe(general(shown!));
        expect(general(listed!)).toBe(general(shown!));
        // One row, of control, without a 5xx.
        expect(loaded!.split('\n').filter((line) => line.includes('ranking='))).toEqual([
          expect.stringMatching(/ranking=control +│ \d+ +│ 100.00% +│ \d+ +│ 0 +│/),
        ]);
        expect(breakers).toMatch(/api\/ranking\/candidate +open/);
        expect(ended).toBe('');
        expect(JSON.parse(posted!)).toMatchObject({ route: 'api', when: { header: 'x-game-day' } });
        expect(JSON.parse(all!).faults).toMatchObject([{ id: 'f2', reason: 'slow day' }]);
        const page = async () => (await fetch(`http://127.0.0.1:${sidecar.ports.probes}/metrics`)).text();
        const hit =
          /^fairlead_faults_total\{route="api",experiment="ranking",variant="candidate",kind="abort"\} (\d+)$/m;
        const hits = async () => Number(hit.exec(await page())?.[1]);
        await expect.poll(hits).toBeGreaterThanOrEqual(10);
        // The call of the other connection was hit as well, and at most as many by a worker that had not heard yet.
        expect(await hits()).toBeLessThanOrEqual(workers === '' ? 11 : 20);
        await expect
          .poll(page)
          .toMatch(/^fairlead_fallbacks_total\{experiment="ranking",cause="failover"\} \d\d$/m);
      } finally {
        sidecar.child.kill('SIGTERM');
        expect(await sidecar.exited).toBe(0);
      }
      const actions = [...sidecar.log().matchAll(/"action":"(inject|end-fault)"/g)].map((match) => match[1]);
      expect(actions).toEqual(['inject', 'end-fault', 'inject']);
    },
  );
});
