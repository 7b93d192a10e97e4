/** docs/results.md as somebody would try it: its commands against a real sidecar, and what it shows is what is printed. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { INVALID_CAUSES } from '../../src/analysis/results/trust.ts';
import { resultsText } from '../../src/cli/results-text.ts';
import { blocks, commands } from '../support/docs.ts';
import { runSidecar } from '../support/process.ts';
import { exampleResults } from '../support/results-example.ts';
import { hasTools } from '../support/tools.ts';

const DOC = 'docs/results.md';
const SHIM = join(import.meta.dirname, '../../bin/fairlead.js');

it('shows what is printed', async () => {
  const [example] = await blocks(DOC, 'text');
  const style = { by: 'assigned', isWide: false, isColoured: false, width: 110 } as const;
  expect(resultsText(exampleResults(), style)).toBe(example);
  const causes = [...(await textOf()).matchAll(/^\| `([a-z-]+)` \| .* \| .* \|$/gm)].map((match) => match[1]);
  for (const cause of INVALID_CAUSES) expect(causes).toContain(cause);
});

function textOf(): Promise<string> {
  return readFile(join(import.meta.dirname, '../..', DOC), 'utf8');
}

describe('a sidecar', () => {
  let folder: string;
  let services: Server[];
  let sidecar: Awaited<ReturnType<typeof runSidecar>>;
  /** Whether the candidate answers 500. */
  let isBroken: boolean;

  beforeEach(async () => {
    isBroken = false;
    folder = await mkdtemp(join(tmpdir(), 'fairlead-results-'));
    services = [0, 1].map((index) =>
      createServer((_request, response) => {
        response.writeHead(index === 1 && isBroken ? 500 : 200, { 'content-length': 0 }).end();
      }),
    );
  });

  afterEach(async () => {
    sidecar.child.kill('SIGTERM');
    expect(await sidecar.exited).toBe(0);
    for (const service of services) {
      service.closeAllConnections();
      service.close();
    }
    await rm(folder, { recursive: true });
  });

  async function run(settings = ''): Promise<void> {
    const [v1, v2] = await Promise.all(
      services.map(async (service) => {
        await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
        return `127.0.0.1:${(service.address() as AddressInfo).port}`;
      }),
    );
    const config = `
version: 1
service: shop
requireMetadata: false
listeners: [{ name: inbound, address: "127.0.0.1:0" }]
admin: { address: 127.0.0.1:0, probeAddress: 127.0.0.1:0, token: docs-token }
upstreams: { v1: "${v1}", v2: "${v2}" }
routes: [{ name: all, upstream: v1, experiments: [ranking, banner] }]
experiments:
  ranking:
    breaker: false
    variants: { control: {}, candidate: { weight: 40%, upstream: v2 } }
    analysis: { metrics: [errors, latency] }
  banner: { variants: { control: {}, loud: { weight: 50% } } }
${settings}`;
    await writeFile(join(folder, 'fairlead.yaml'), config);
    sidecar = await runSidecar('fairlead.yaml', folder);
  }

  async function type(line: string): Promise<{ code: number; said: string }> {
    const admin = `http://127.0.0.1:${sidecar.ports.admin}`;
    const typed = line.startsWith('npx fairlead')
      ? `${line.replace(/^npx fairlead/, `'${process.execPath}' '${SHIM}'`)} --admin ${admin}`
      : line.replace('http://127.0.0.1:15100', admin);
    return promisify(execFile)('sh', ['-c', typed]).then(
      ({ stdout }) => ({ code: 0, said: stdout }),
      (error: { code: number; stdout: string }) => ({ code: error.code, said: error.stdout }),
    );
  }

  /** One request of each of so many users. */
  async function send(users: number): Promise<void> {
    const lanes = Array.from({ length: 8 }, async (_, lane) => {
      for (let user = lane; user < users; user += 8) {
        const answer = await fetch(`http://127.0.0.1:${sidecar.ports.inbound}/`, {
          headers: { 'x-user-id': `u-${user}` },
        });
        await answer.arrayBuffer();
      }
    });
    await Promise.all(lanes);
  }

  it.skipIf(!hasTools('curl'))('has commands that do what they say', { timeout: 60_000 }, async () => {
    await run();
    await send(400);
    const [typed, , asked] = (await blocks(DOC, 'sh')).map(commands) as [string[], string[], string[]];
    const said = new Map<string, string>();
    for (const line of [...typed, ...asked]) {
      const { code, said: text } = await type(line);
      expect(code, line).toBe(0);
      said.set(line, text);
    }
    // A pause of the machine is in the latency of the few that it meets: then that is not known yet either.
    expect(said.get('npx fairlead results')).toMatch(
      /^ranking +not known yet +candidate: not enough data yet for (?:latency, )?errors.*\nbanner +off +nothing is collected/,
    );
    const one = said.get('npx fairlead results ranking')!;
    expect(one).toMatch(/^control \(fallback\) +60.0% +\d\d\.\d% +\d+ +\d+ +0% /m);
    expect(one).toMatch(/^errors +guardrail +0% +0% +0 pp /m);
    expect(one).toMatch(/^units +units arrive as declared: /m);
    expect(said.get('npx fairlead results ranking --wide')).toMatch(/^ {2}latency: /m);
    expect(said.get('npx fairlead results ranking --by served')).toMatch(/^SERVED /m);
    const [listed, whole] = asked.map((line) => JSON.parse(said.get(line)!));
    expect(listed.results.map(({ experiment }: { experiment: string }) => experiment)).toEqual([
      'ranking',
      'banner',
    ]);
    expect(whole.assigned.reduce((sum: number, { units }: { units: number }) => sum + units, 0)).toBe(400);
    expect(JSON.parse(said.get('npx fairlead results ranking -o json')!).experiment).toBe('ranking');
  });

  it('begins anew as it is written', { timeout: 60_000 }, async () => {
    await run();
    const [, begin] = await blocks(DOC, 'sh');
    const [, shown] = await blocks(DOC, 'text');
    await send(400);
    const [line, ...others] = commands(begin!);
    expect(others).toEqual([]);
    const { code, said } = await type(`${line} --token docs-token 2>&1`);
    const plain = (text: string) =>
      text.replace(/[\d,]+ requests/, 'N requests').replace(/since \S+/, 'since T');
    expect(code).toBe(0);
    expect(said).toMatch(/^ranking: 400 requests of 400 units since 20/);
    expect(plain(said)).toBe(plain(shown!));
    expect((await type('npx fairlead results ranking')).said).toMatch(
      /^ranking: not known yet\nno requests yet\n/,
    );
  });

  it.each(['', 'workers: 2'])(
    'a candidate that fails is a breach within its first users, with exit code 1 %s',
    { timeout: 60_000 },
    async (settings) => {
      await run(settings);
      isBroken = true;
      await send(200);
      await expect
        .poll(async () => (await type('npx fairlead results ranking')).code, { timeout: 15_000 })
        .toBe(1);
      const { said } = await type('npx fairlead results ranking');
      expect(said).toMatch(
        /^ranking: breach\ntake it back: candidate: errors: worse by more than 1 pp: 100% instead of 0%/,
      );
      const page = await (await fetch(`http://127.0.0.1:${sidecar.ports.probes}/metrics`)).text();
      expect(page).toContain('fairlead_analysis_invalid{experiment="ranking",cause="shares"} 0');
      expect(page).toMatch(/fairlead_sample_ratio_mismatch_p\{experiment="ranking"\} [01]/);
    },
  );
});
