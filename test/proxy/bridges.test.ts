/** Buckets for a neighbouring Envoy and routing keys of other tools, over real sockets. */
import { describe, expect, it } from 'vitest';
import { answer, get, ok, useRig } from '../support/rig.ts';

const rig = useRig();

async function world(experiment: object, settings: object = {}) {
  const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
  const plane = await rig.plane([upstream.endpoint], {
    routes: [{ name: 'all', upstream: 'app', experiments: ['ranking'] }],
    experiments: {
      ranking: { variants: { control: { weight: '70%' }, candidate: { weight: '30%' } }, ...experiment },
    },
    propagation: { responseVariant: true },
    ...settings,
  });
  const client = rig.client(plane.port);
  const ask = async (fields: string): Promise<string> => {
    client.send(get('/', `x-experiment-explain: 1\r\n${fields}`));
    const { fields: got } = await answer(client);
    const of = (wanted: string) => got.find(([name]) => name.toLowerCase() === wanted)?.[1];
    return `${of('x-fairlead-variant')} ${of('x-experiment-reason')!.replace(/split:.*/, 'split')}`;
  };
  const sent = (name: string): string[] =>
    upstream.requests
      .at(-1)!
      .fields.filter(([one]) => one.toLowerCase() === name)
      .map(([, value]) => value);
  return { plane, ask, sent };
}

describe('the bucket header', () => {
  it('is a number in the range of the variant served, for users and for overrides, once', async () => {
    const { ask, sent } = await world({ bucketHeader: 'X-Bucket-Ranking' });
    for (let user = 0; user < 50; user++) {
      const [variant] = (await ask(`x-user-id: ${user}\r\nx-bucket-ranking: 5\r\n`)).split(' ');
      const [bucket, ...others] = sent('x-bucket-ranking');
      expect(others).toEqual([]);
      expect(bucket).toMatch(/^\d+$/);
      expect(Number(bucket) < 700_000 ? 'ranking=control' : 'ranking=candidate').toBe(variant);
    }
    await ask('x-experiment-override: ranking=candidate\r\n');
    expect(sent('x-bucket-ranking')).toEqual(['700000']);
    await ask('');
    expect(sent('x-bucket-ranking')).toEqual(['0']);
  });

  it('is left out, whatever the client sends, when the variant served has no weight', async () => {
    const { ask, sent } = await world({
      bucketHeader: 'x-bucket-ranking',
      variants: { control: { weight: '0%' }, candidate: { weight: '100%' } },
    });
    await ask('x-bucket-ranking: 5\r\n');
    expect(sent('x-bucket-ranking')).toEqual([]);
  });

  it('does not leave for hosts that are not ours', async () => {
    const { ask, sent } = await world(
      { bucketHeader: 'x-bucket-ranking' },
      {
        listeners: [{ name: 'outbound', address: '127.0.0.1:0', direction: 'outbound' }],
        routes: [{ name: 'all', direction: 'outbound', upstream: 'app', experiments: ['ranking'] }],
        propagation: { internalHosts: ['*.internal'] },
      },
    );
    await ask('x-user-id: 1\r\nx-bucket-ranking: 5\r\n').catch(() => '');
    expect(sent('x-bucket-ranking')).toEqual([]);
  });
});

describe('a routing key', () => {
  const routingKeys = [
    { kind: 'okteto', map: { alice: 'candidate' } },
    { kind: 'signadot', map: { k1: 'candidate' } },
    { kind: 'telepresence', map: { 'id:1': 'candidate' } },
    { kind: 'header', name: 'X-Dev', map: { alice: 'candidate', bob: 'control' } },
  ];

  it.each([
    ['okteto', 'baggage: okteto-divert=alice\r\n'],
    ['signadot', 'baggage: sd-routing-key=k1\r\n'],
    ['signadot', 'tracestate: sd-routing-key=k1\r\n'],
    ['signadot', 'uberctx-sd-routing-key: k1\r\n'],
    ['telepresence', 'x-telepresence-intercept-id: id:1\r\n'],
    ['header', 'x-dev: alice\r\n'],
  ])('of %s is an override, and its source is on record', async (kind, fields) => {
    const { plane, ask } = await world({ routingKeys, traffic: '0%' });
    expect(await ask(`x-user-id: 1\r\n${fields}`)).toBe(`ranking=candidate ranking=override:${kind}`);
    expect(plane.exposures.map(({ reason, unit }) => [reason, unit])).toEqual([['override', '1']]);
  });

  it('is passed on as it came, with the context beside it', async () => {
    const { ask, sent } = await world({ routingKeys });
    await ask('baggage: a=1;p , okteto-divert=alice\r\nx-dev: bob\r\n');
    expect(sent('baggage')).toEqual(['a=1;p , okteto-divert=alice,fairlead.ranking=candidate']);
    expect(sent('x-dev')).toEqual(['bob']);
  });

  it('goes behind the override header, before what the caller carries, and does nothing when nobody knows it', async () => {
    const { ask } = await world({ routingKeys, traffic: '0%' });
    const alice = 'x-user-id: 1\r\nx-dev: alice\r\n';
    expect(await ask(`${alice}x-experiment-override: never\r\n`)).toBe('ranking=control ranking=override');
    expect(await ask(`${alice}x-experiment: ranking=control\r\n`)).toBe(
      'ranking=candidate ranking=override:header',
    );
    expect(await ask('x-user-id: 1\r\nx-dev: carol\r\n')).toBe('ranking=control ranking=not-enrolled');
  });

  it('of a sender who may not override says nothing', async () => {
    const { ask, sent } = await world(
      { routingKeys, traffic: '0%' },
      {
        listeners: [
          { name: 'inbound', address: '127.0.0.1:0', trust: { context: 'any', overrides: 'none' } },
        ],
      },
    );
    expect(await ask('x-user-id: 1\r\nx-dev: alice\r\n')).toBe('ranking=control ranking=not-enrolled');
    expect(sent('x-dev')).toEqual(['alice']);
  });

  it('is among what answers vary by', async () => {
    const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
    const plane = await rig.plane([upstream.endpoint], {
      routes: [{ name: 'all', upstream: 'app', experiments: ['ranking'] }],
      experiments: { ranking: { variants: { control: {}, candidate: { weight: '1%' } }, routingKeys } },
    });
    const client = rig.client(plane.port);
    client.send(get());
    const vary = (await answer(client)).fields.find(([name]) => name === 'vary')?.[1].split(', ');
    expect(vary).toEqual(
      expect.arrayContaining(['baggage', 'tracestate', 'x-telepresence-intercept-id', 'x-dev']),
    );
  });
});
