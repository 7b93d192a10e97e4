/** docs/breakers.md, budgets.md and webhooks.md as somebody would try them: what is typed, and what a webhook gets. */
import { execFile } from 'node:child_process';
import { createHmac, timingSafeEqual } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/parse.ts';
import { minimal, withoutMetadata } from '../support/config.ts';
import { blocks, commands } from '../support/docs.ts';
import { runSidecar } from '../support/process.ts';

const SHIM = join(import.meta.dirname, '../../bin/fairlead.js');

/** A letter, and what came with it. */
interface Letter {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

async function receiver() {
  const letters: Letter[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      letters.push({ headers: request.headers, body });
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = (): void => {
    server.closeAllConnections();
    server.close();
  };
  return { letters, close, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

/** The code of the page that looks at a letter, run on one. */
function isTrue(code: string, { headers, body }: Letter, secret: string): boolean {
  const given = {
    id: headers['webhook-id'],
    timestamp: headers['webhook-timestamp'],
    signature: headers['webhook-signature'],
    body,
    secret,
    createHmac,
    timingSafeEqual,
    Buffer,
  };
  const run = new Function(...Object.keys(given), `${code}\nreturn isTrue;`) as (
    ...values: unknown[]
  ) => boolean;
  return run(...Object.values(given));
}

describe('the pages about breakers', () => {
  it('budgets.md shows settings that are valid', async () => {
    const fragments = await blocks('docs/budgets.md', 'yaml');
    expect(fragments).toHaveLength(2);
    for (const fragment of fragments) {
      const experiment = fragment.replaceAll(/^/gm, '    ');
      const text = minimal(
        `experiments:\n  e:\n    variants: { control: {}, candidate: { weight: 1% } }\n${experiment}`,
      );
      expect(withoutMetadata(parseConfig(text, 'docs/budgets.md').issues)).toEqual([]);
    }
  });

  it('breakers.md and webhooks.md show commands that do what they say, and news that comes', {
    timeout: 60_000,
  }, async () => {
    const hook = await receiver();
    const [webhooks] = await blocks('docs/webhooks.md', 'yaml');
    const folder = await mkdtemp(join(tmpdir(), 'fairlead-docs-'));
    const secret = 'a secret of docs';
    await writeFile(join(folder, 'secret'), `${secret}\n`);
    const shown = webhooks!
      .replace('https://hooks.example.com/fairlead', hook.url)
      .replace('/run/secrets/fairlead-webhook', join(folder, 'secret'));
    const config = `
version: 1
service: checkout
listeners: [{ name: inbound, address: "127.0.0.1:0" }]
admin: { address: 127.0.0.1:0, probeAddress: 127.0.0.1:0, token: docs-token }
upstreams: { v1: "127.0.0.1:9001" }
routes: [{ name: api, upstream: v1, experiments: [ranking] }]
experiments: { ranking: { variants: { control: {}, candidate: { weight: 1% } } } }
${shown}`;
    await writeFile(join(folder, 'fairlead.yaml'), config);
    const sidecar = await runSidecar('fairlead.yaml', folder);
    const admin = `http://127.0.0.1:${sidecar.ports.admin}`;
    const breaker = async () =>
      (await (await fetch(`${admin}/v1/breakers/api/ranking/candidate`)).json()) as Record<string, unknown>;
    try {
      const modes: unknown[] = [];
      const lines = (await blocks('docs/breakers.md', 'sh')).flatMap(commands);
      for (const line of lines) {
        const typed = line.replace(/^npx fairlead/, `'${process.execPath}' '${SHIM}'`);
        await promisify(execFile)('sh', ['-c', `${typed} --admin ${admin}`], {
          env: { ...process.env, FAIRLEAD_ADMIN__TOKEN: 'docs-token' },
        });
        modes.push((await breaker()).mode);
      }
      expect(modes).toEqual(['forced-open', 'forced-closed', 'forced-observe', 'enforce']);
      await expect.poll(() => hook.letters.length, { timeout: 20_000 }).toBe(2);
      const [example] = (await blocks('docs/webhooks.md', 'json')).map((text) => JSON.parse(text) as object);
      const [letter] = hook.letters;
      const said = JSON.parse(letter!.body) as { data: object };
      expect(Object.keys(said)).toEqual(Object.keys(example!));
      expect(Object.keys(said.data)).toEqual(Object.keys((example as typeof said).data));
      expect(said).toMatchObject({ type: 'breaker.opened', data: { mode: 'forced-open', cause: 'forced' } });
      const [code] = await blocks('docs/webhooks.md', 'js');
      expect(isTrue(code!, letter!, secret)).toBe(true);
      expect(isTrue(code!, { ...letter!, body: letter!.body.replace('opened', 'closed') }, secret)).toBe(
        false,
      );
    } finally {
      sidecar.child.kill('SIGTERM');
      expect(await sidecar.exited).toBe(0);
      hook.close();
      await rm(folder, { recursive: true });
    }
  });
});
