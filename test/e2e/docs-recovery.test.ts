/** docs/failover.md and docs/retries.md as somebody would try them: every configuration, and what they promise of it. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/parse.ts';
import { withoutMetadata } from '../support/config.ts';
import { blocks } from '../support/docs.ts';
import { fixedUpstream, type RawUpstream } from '../support/peers.ts';
import { runSidecar } from '../support/process.ts';

let folder: string;
let control: RawUpstream;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairlead-docs-'));
  control = await fixedUpstream('HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\ncontrol');
});

afterAll(async () => {
  await control.close();
  await rm(folder, { recursive: true, force: true });
});

/** What the examples leave out, to have one that can be run. Nobody listens at v2. */
function around(example: string): string {
  return `version: 1
listeners: [{ name: inbound, address: "127.0.0.1:0" }]
admin: { address: off, probeAddress: off }
upstreams: { v1: "${control.endpoint}", v2: "127.0.0.1:1", prices: "${control.endpoint}" }
experiments: { ranking: { variants: { control: {}, candidate: { weight: 1%, upstream: v2 } } } }
${/^routes:/m.test(example) ? '' : 'routes: [{ name: prices, upstream: prices, experiments: [ranking] }]\n'}${example}`;
}

describe.each([
  ['docs/failover.md', 1],
  ['docs/retries.md', 4],
])('%s', (file, count) => {
  it('shows configurations that are valid', async () => {
    const examples = await blocks(file, 'yaml');
    expect(examples).toHaveLength(count);
    for (const example of examples) {
      const issues = withoutMetadata(parseConfig(around(example), file).issues);
      expect(issues.filter(({ message }) => !message.includes('no route'))).toEqual([]);
    }
  });
});

it('the example of docs/failover.md serves by control what its candidate does not, and says so', async () => {
  const [example] = await blocks('docs/failover.md', 'yaml');
  const log = `accessLog: { file: ${join(folder, 'access.log')} }\n`;
  await writeFile(join(folder, 'checkout.yaml'), log + around(example!));
  const sidecar = await runSidecar('checkout.yaml', folder);
  const headers = { 'x-experiment-override': 'always', 'x-experiment-explain': '1' };
  const response = await fetch(`http://127.0.0.1:${sidecar.ports.inbound}/`, {
    method: 'POST',
    headers,
    body: 'x',
  });
  expect([response.status, await response.text()]).toEqual([200, 'control']);
  expect(response.headers.get('x-experiment-reason')).toBe('ranking=override;served=control;cause=failover');
  sidecar.child.kill('SIGTERM');
  expect(await sidecar.exited).toBe(0);
  const line = await readFile(join(folder, 'access.log'), 'utf8');
  expect(JSON.parse(line)).toMatchObject({ status: 200, upstream: `v1/${control.endpoint}` });
  expect(line).toContain('"assigned":"candidate","served":"control","reason":"failover"');
});
