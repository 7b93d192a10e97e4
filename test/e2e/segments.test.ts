/** A file of hashed ids as somebody runs it: two workers get it, and its changes, and no log or page shows an id. */
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { RawClient } from '../support/peers.ts';
import { ask, type Sidecar, useWorkers, workersConfig } from '../support/workers.ts';

const rig = useWorkers();

const hashOf = (id: string): string => createHash('sha256').update(id).digest('hex');
const request = (id: string): string => `GET / HTTP/1.1\r\nHost: a\r\nx-user-id: ${id}\r\n\r\n`;

/** Replaced by rename, as one should: never half a file. */
async function replace(folder: string, text: string): Promise<void> {
  await writeFile(join(folder, 'new.txt'), text);
  await rename(join(folder, 'new.txt'), join(folder, 'beta.txt'));
}

function write(folder: string, ids: readonly string[]): Promise<void> {
  return replace(folder, ids.map((id) => `${hashOf(id)}\n`).join(''));
}

async function untilServedBy(client: RawClient, id: string, variant: string): Promise<void> {
  await expect.poll(() => ask(client, request(id)), { timeout: 20_000 }).toBe(variant);
}

/** The experiment takes who is in the file, and sends all of them to the candidate. */
async function start(): Promise<{ sidecar: Sidecar; folder: string; clients: RawClient[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'fairlead-segments-'));
  rig.closers.push(() => rm(folder, { recursive: true, force: true }));
  await write(folder, ['ann', 'bob']);
  const sidecar = await rig.start((ports) =>
    workersConfig(ports, `segments: { beta: { hashedFile: ${join(folder, 'beta.txt')} } }`)
      .replace('weight: 90%', 'weight: 0%')
      .replace('weight: 10%', 'weight: 100%')
      .replace('    hypothesis:', '    targeting: [{ header: x-user-id, segment: beta }]\n    hypothesis:'),
  );
  const clients = [...(await sidecar.clientsOfEach(1)).values()].flat();
  return { sidecar, folder, clients };
}

describe.skipIf(process.platform !== 'linux')('a file of hashed ids', () => {
  it('reaches every worker, and so do its changes; a bad one changes nothing, and no id is shown', async () => {
    const { sidecar, folder, clients } = await start();
    expect(clients.length).toBeGreaterThan(1);
    for (const client of clients) {
      expect(await ask(client, request('ann'))).toBe('candidate');
      expect(await ask(client, request('eve'))).toBe('control');
    }

    await write(folder, ['bob', 'eve']);
    for (const client of clients) {
      await untilServedBy(client, 'eve', 'candidate');
      expect(await ask(client, request('ann'))).toBe('control');
    }

    await replace(folder, 'ann\n');
    for (const words of ['refused, nothing was changed', 'beta.txt line 1 holds something else'])
      await expect.poll(() => sidecar.log(), { timeout: 20_000 }).toContain(words);
    for (const client of clients) {
      expect(await ask(client, request('eve'))).toBe('candidate');
      expect(await ask(client, request('ann'))).toBe('control');
    }

    const access = () => readFile(join(sidecar.cwd, 'access.log'), 'utf8');
    await expect.poll(access, { timeout: 20_000 }).toContain('"assigned":"candidate"');
    const shown = JSON.stringify([await sidecar.get('/v1/config'), await sidecar.get('/v1/experiments')]);
    expect(shown).toContain('header x-user-id in segment beta');
    for (const text of [shown, sidecar.log(), await access()]) {
      for (const id of ['ann', 'bob', 'eve']) {
        expect(text).not.toContain(hashOf(id).slice(0, 16));
        expect(text).not.toMatch(new RegExp(`\\b${id}\\b`));
      }
    }
  });
});
