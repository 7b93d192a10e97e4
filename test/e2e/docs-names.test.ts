/** What docs/endpoints.md shows of names and health checks is accepted, and does what is said beside it. */
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/parse.ts';
import { blocks } from '../support/docs.ts';
import { snapshotOf } from '../support/plane.ts';

const complete = async () =>
  (await blocks('docs/endpoints.md', 'yaml')).filter((block) => block.startsWith('version: 1\n'));

/** The one configuration that has these words. */
async function withWords(...words: readonly string[]): Promise<string> {
  const found = (await complete()).filter((block) => words.every((word) => block.includes(word)));
  expect(found).toHaveLength(1);
  return found[0]!;
}

describe('docs/endpoints.md', () => {
  it('shows configurations that are valid', async () => {
    expect((await complete()).length).toBeGreaterThan(3);
    for (const block of await complete())
      expect(parseConfig(block, 'docs/endpoints.md').issues.map(({ message }) => message)).toEqual([]);
  });

  it('shows all settings of dns, with their defaults but for the servers', async () => {
    const { dns } = snapshotOf(await withWords('keepMissing'));
    const { dns: byDefault } = snapshotOf('version: 1\nupstreams: { app: "app.local:8080" }\n');
    expect(dns).toEqual({ ...byDefault, servers: ['10.96.0.10:53', '10.96.0.11:5353'] });
  });

  it('shows all settings of health checks', async () => {
    const { health } = snapshotOf(await withWords('health:', 'statuses')).upstreams.get('app')!;
    expect(health).toEqual({
      http: {
        path: '/health',
        host: 'app.internal',
        statuses: [
          [200, 299],
          [304, 304],
          [400, 403],
        ],
      },
      port: 9090,
      intervalMs: 5000,
      timeoutMs: 1000,
      rise: 2,
      fall: 3,
    });
  });
});
