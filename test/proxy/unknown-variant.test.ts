/** Several services, one experiment: what a service does for a variant that it does not have. */
import { expect, it } from 'vitest';
import { field } from '../support/message.ts';
import { answer, get, ok, useRig } from '../support/rig.ts';

const rig = useRig();
const CARRIED = 'x-user-id: u-1\r\nx-experiment: ranking=v3, other=b\r\nbaggage: a=1,fairlead.ranking=v3\r\n';

async function service(ranking: object) {
  const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
  const proxy = await rig.plane([upstream.endpoint], {
    routes: [{ name: 'all', upstream: 'app', experiments: ['ranking'] }],
    experiments: { ranking: { variants: { control: {}, candidate: { weight: '100%' } }, ...ranking } },
  });
  return { proxy, upstream, client: rig.client(proxy.port) };
}

it('a service without the variant serves its baseline, on record, and carries the variant on as it came', async () => {
  const { proxy, upstream, client } = await service({});
  expect((await answer(client.send(get('/', CARRIED)))).status).toBe(200);
  const request = await upstream.request();
  expect(field(request, 'x-experiment')).toBe('ranking=v3, other=b');
  expect(field(request, 'baggage')).toBe('a=1,fairlead.ranking=v3');
  expect(proxy.access[0]!.experiments).toEqual([
    { name: 'ranking', assigned: 'control', served: 'control', reason: 'unknown-variant' },
  ]);
  expect(proxy.exposures).toEqual([]);
  expect(proxy.plane.metrics.assignments('ranking', 'control', 'unknown-variant').value).toBe(1);
});

it('a strict one refuses with a code of its own, sends nothing on, and serves the next request', async () => {
  const { proxy, upstream, client } = await service({ unknownVariant: 'refuse' });
  const refused = await answer(client.send(get('/', CARRIED)));
  expect([refused.status, refused.problem?.code]).toEqual([501, 'variant_unknown']);
  expect(proxy.access[0]!.code).toBe('variant_unknown');
  const known = await answer(client.send(get('/', 'x-experiment: ranking=control\r\n')));
  expect(known.status).toBe(200);
  expect(upstream.requests).toHaveLength(1);
});

it('a strict one serves whoever carries an experiment that it does not have at all', async () => {
  const { upstream, client } = await service({ unknownVariant: 'refuse' });
  expect((await answer(client.send(get('/', 'x-experiment: other=v3\r\n')))).status).toBe(200);
  expect(field(await upstream.request(), 'x-experiment')).toBe('other=v3');
});
