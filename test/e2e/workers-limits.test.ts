/** Limits with `workers: 2`: what is configured is for both together. */
import { describe, expect, it } from 'vitest';
import { readMessage } from '../support/message.ts';
import type { RawClient } from '../support/peers.ts';
import { PLAIN, useWorkers, workersConfig } from '../support/workers.ts';

const rig = useWorkers();

async function status(client: RawClient, request: string): Promise<number> {
  client.text = '';
  client.send(request);
  // One that is held waits for the rest of the test.
  await client.until((text) => readMessage(text) !== null, 40_000);
  return readMessage(client.text)!.status;
}

describe.skipIf(process.platform !== 'linux')('limits of two workers', () => {
  it('add up to a rate limit: each has its part of it', async () => {
    // The connections are told apart by a request each, on a route without a limit.
    const sidecar = await rig.start((ports) =>
      workersConfig(ports).replace(
        'routes: [',
        'routes: [{ name: few, match: { path: /few }, upstream: v1, rateLimit: { rate: 1/h, burst: 10 } }, ',
      ),
    );
    const clients = await sidecar.clientsOfEach(1);
    for (const [client] of clients.values()) {
      const statuses: number[] = [];
      for (let i = 0; i < 8; i++) statuses.push(await status(client!, PLAIN.replace('/', '/few')));
      expect(statuses).toEqual([200, 200, 200, 200, 200, 429, 429, 429]);
    }
    await sidecar.counts('fairlead_rate_limited_total{', 6);
    await expect
      .poll(() => sidecar.get('/v1/overload'))
      .toMatchObject({
        shedding: null,
        rateLimits: [{ scope: 'route', name: 'few', perSecond: 1 / 3600, burst: 10, limited: 6 }],
      });
  });

  it('add up to a concurrency limit, of which each has its part', async () => {
    const sidecar = await rig.start((ports) =>
      workersConfig(ports).replace(
        `v1: { endpoints: ["127.0.0.1:${ports.control}"] }`,
        `v1: { endpoints: ["127.0.0.1:${ports.control}"], concurrency: 2 }`,
      ),
    );
    const clients = await sidecar.clientsOfEach(2);
    const held = PLAIN.replace('/', '/held');
    const first = [...clients.values()].map(([client]) => status(client!, held));
    await expect.poll(() => sidecar.held.length, { timeout: 15_000 }).toBe(2);
    await sidecar.counts('fairlead_concurrency_in_flight{', 2);
    for (const [, client] of clients.values()) expect(await status(client!, PLAIN)).toBe(503);
    await sidecar.letGo(2);
    expect(await Promise.all(first)).toEqual([200, 200]);
    expect(await sidecar.metric('fairlead_concurrency_limit{')).toBe(2);
  });

  it('share the memory, and the page has the level of the one that sheds most', async () => {
    const sidecar = await rig.start((ports) => workersConfig(ports, 'overload: { memory: 64MiB }'));
    // Each has more than its half of it, and sheds as much as memory alone may make it shed.
    await expect.poll(() => sidecar.metric('fairlead_overload_level '), { timeout: 20_000 }).toBe(4);
    await expect
      .poll(() => sidecar.get('/v1/overload'))
      .toMatchObject({ shedding: { level: 4, upTo: 'ordinary' } });
    await expect.poll(() => sidecar.log()).toContain('overload: level 0 -> 1, shed: mirror; memory is at ');
  });
});
