/** Tokens and sticky assignments in the real program with `workers: 2`, while the files of their keys change. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, importSPKI } from 'jose';
import { expect, it } from 'vitest';
import { type Signer, signerOf } from '../support/tokens.ts';
import { useWorkers, workersConfig } from '../support/workers.ts';

const rig = useWorkers();
const STICKY_KEY = 'a secret of thirty-two characters or more';

/** Every request has a connection of its own, which the kernel gives to any of the workers. */
function get(port: number, headers: Record<string, string>): Promise<IncomingHttpHeaders> {
  return new Promise((resolve, reject) => {
    const agent = new Agent({ keepAlive: false });
    const asked = request({ agent, port, host: '127.0.0.1', headers }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.headers));
    });
    asked.on('error', reject);
    asked.end();
  });
}

async function jwks(...signers: readonly Signer[]): Promise<string> {
  const keys = signers.map(async ({ id, algorithm, text }) => ({
    ...(await exportJWK(await importSPKI(text, algorithm))),
    kid: id,
  }));
  return JSON.stringify({ keys: await Promise.all(keys) });
}

it.skipIf(process.platform !== 'linux')(
  'keys are rotated in all workers without a session or a variant lost',
  async () => {
    const [old, next] = [signerOf('ES256', 'old'), signerOf('EdDSA', 'next')];
    const folder = mkdtempSync(join(tmpdir(), 'fairlead-keys-'));
    rig.closers.push(() => rmSync(folder, { recursive: true }));
    const [setFile, stickyFile] = [join(folder, 'jwks.json'), join(folder, 'sticky.key')];
    writeFileSync(setFile, await jwks(old));
    writeFileSync(stickyFile, STICKY_KEY);
    const sidecar = await rig.start((ports) => {
      const more = `
identity: { jwt: { jwksFile: ${setFile} } }
stickyKeys: [{ id: k1, keyFile: ${stickyFile} }]
`;
      return workersConfig(ports, more)
        .replace(/( +)variants:/, '$1unit: { claim: /sub }\n$1sticky: { ttl: 1d }\n$1variants:')
        .replace('weight: 90%', 'weight: 50%')
        .replace('weight: 10%', 'weight: 50%');
    });
    const inbound = sidecar.ports.inbound!;
    const ask = async (token: string, cookie = '') =>
      get(inbound, {
        authorization: `Bearer ${token}`,
        'x-experiment-explain': '1',
        ...(cookie === '' ? {} : { cookie }),
      });
    const reasonOf = (headers: IncomingHttpHeaders) => String(headers['x-experiment-reason']);
    const everywhere = async (token: string) => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => ask(token)));
      return [...new Set(answers.map(reasonOf))];
    };
    const ann = await old.sign({ sub: 'ann' });
    const annLater = await next.sign({ sub: 'ann' });
    const [annSplit] = await everywhere(ann);
    expect(annSplit).toMatch(/^ranking=split:/);
    expect(await everywhere(annLater)).toEqual(['ranking=no-unit']);

    const cookies: { cookie: string; variant: unknown }[] = [];
    for (let user = 0; user < 10; user++) {
      const given = await ask(await old.sign({ sub: `user-${user}` }));
      const cookie = given['set-cookie']![0]!.split(';')[0]!;
      cookies.push({ cookie, variant: given['x-fairlead-variant'] });
    }

    writeFileSync(setFile, await jwks(next, old));
    await expect.poll(() => everywhere(annLater), { timeout: 15_000 }).toEqual([annSplit]);
    expect(await everywhere(ann)).toEqual([annSplit]);
    writeFileSync(setFile, await jwks(next));
    await expect.poll(() => everywhere(ann), { timeout: 15_000 }).toEqual(['ranking=no-unit']);
    expect(await everywhere(annLater)).toEqual([annSplit]);

    // Other ids, other workers, and the token of before is not even valid any more.
    for (const { cookie, variant } of cookies) {
      const again = await ask(await next.sign({ sub: `other-${Math.random()}` }), cookie);
      expect([reasonOf(again), again['x-fairlead-variant'], again['set-cookie']]).toEqual([
        'ranking=sticky',
        variant,
        undefined,
      ]);
    }
    expect(sidecar.log()).not.toContain(ann.split('.')[1]);
    expect(sidecar.log()).not.toContain(STICKY_KEY);
  },
  60_000,
);
