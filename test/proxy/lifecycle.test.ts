/** Layers, holdouts, prerequisites and dates over real sockets: who is served what, and what is on record. */
import { describe, expect, it } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import { startPlane, type TestPlane } from '../support/plane.ts';
import { answer, get, ok, type Received, type Rig, type Upstream, useRig } from '../support/rig.ts';

const rig: Rig = useRig();

interface World {
  readonly plane: TestPlane;
  /** What the two upstreams got. */
  readonly v1: Upstream;
  readonly v2: Upstream;
  /** Body of the answer: which upstream it came from. */
  ask(user: string, fields?: string, path?: string): Promise<string>;
}

/** `settings` are the top-level lines after the upstreams. */
async function world(settings: string, clock?: Clock, v2Answer = ok('v2')): Promise<World> {
  const answering = (text: string) => (request: Received) => void request.socket.write(text);
  const v1 = await rig.upstream(answering(ok('v1')));
  const v2 = await rig.upstream(answering(v2Answer));
  const text = `
version: 1
listeners: [{ name: inbound, address: "127.0.0.1:0", direction: inbound }]
upstreams: { v1: "${v1.endpoint}", v2: "${v2.endpoint}" }
${settings}`;
  const plane = await startPlane(text, clock);
  rig.also(() => plane.close());
  const client = rig.client(plane.port);
  return {
    plane,
    v1,
    v2,
    async ask(user, fields = '', path = '/') {
      client.send(get(path, `x-user-id: ${user}\r\nx-experiment-explain: 1\r\n${fields}`));
      const { body, fields: answered } = await answer(client);
      const reason = answered.find(([name]) => name.toLowerCase() === 'x-experiment-reason')?.[1] ?? 'none';
      return `${body} ${reason.replaceAll(/split:[0-9.]+/g, 'split')}`;
    },
  };
}

const toCandidate = 'variants: { control: {}, candidate: { weight: 100%, upstream: v2 } }';
const all = (...experiments: string[]) =>
  `routes: [{ name: all, upstream: v1, experiments: [${experiments.join(', ')}] }]`;

describe('over the wire', () => {
  it('two experiments of a layer never have the same user, and everyone of the layer is in one', async () => {
    const { ask, plane } = await world(`
${all('one', 'other')}
layers: { search: {} }
experiments:
  one: { ${toCandidate}, layer: search, range: 0%-50% }
  other: { variants: { control: {}, candidate: { weight: 100% } }, layer: search, range: 50%-100% }
`);
    const counts: Record<string, number> = {};
    for (let user = 0; user < 400; user++) {
      const told = await ask(`user-${user}`);
      counts[told] = (counts[told] ?? 0) + 1;
    }
    expect(Object.keys(counts).sort()).toEqual([
      'v1 one=not-in-layer, other=split',
      'v2 one=split, other=not-in-layer',
    ]);
    expect(Math.abs(counts['v2 one=split, other=not-in-layer']! - 200)).toBeLessThan(40); // four standard errors
    expect(plane.exposures).toHaveLength(400);
  });

  it('who is held out gets the control everywhere, is in no analysis and carries nothing', async () => {
    const { ask, plane, v1 } = await world(`
${all('ranking')}
holdout: { share: 100% }
experiments: { ranking: { ${toCandidate} } }
`);
    expect(await ask('alice')).toBe('v1 ranking=holdout');
    expect(plane.exposures).toEqual([]);
    expect(v1.requests[0]!.fields.map(([name]) => name.toLowerCase())).not.toContain('x-experiment');
    expect(await ask('alice', 'x-experiment-override: ranking=candidate\r\n')).toBe('v2 ranking=override');
    expect(await ask('alice', 'x-experiment: ranking=candidate\r\n')).toBe('v2 ranking=propagated');
  });

  it('a flag is for those who are in the canary, which is not on the route and not exposed', async () => {
    const { ask, plane, v2 } = await world(`
${all('flag')}
experiments:
  canary: { variants: { control: { weight: 50% }, candidate: { weight: 50%, upstream: v1 } } }
  flag: { ${toCandidate}, requires: [{ experiment: canary, variant: candidate }] }
`);
    const told = new Set<string>();
    for (let user = 0; user < 60; user++) told.add(await ask(`user-${user}`));
    expect([...told].sort()).toEqual(['v1 flag=prerequisite', 'v2 flag=split']);
    expect(new Set(plane.exposures.map(({ experiment }) => experiment))).toEqual(new Set(['flag']));
    expect(plane.exposures).toHaveLength(v2.requests.length);
    const carried = v2.requests[0]!.fields.find(([name]) => name.toLowerCase() === 'x-experiment')?.[1];
    expect(carried).toBe('flag=candidate');
    // What the caller carries about the canary counts.
    expect(await ask('u', 'x-experiment: canary=control\r\n')).toBe('v1 flag=prerequisite');
    expect(await ask('u', 'x-experiment: canary=candidate\r\n')).toBe('v2 flag=split');
  });

  it('with both on the route, in any order, the flag follows the canary of the same request', async () => {
    const { ask } = await world(`
${all('flag', 'canary')}
experiments:
  canary: { variants: { control: { weight: 50% }, candidate: { weight: 50% } } }
  flag: { ${toCandidate}, requires: [{ experiment: canary, variant: candidate }] }
`);
    expect(await ask('alice', 'x-experiment-override: canary=candidate\r\n')).toBe(
      'v2 flag=split, canary=override',
    );
    expect(await ask('alice', 'x-experiment-override: canary=control\r\n')).toBe(
      'v1 flag=prerequisite, canary=override',
    );
  });

  it('starts and ends by the wall clock, with no reload', async () => {
    const clock = { wall: Date.UTC(2026, 10, 1) - 1, now: () => performance.now(), wallMs: () => clock.wall };
    const { ask, plane } = await world(
      `
${all('ranking')}
experiments:
  ranking:
    ${toCandidate}
    startsAt: 2026-11-01T00:00:00Z
    endsAt: 2026-12-01T00:00:00Z
`,
      clock,
    );
    expect(await ask('alice')).toBe('v1 ranking=not-started');
    clock.wall += 1;
    expect(await ask('alice')).toBe('v2 ranking=split');
    clock.wall = Date.UTC(2026, 11, 1);
    expect(await ask('alice')).toBe('v1 ranking=ended');
    expect(plane.exposures).toHaveLength(1);
  });

  it('a winner gets everyone, is carried on, and counts nobody any more', async () => {
    const { ask, plane, v2 } = await world(`
${all('ranking')}
experiments: { ranking: { variants: { control: {}, candidate: { weight: 1%, upstream: v2 } }, status: concluded, winner: candidate } }
`);
    for (const user of ['alice', 'bob', 'carol']) expect(await ask(user)).toBe('v2 ranking=concluded');
    expect(await ask('alice', 'x-experiment-override: ranking=control\r\n')).toBe('v2 ranking=concluded');
    expect(plane.exposures).toEqual([]);
    const [request] = v2.requests;
    expect(request!.fields.find(([name]) => name.toLowerCase() === 'x-experiment')?.[1]).toBe(
      'ranking=candidate',
    );
  });

  it('a winner that breaks is still taken out of the way by its breaker', async () => {
    const { ask, v2 } = await world(
      `
${all('ranking')}
experiments:
  ranking:
    variants: { control: {}, candidate: { weight: 1%, upstream: v2 } }
    status: concluded
    winner: candidate
    breaker: { consecutiveFailures: 3, minimumRequests: 1000, openFor: 60s, openForMax: 60s }
`,
      undefined,
      'HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nv2',
    );
    const told: string[] = [];
    for (let i = 0; i < 5; i++) told.push(await ask('alice'));
    expect(told.map((one) => one.slice(0, 2))).toEqual(['v2', 'v2', 'v2', 'v1', 'v1']);
    expect(v2.requests).toHaveLength(3);
  });

  it('a draft is served like no experiment at all', async () => {
    const { ask, plane, v1 } = await world(`
${all('ranking')}
experiments: { ranking: { ${toCandidate}, status: draft } }
`);
    expect(await ask('alice', 'x-experiment-override: ranking=candidate\r\n')).toBe('v1 ranking=off');
    expect(plane.exposures).toEqual([]);
    expect(v1.requests[0]!.fields.map(([name]) => name.toLowerCase())).not.toContain('x-experiment');
  });
});
