/** What caches are told over real sockets, and how answers that they gave to the wrong variant are found. */
import { describe, expect, it } from 'vitest';
import { systemClock, systemRandom } from '../../src/base/clock.ts';
import { DataPlane } from '../../src/proxy/data-plane.ts';
import { silentLog } from '../../src/telemetry/log.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { snapshotOf } from '../support/plane.ts';
import { type Answer, answer, configOf, get, ok, post, type Received, useRig } from '../support/rig.ts';

const rig = useRig();

/** A plane whose warnings are kept; `fields` are those of every answer of its upstream. */
async function world(cache: object, fields = '') {
  const upstream = await rig.upstream(({ socket }: Received) => socket.write(ok('ok', fields)));
  const warnings: object[] = [];
  const metrics = new Metrics({ version: 'test', node: 'test', isProcessIncluded: false });
  const text = configOf([upstream.endpoint], {
    routes: [
      { name: 'api', match: { path: '/api' }, upstream: 'app', experiments: ['ranking'], cache },
      { name: 'rest', upstream: 'app', cache },
    ],
    experiments: { ranking: { variants: { control: {}, candidate: { weight: '50%' } } } },
  });
  const plane = new DataPlane(snapshotOf(text), {
    clock: systemClock,
    random: systemRandom,
    metrics,
    log: { ...silentLog, warn: (facts: object) => warnings.push(facts) },
    accessLog: null,
    exposures: null,
    onTransition: () => {},
  });
  await plane.start();
  rig.also(() => plane.stop());
  const { address } = plane.listeners[0]!;
  const client = rig.client(address.kind === 'tcp' ? address.port : 0);
  const ask = (request: string): Promise<Answer> => {
    client.send(request);
    return answer(client);
  };
  return { ask, upstream, warnings, metrics, plane };
}

const wanting = (variant: string, path = '/api', fields = '') =>
  get(path, `x-experiment-override: ranking=${variant}\r\n${fields}`);

function valuesOf({ fields }: { fields: readonly (readonly [string, string])[] }, name: string): string[] {
  return fields.filter(([one]) => one.toLowerCase() === name).map(([, value]) => value);
}

describe('what caches are told', () => {
  it('is by default the Vary of all that decides, and nothing on a route without experiments', async () => {
    const { ask } = await world({});
    const told = await ask(wanting('candidate'));
    expect(valuesOf(told, 'vary')).toEqual([
      'x-experiment, x-experiment-override, baggage, cookie, x-user-id',
    ]);
    expect(valuesOf(told, 'cache-control')).toEqual([]);
    expect(valuesOf(await ask(wanting('candidate', '/other')), 'vary')).toEqual([]);
  });

  it('is no Vary, or another one, when the route says so', async () => {
    const off = await world({ vary: 'off' });
    expect(valuesOf(await off.ask(wanting('candidate')), 'vary')).toEqual([]);
    const own = await world({ vary: ['X-Cache-Key-Variant'] });
    expect(valuesOf(await own.ask(wanting('candidate')), 'vary')).toEqual(['x-cache-key-variant']);
  });

  it('is that the answer is private, where the route wants it and the answer does not say so itself', async () => {
    const { ask } = await world({ private: true }, 'Cache-Control: public, max-age=60\r\n');
    expect(valuesOf(await ask(wanting('control')), 'cache-control')).toEqual([
      'public, max-age=60',
      'private',
    ]);
    expect(valuesOf(await ask(wanting('control', '/other')), 'cache-control')).toEqual([
      'public, max-age=60',
    ]);
    expect(valuesOf(await ask(post('x').replace('POST /', 'POST /api')), 'cache-control')).toEqual([
      'public, max-age=60',
    ]);
  });

  it.each(['private', 'max-age=5, private', 'no-store', 'no-store, max-age=0'])(
    'is nothing more of that for an answer with %s',
    async (control) => {
      const { ask } = await world({ private: true, vary: 'off' }, `Cache-Control: ${control}\r\n`);
      expect(valuesOf(await ask(wanting('control')), 'cache-control')).toEqual([control]);
    },
  );

  it('is private for all of an answer of which only a field was', async () => {
    const { ask } = await world({ private: true }, 'Cache-Control: private="set-cookie"\r\n');
    expect(valuesOf(await ask(wanting('control')), 'cache-control')).toEqual([
      'private="set-cookie"',
      'private',
    ]);
  });

  it('is the variant served, to the upstream and to the client, in place of what they say themselves', async () => {
    const { ask, upstream } = await world(
      { keyHint: 'X-Cache-Key-Variant' },
      'X-Cache-Key-Variant: ranking=control\r\n',
    );
    const told = await ask(wanting('candidate', '/api', 'X-CACHE-key-variant: ranking=evil\r\n'));
    expect(valuesOf(upstream.requests[0]!, 'x-cache-key-variant')).toEqual(['ranking=candidate']);
    expect(valuesOf(told, 'x-cache-key-variant')).toEqual(['ranking=candidate']);
    const other = await ask(wanting('candidate', '/other', 'x-cache-key-variant: a=b\r\n'));
    expect(valuesOf(upstream.requests[1]!, 'x-cache-key-variant')).toEqual(['a=b']);
    expect(valuesOf(other, 'x-cache-key-variant')).toEqual(['ranking=control']);
  });
});

describe('an answer of a cache that bears another variant', () => {
  const MIXED = 'fairlead_cache_mixups_total{route="api",experiment="ranking"}';

  it.each([
    'Age: 7',
    'X-Cache: HIT',
    'X-Cache: Hit from cloudfront',
    'X-Cache: TCP_HIT',
    'Cache-Status: edge; hit; ttl=9',
  ])('is counted when it says %s, and told once a minute, and goes to the client as it is', async (sign) => {
    const { ask, warnings, metrics } = await world({}, `${sign}\r\nx-fairlead-variant: ranking=control\r\n`);
    for (let i = 0; i < 3; i++) expect((await ask(wanting('candidate'))).body).toBe('ok');
    expect(await metrics.render()).toContain(`${MIXED} 3\n`);
    expect(warnings).toEqual([{ route: 'api', experiment: 'ranking', served: 'candidate', mixups: 1 }]);
  });

  it('is neither that of the variant assigned nor that of the one served while a breaker is open', async () => {
    for (const variant of ['candidate', 'control']) {
      const { ask, metrics, plane } = await world({}, `Age: 7\r\nx-fairlead-variant: ranking=${variant}\r\n`);
      expect(plane.trip('api/ranking/candidate', 60_000, 'test')).toBe(true);
      const told = await ask(wanting('candidate', '/api', 'x-experiment-explain: 1\r\n'));
      expect(valuesOf(told, 'x-experiment-reason')).toEqual([
        'ranking=override;served=control;cause=breaker',
      ]);
      expect(await metrics.render()).not.toContain(MIXED);
    }
  });

  it('is found by the hint for caches as well', async () => {
    const { ask, metrics } = await world(
      { keyHint: 'x-key' },
      'Age: 7\r\nx-key: banner=a, ranking=control\r\n',
    );
    await ask(wanting('candidate'));
    expect(await metrics.render()).toContain(`${MIXED} 1\n`);
  });

  it.each([
    ['a fresh answer', 'Age: 0\r\nx-fairlead-variant: ranking=control\r\n'],
    [
      'one that missed',
      'X-Cache: MISS\r\nCache-Status: edge; fwd=miss\r\nx-fairlead-variant: ranking=control\r\n',
    ],
    ['one without a marker', 'Age: 7\r\n'],
    ['one with the right marker', 'Age: 7\r\nx-fairlead-variant: ranking=candidate\r\n'],
    ['one about another experiment', 'Age: 7\r\nx-fairlead-variant: banner=control\r\n'],
    ['one with a variant that is none here', 'Age: 7\r\nx-fairlead-variant: ranking=old\r\n'],
    ['a malformed marker', 'Age: 7\r\nx-fairlead-variant: =\r\n'],
    ['a malformed age', 'Age: seven\r\nx-fairlead-variant: ranking=control\r\n'],
  ])('is not %s', async (_, fields) => {
    const { ask, warnings, metrics } = await world({}, fields);
    await ask(wanting('candidate'));
    expect(await metrics.render()).not.toContain(MIXED);
    expect(warnings).toEqual([]);
  });
});
