/** docs/live.md as somebody would try it: its configuration, its commands, and that answers look like those it shows. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blocks, commands } from '../support/docs.ts';
import { fixedUpstream, type RawUpstream } from '../support/peers.ts';
import { runSidecar } from '../support/process.ts';
import { hasTools } from '../support/tools.ts';

const DOC = 'docs/live.md';
const TOKEN = 'docs-token';

let folder: string;
let upstreams: RawUpstream[];
let sidecar: Awaited<ReturnType<typeof runSidecar>>;
let traffic: NodeJS.Timeout;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairlead-docs-'));
  upstreams = await Promise.all(
    ['1', '2'].map((name) => fixedUpstream(`HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n${name}`)),
  );
  let [config = ''] = await blocks(DOC, 'yaml');
  for (const [index, { port }] of upstreams.entries())
    config = config.replace(`:900${index + 1}"`, `:${port}"`);
  await writeFile(
    join(folder, 'fairlead.yaml'),
    `${config}listeners: [{ name: inbound, address: "127.0.0.1:0" }]
admin: { address: 127.0.0.1:0, probeAddress: 127.0.0.1:0, token: ${TOKEN} }\n`,
  );
  sidecar = await runSidecar('fairlead.yaml', folder);
  const ask = () =>
    fetch(`http://127.0.0.1:${sidecar.ports.inbound}/cart`, {
      headers: { 'x-experiment-override': 'ranking=candidate' },
    }).then(
      (answer) => answer.text(),
      () => '',
    );
  traffic = setInterval(() => void ask(), 20);
});

afterAll(async () => {
  clearInterval(traffic);
  sidecar.child.kill('SIGTERM');
  expect(await sidecar.exited).toBe(0);
  await Promise.all(upstreams.map((upstream) => upstream.close()));
  await rm(folder, { recursive: true, force: true });
});

/** The command with this in it, to this sidecar. */
async function command(part: string): Promise<string> {
  const lines = (await blocks(DOC, 'sh')).flatMap(commands).filter((line) => line.includes(part));
  expect(lines).toHaveLength(1);
  return `${lines[0]!.replace(':15100', `:${sidecar.ports.admin}`)} -s`;
}

/** What it prints. */
async function run(part: string): Promise<string> {
  return (await promisify(execFile)('sh', ['-c', await command(part)])).stdout;
}

/** The events that one which goes on prints until there are enough; then it is stopped. */
async function follow(part: string, isEnough: (seen: Events) => boolean): Promise<Events> {
  const child = spawn('sh', ['-c', `exec ${await command(part)}`], { stdio: ['ignore', 'pipe', 'ignore'] });
  const closed = once(child, 'close');
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  // The last may not be read to its end.
  const seen = () => events(text.slice(0, text.lastIndexOf('\n\n') + 1));
  await expect.poll(() => isEnough(seen()), { timeout: 30_000 }).toBe(true);
  child.kill('SIGKILL');
  await closed;
  return seen();
}

/** Names of all members, at any depth, of the first of each list. */
function shape(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shape(value[0])];
  if (typeof value !== 'object' || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, shape(member)]));
}

type Events = [event: string, data: unknown][];

const events = (text: string): Events =>
  [...text.matchAll(/^event: (.+)\ndata: (.+)$/gm)].map(([, event, data]) => [
    event!,
    data!.includes('[...]') ? null : JSON.parse(data!),
  ]);

describe.skipIf(!hasTools('curl'))('the commands', () => {
  it('show numbers that look like those of the page', async () => {
    const [shown] = await blocks(DOC, 'json');
    // What serves nothing has no quantiles.
    const shapeOf = (text: string): unknown => {
      const view = JSON.parse(text) as { experiments: { variants: unknown[] }[] };
      view.experiments[0]!.variants.reverse();
      return shape(view);
    };
    // The first may be of a time before anybody was served.
    await expect
      .poll(async () => shapeOf(await run('/v1/stats')), { timeout: 20_000 })
      .toEqual(shapeOf(shown!));
  });

  it('show events: who is talking, and what goes on', async () => {
    const [shown] = await blocks(DOC, 'text');
    const [hello, ...stats] = await follow('/v1/events/stream', (seen) => seen.length >= 3);
    expect([hello![0], shape(hello![1])]).toEqual(['hello', shape(events(shown!)[0]![1])]);
    expect(stats.length).toBeGreaterThanOrEqual(2);
    expect(new Set(stats.map(([event]) => event))).toEqual(new Set(['stats']));
  });

  it('show single requests, and how many are not shown', async () => {
    const [, shown] = await blocks(DOC, 'text');
    const expected = events(shown!);
    const seen = await follow('/v1/tap', (some) =>
      expected.every(([event]) => some.some(([name]) => name === event)),
    );
    for (const [event, data] of expected)
      expect(shape(seen.find(([name]) => name === event)?.[1])).toEqual(shape(data));
  });

  it('show what has happened', async () => {
    const url = `http://127.0.0.1:${sidecar.ports.admin}/v1`;
    const post = (path: string, body: object) =>
      fetch(`${url}/${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    await post('breakers/api/ranking/candidate:trip', { for: '10m', reason: 'to see it' });
    await post('experiments/ranking/weights', { weights: { candidate: '25%' }, reason: 'looks good at 10%' });
    const { transitions } = JSON.parse(await run('/v1/breakers/history'));
    expect(transitions).toMatchObject([
      { name: 'api/ranking/candidate', from: 'closed', to: 'open', cause: 'forced' },
    ]);
    const [, shown] = await blocks(DOC, 'json');
    const [answer, expected] = [await run('/v1/config/history'), shown!].map(
      (text) => JSON.parse(text).history,
    );
    expect(shape(answer)).toEqual(shape(expected));
    expect(answer[0].changes).toEqual(expected[0].changes);
    expect([answer[1].by, answer[1].reason]).toEqual([expected[1].by, expected[1].reason]);
  });
});
