/**
 * The image, built without a Docker engine and run in a chroot on a read-only root. Needs root, umoci and Linux
 * namespaces, and is skipped where one of them is missing.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { hasTools } from './support/tools.ts';

const ROOT = join(import.meta.dirname, '..');
const canRun =
  process.platform === 'linux' &&
  process.getuid?.() === 0 &&
  hasTools('umoci', 'curl', 'unshare') &&
  spawnSync('unshare', ['-mn', 'true']).status === 0;

const folder = mkdtempSync(join(tmpdir(), 'fairlead-image-'));
const layout = join(folder, 'oci');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function image(action: string): string {
  const result = spawnSync(join(ROOT, 'scripts/image.sh'), [action, layout], { encoding: 'utf8', cwd: ROOT });
  expect({ status: result.status, stderr: result.status === 0 ? '' : result.stderr }).toEqual({
    status: 0,
    stderr: '',
  });
  return result.stdout;
}

function readBlob(digest: string): unknown {
  return JSON.parse(readFileSync(join(layout, 'blobs', digest.replace(':', '/')), 'utf8'));
}

test.skipIf(!canRun)(
  'the image builds, with the user, command and labels of the Dockerfile',
  { timeout: 120_000 },
  () => {
    image('build');
    const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as {
      manifests: { digest: string }[];
    };
    const manifest = readBlob(index.manifests[0]!.digest) as { config: { digest: string } };
    const { config } = readBlob(manifest.config.digest) as {
      config: { User: string; Entrypoint: string[]; Cmd: string[]; Labels: Record<string, string> };
    };
    const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8');
    expect(config.User).toBe('10153:10153');
    expect(dockerfile).toContain(`USER ${config.User}`);
    expect(dockerfile).toContain(`ENTRYPOINT ${JSON.stringify(config.Entrypoint)}`);
    expect(dockerfile).toContain(`CMD ${JSON.stringify(config.Cmd).replaceAll(',', ', ')}`);
    for (const label of Object.keys(config.Labels)) expect(dockerfile).toContain(`${label}=`);
    expect(Object.keys(config.Labels)).toHaveLength(5);
  },
);

test.skipIf(!canRun)(
  'it runs as uid 10153 on a read-only root, answers, and drains on SIGTERM',
  { timeout: 120_000 },
  () => {
    expect(
      image('check')
        .split('\n')
        .filter((line) => line.startsWith('image check: ')),
    ).toEqual([
      'image check: healthcheck exits 0',
      'image check: runs as uid 10153',
      'image check: the root is read-only',
      'image check: a request passes',
      'image check: SIGTERM drains, exit 0',
      'image check: healthcheck exits 1 once it is gone',
      'image check: two workers: a request passes, SIGTERM drains, exit 0',
    ]);
  },
);
