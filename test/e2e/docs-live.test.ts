/** docs/live.md as somebody would try it: its configuration, its commands, and that answers look like those it shows. */
import { execFile } from 'node:child_process';
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

/** What a command that begins like this prints; one that goes on is stopped after some seconds. */
async function run(begin: string): Promise<string> {
  const lines = (await blocks(DOC, 'sh')).flatMap(commands).filter((line) => line.includes(begin));
  expect(lines).toHaveLength(1);
  const typed = lines[0]!.replace(':15100', `:${sidecar.ports.admin}`).replace('curl -N', 'curl -N -m 3');
  const done = await promisify(execFile)('sh', ['-c', `${typed} -s`]).catch(
    (error: { stdout: string }) => error,
  );
  return done.stdout;
}

/** Names of all members, at any depth, of the first of each list. */
function shape(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shape(value[0])];
  if (typeof value !== 'object' || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, shape(member)]));
}

const events = (text: string): [event: string, data: unknown][] =>
  [...text.matchAll(/^event: (.+)\ndata: (.+)$/gm)].map(([, event, data]) => [
    event!,
    data!.includes('[...]') ? null : JSON.parse(data!),
  ]);

describe.skipIf(!hasTools('curl'))('the commands', () => {
  it('show numbers that look like those of the page', async () => {
    const [shown] = await blocks(DOC, 'json');
    const answer = JSON.parse(await run('/v1/stats')) as { experiments: { variants: unknown[] }[] };
    const expected = JSON.parse(shown!) as typeof answer;
    // What serves nothing has no quantiles.
    for (const view of [answer, expected]) view.experiments[0]!.variants.reverse();
    expect(shape(answer)).toEqual(shape(expected));
  });

  it('show events: who is talking, and what goes on', async () => {
    const [shown] = await blocks(DOC, 'text');
    const [hello, ...stats] = events(await run('/v1/events/stream'));
    expect([hello![0], shape(hello![1])]).toEqual(['hello', shape(events(shown!)[0]![1])]);
    expect(stats.length).toBeGreaterThanOrEqual(2);
    expect(new Set(stats.map(([event]) => event))).toEqual(new Set(['stats']));
  });

  it('show single requests, and how many are not shown', async () => {
    const [, shown] = await blocks(DOC, 'text');
    const seen = events(await run('/v1/tap'));
    for (const [event, data] of events(shown!))
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
    await post('breakers/api/ranking/candidate:trip', { for: '1s', reason: 'to see it' });
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
