/** Another system's algorithm over real sockets: who it takes is routed and carried, whom it leaves out is neither. */
import { afterEach, expect, it } from 'vitest';
import { fixedUpstream, RawClient, type RawUpstream } from '../support/peers.ts';
import { startPlane } from '../support/plane.ts';

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface World {
  readonly client: RawClient;
  readonly control: RawUpstream;
  readonly candidate: RawUpstream;
}

/** GrowthBook has the hashes of seed foo at 0.2019 for def and 0.2575 for ab; the candidate begins at 0.2. */
async function world(traffic: string): Promise<World> {
  const control = await fixedUpstream('HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\ncontrol');
  const candidate = await fixedUpstream('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ncandidate');
  const plane = await startPlane(`
version: 1
listeners: [{ name: inbound, address: "127.0.0.1:0", direction: inbound }]
upstreams: { v1: "${control.endpoint}", v2: "${candidate.endpoint}" }
routes: [{ name: all, upstream: v1, experiments: [ranking] }]
experiments:
  ranking:
    algorithm: { name: growthbook2, seed: foo }
    traffic: ${traffic}
    variants: { control: { weight: 20% }, candidate: { weight: 80%, upstream: v2 } }
`);
  const client = new RawClient(plane.port);
  closers.push(
    () => control.close(),
    () => candidate.close(),
    () => plane.close(),
    () => client.close(),
  );
  return { client, control, candidate };
}

async function served(client: RawClient, fields: string): Promise<string> {
  client.send(`GET / HTTP/1.1\r\nHost: shop\r\n${fields}\r\n`);
  const response = await client.response();
  return response.slice(response.indexOf('\r\n\r\n') + 4);
}

it('routes whom GrowthBook has in the candidate, and more of them with more coverage', async () => {
  const little = await world('5%');
  expect(await served(little.client, 'x-user-id: def\r\n')).toBe('candidate');
  expect(await served(little.client, 'x-user-id: ab\r\n')).toBe('control');
  const more = await world('10%');
  expect(await served(more.client, 'x-user-id: def\r\n')).toBe('candidate');
  expect(await served(more.client, 'x-user-id: ab\r\n')).toBe('candidate');
});

it('lets an override and a carried variant go first, and a request without a unit to the fallback', async () => {
  const { client } = await world('5%');
  expect(await served(client, 'x-user-id: ab\r\nx-experiment-override: ranking=candidate\r\n')).toBe(
    'candidate',
  );
  expect(await served(client, 'x-user-id: def\r\nx-experiment: ranking=control\r\n')).toBe('control');
  expect(await served(client, '')).toBe('control');
});

it('carries the variant of who takes part, and nothing of who does not', async () => {
  const { client, control, candidate } = await world('5%');
  await served(client, 'x-user-id: def\r\n');
  await served(client, 'x-user-id: ab\r\n');
  expect(candidate.received.join()).toContain('x-experiment: ranking=candidate\r\n');
  expect(control.received.join()).toContain('x-user-id: ab\r\n');
  expect(control.received.join()).not.toContain('x-experiment');
});
