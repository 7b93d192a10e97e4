/** Which endpoints are used when hardly any should be, and how much one gets that is back. */
import { describe, expect, it } from 'vitest';
import { healthKey } from '../../src/proxy/health-checks.ts';
import { snapshotOf } from '../support/plane.ts';
import { answer, configOf, get, ok, useRig } from '../support/rig.ts';

const rig = useRig();

async function many(count: number, settings: object = {}) {
  const upstreams = await Promise.all(
    Array.from({ length: count }, (_, index) =>
      rig.upstream(({ socket }) => socket.write(ok(String(index)))),
    ),
  );
  const endpoints = upstreams.map(({ endpoint }) => endpoint);
  const { plane, port } = await rig.plane(endpoints, { upstreams: { app: { endpoints, ...settings } } });
  const client = rig.client(port);
  return {
    plane,
    upstreams,
    endpoints,
    /** Who answered, by number, with how often. */
    async ask(times: number): Promise<number[]> {
      const counts = endpoints.map(() => 0);
      for (let i = 0; i < times; i++) counts[Number((await answer(client.send(get()))).body)]!++;
      return counts;
    },
    unwell: (...indexes: readonly number[]) =>
      plane.heedHealth(new Set(indexes.map((index) => healthKey('app', endpoints[index]!)))),
  };
}

describe('endpoints that are not well', () => {
  it('get nothing while enough others are', async () => {
    const { ask, unwell } = await many(4);
    unwell(0, 2);
    expect(await ask(8)).toEqual([0, 4, 0, 4]);
  });

  it('are used again when fewer are well than panicBelow says, and no longer when they are more', async () => {
    const { ask, unwell, plane } = await many(4, { panicBelow: '50%' });
    unwell(0, 1, 2);
    expect(await ask(8)).toEqual([2, 2, 2, 2]);
    expect(plane.upstreams()[0]!.endpoints[0]).toMatchObject({ state: 'unhealthy', isUsed: true });
    unwell(0, 1);
    expect(await ask(8)).toEqual([0, 0, 4, 4]);
  });

  it('are all used when none is well, also with panicBelow: 0%', async () => {
    const { ask, unwell } = await many(2, { panicBelow: '0%' });
    unwell(0, 1);
    expect(await ask(4)).toEqual([2, 2]);
    unwell(0);
    expect(await ask(4)).toEqual([0, 4]);
  });

  it('are used in a panic, but not those that were taken out by hand', async () => {
    const { ask, unwell, plane, endpoints } = await many(3);
    plane.drainEndpoints([{ upstream: 'app', endpoint: endpoints[2]! }]);
    unwell(0, 1);
    expect(await ask(4)).toEqual([2, 2, 0]);
  });
});

describe('peakEwma', () => {
  it('takes an endpoint for no slower because streams and long polls take their time', async () => {
    const { plane, endpoints } = await many(2, { balance: 'peakEwma' });
    plane.adopt(
      snapshotOf(
        configOf(endpoints, {
          upstreams: { app: { endpoints, balance: 'peakEwma' } },
          routes: [{ name: 'all', streaming: true }],
        }),
        2,
      ),
    );
    const client = rig.client(
      plane.listeners[0]!.address.kind === 'tcp' ? plane.listeners[0]!.address.port : 0,
    );
    for (let i = 0; i < 4; i++) await answer(client.send(get()));
    const { pools } = plane.group(plane.plan.snapshot.upstreams.get('app')!);
    expect(pools.map((pool) => [pool.record!.requests, pool.ewma!.at(plane.clock.now())])).toEqual([
      [2, -1],
      [2, -1],
    ]);
  });
});

describe('slowStart', () => {
  it('gives one that is back a tenth of its share, and those of the start the whole', async () => {
    const { ask, unwell } = await many(2, { slowStart: '1h' });
    expect(await ask(20)).toEqual([10, 10]);
    unwell(1);
    await ask(1);
    unwell();
    const [, back] = await ask(200);
    // 0.1 of 1.1 shares: 18, and six standard deviations more.
    expect(back).toBeLessThan(43);
    expect(back).toBeGreaterThan(0);
  });

  it('is over after its time', async () => {
    const { ask, unwell } = await many(2, { slowStart: '50ms' });
    unwell(1);
    await ask(1);
    unwell();
    await expect.poll(async () => (await ask(20))[1]).toBe(10);
  });
});
