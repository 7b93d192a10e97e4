/** A failed candidate beside other experiments and limits: who falls back, who stays, and who gives what back. */
import { describe, expect, it } from 'vitest';
import { field } from '../support/message.ts';
import { answer, get, ok, type Received, useRig } from '../support/rig.ts';
import { CANDIDATE } from '../support/two-arms.ts';

const rig = useRig();

const BREAKER = { breaker: { window: '1h', minimumRequests: 1000 } };

/** `ranking` and `checkout` on one route; the upstream v2 fails everything. */
async function twoExperiments(checkout: object, settings: object = {}) {
  const control = await rig.upstream(({ socket }) => socket.write(ok('control')));
  const failing = await rig.upstream(({ socket }) => socket.end());
  const other = await rig.upstream(({ socket }) => socket.write(ok('other')));
  const plane = await rig.plane([], {
    upstreams: { v1: control.endpoint, v2: failing.endpoint, v3: other.endpoint },
    routes: [{ name: 'api', upstream: 'v1', experiments: ['ranking', 'checkout'] }],
    experiments: {
      ranking: { variants: { control: {}, candidate: { weight: '50%', upstream: 'v2' } }, ...BREAKER },
      checkout: { variants: { control: {}, candidate: { weight: '50%' } }, ...BREAKER, ...checkout },
    },
    ...settings,
  });
  const breaker = (name: string) => plane.plane.breakers().find((one) => one.name === `api/${name}`)!;
  return { ...plane, control, failing, other, breaker };
}

const shown = { propagation: { responseVariant: true } };

describe('an experiment beside the one that failed', () => {
  it('that chooses no upstream keeps its variant, and its breaker sees a good call', async () => {
    const world = await twoExperiments({}, shown);
    const got = await answer(rig.client(world.port).send(get('/', CANDIDATE)));
    expect([got.body, field(got, 'x-fairlead-variant')]).toEqual([
      'control',
      'ranking=control, checkout=candidate',
    ]);
    expect(world.access[0]!.experiments).toMatchObject([
      { name: 'ranking', assigned: 'candidate', served: 'control', reason: 'failover' },
      { name: 'checkout', assigned: 'candidate', served: 'candidate', reason: 'override' },
    ]);
    expect(world.breaker('ranking/candidate')).toMatchObject({ requests: 1, failures: 1, inFlight: 0 });
    expect(world.breaker('ranking/control')).toMatchObject({ requests: 1, failures: 0, inFlight: 0 });
    expect(world.breaker('checkout/candidate')).toMatchObject({ requests: 1, failures: 0, inFlight: 0 });
    expect(field(world.control.requests[0]!, 'x-experiment')).toBe('ranking=candidate, checkout=candidate');
  });

  it('that chose the same upstream falls back with it', async () => {
    const world = await twoExperiments({
      variants: { control: {}, candidate: { weight: '50%', upstream: 'v2' } },
    });
    expect((await answer(rig.client(world.port).send(get('/', CANDIDATE)))).body).toBe('control');
    expect(world.access[0]!.experiments.map(({ served, reason }) => [served, reason])).toEqual([
      ['control', 'failover'],
      ['control', 'failover'],
    ]);
    expect(world.breaker('checkout/candidate')).toMatchObject({ requests: 1, failures: 1, inFlight: 0 });
  });

  it('that had lost to it stays where it was', async () => {
    const world = await twoExperiments({
      variants: { control: {}, candidate: { weight: '50%', upstream: 'v3' } },
    });
    expect((await answer(rig.client(world.port).send(get('/', CANDIDATE)))).body).toBe('control');
    expect(world.access[0]!.experiments.map(({ served, reason }) => [served, reason])).toEqual([
      ['control', 'failover'],
      ['control', 'conflict'],
    ]);
    expect(world.other.requests).toHaveLength(0);
  });

  it('whose fallback stands elsewhere than that of the first is told so, and serves what it can', async () => {
    const world = await twoExperiments({
      variants: { control: { upstream: 'v3' }, candidate: { weight: '50%', upstream: 'v2' } },
    });
    expect((await answer(rig.client(world.port).send(get('/', CANDIDATE)))).body).toBe('control');
    expect(world.breaker('checkout/control')).toMatchObject({ requests: 0, inFlight: 0 });
    expect(world.plane.inFlight()).toBe(0);
  });
});

describe('places under limits', () => {
  /** One request at a time at each upstream and for the candidate; control holds what it is asked. */
  async function limited() {
    const held: Received[] = [];
    const control = await rig.upstream((request) => held.push(request));
    const candidate = await rig.upstream(({ socket }) =>
      socket.end('HTTP/1.1 503 No\r\ncontent-length: 2\r\n\r\nno'),
    );
    const plane = await rig.plane([], {
      upstreams: {
        v1: { endpoints: [control.endpoint], concurrency: 1 },
        v2: { endpoints: [candidate.endpoint], concurrency: 1 },
      },
      routes: [{ name: 'api', upstream: 'v1', experiments: ['ranking'] }],
      experiments: {
        ranking: {
          variants: { control: {}, candidate: { weight: '50%', upstream: 'v2', concurrency: 1 } },
          ...BREAKER,
        },
      },
    });
    const taken = () =>
      plane.plane.limits
        .view()
        .concurrency.filter(({ inFlight }) => inFlight > 0)
        .map(({ name }) => name);
    return { ...plane, control, candidate, held, taken };
  }

  it('are given back by the candidate, taken at control, and given back by it', async () => {
    const { port, control, held, taken } = await limited();
    const client = rig.client(port).send(get('/', CANDIDATE));
    await control.request(0);
    expect(taken()).toEqual(['v1']);
    held[0]!.socket.write(ok('control'));
    expect((await answer(client)).body).toBe('control');
    expect(taken()).toEqual([]);
  });

  it('that control does not have leave the client with the answer of the candidate', async () => {
    const { port, control, held, taken } = await limited();
    const first = rig.client(port).send(get('/', CANDIDATE));
    await control.request(0);
    expect((await answer(rig.client(port).send(get('/', CANDIDATE)))).status).toBe(503);
    expect(taken()).toEqual(['v1']);
    held[0]!.socket.write(ok('control'));
    expect((await answer(first)).body).toBe('control');
    expect(taken()).toEqual([]);
    expect(control.requests).toHaveLength(1);
  });
});
