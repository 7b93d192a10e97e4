/** docs/workers.md as somebody would try it: its configuration, started, and its command lines. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { blocks, commands } from '../support/docs.ts';
import { runSidecar } from '../support/process.ts';
import { hasTools } from '../support/tools.ts';

const DOC = 'docs/workers.md';
const PORTS = `
listeners: [{ name: inbound, address: "127.0.0.1:0" }]
admin: { address: 127.0.0.1:0, probeAddress: 127.0.0.1:0 }
`;

it.skipIf(process.platform !== 'linux' || !hasTools('curl'))(
  'workers.md shows a configuration that runs two workers, and how to see them',
  async () => {
    const [yaml, ...others] = await blocks(DOC, 'yaml');
    expect(others).toEqual([]);
    const folder = await mkdtemp(join(tmpdir(), 'fairlead-docs-'));
    await writeFile(join(folder, 'fairlead.yaml'), yaml + PORTS);
    const sidecar = await runSidecar('fairlead.yaml', folder);
    try {
      const lines = (await blocks(DOC, 'sh')).flatMap(commands);
      const shown = await Promise.all(
        lines.map((line) => {
          const typed = line
            .replace(':15120', `:${sidecar.ports.probes}`)
            .replace(':15100', `:${sidecar.ports.admin}`);
          return promisify(execFile)('sh', ['-c', typed]);
        }),
      );
      const [page, view, ...more] = shown.map(({ stdout }) => stdout);
      expect(page).toBe('fairlead_workers 2\n');
      expect(JSON.parse(view!).workers).toMatchObject([
        { worker: 1, state: 'serving', version: 1 },
        { worker: 2, state: 'serving', version: 1 },
      ]);
      expect(more).toEqual([]);
    } finally {
      sidecar.child.kill('SIGTERM');
      expect(await sidecar.exited).toBe(0);
      await rm(folder, { recursive: true });
    }
  },
);
