/** W3C Trace Context and Baggage over real sockets: what goes on, what is left out, and that it is counted. */
import { describe, expect, it } from 'vitest';
import { field } from '../support/message.ts';
import type { TestPlane } from '../support/plane.ts';
import { answer, get, ok, type Received, useRig } from '../support/rig.ts';

const rig = useRig();
const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const EXPERIMENT = {
  routes: [{ name: 'all', match: { path: '/*' }, upstream: 'app', experiments: ['checkout'] }],
  experiments: { checkout: { variants: { control: {}, candidate: { weight: '10%' } } } },
};
/** Requests are remembered, and nothing is decided about them. */
const JOINED = {
  listeners: [
    { name: 'inbound', address: '127.0.0.1:0' },
    { name: 'outbound', address: '127.0.0.1:0', direction: 'outbound' },
  ],
  routes: [{ name: 'plain', upstream: 'app' }],
};

/** What the upstream gets of a request with these fields, and the plane. */
async function sent(fields: string, settings: object = {}): Promise<{ got: Received; plane: TestPlane }> {
  const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
  const plane = await rig.plane([upstream.endpoint], settings);
  const client = rig.client(plane.port);
  client.send(get('/', fields));
  expect((await answer(client)).status).toBe(200);
  return { got: await upstream.request(), plane };
}

/** The fields that were counted as malformed. */
async function malformed({ plane }: TestPlane): Promise<string[]> {
  const page = await plane.metrics.render();
  return [...page.matchAll(/^fairlead_context_malformed_total\{field="(\w+)"\} 1$/gm)].map(
    ([, name]) => name!,
  );
}

describe('a trace', () => {
  it('goes on as it came, its state in several lines and in order', async () => {
    const fields = `traceparent: ${TRACEPARENT}\r\ntracestate: foo=1, bar=2\r\ntracestate: rojo=1,,congo=2 \r\nTraceState: foo=3\r\n`;
    const { got, plane } = await sent(fields);
    expect(field(got, 'traceparent')).toBe(TRACEPARENT);
    expect(got.fields.filter(([name]) => name === 'tracestate').map(([, value]) => value)).toEqual([
      'foo=1, bar=2',
      'rojo=1,,congo=2',
      'foo=3',
    ]);
    expect(await malformed(plane)).toEqual([]);
  });

  it('goes on without a state that is malformed in one of its lines', async () => {
    const { got, plane } = await sent(
      `traceparent: ${TRACEPARENT}\r\ntracestate: foo=1\r\ntracestate: bar=1=2\r\n`,
    );
    expect([field(got, 'traceparent'), field(got, 'tracestate')]).toEqual([TRACEPARENT, null]);
    expect(await malformed(plane)).toEqual(['tracestate']);
  });

  it('goes on without a state of more than 32 members', async () => {
    const state = (members: number) => Array.from({ length: members }, (_, i) => `k${i}=v`).join(',');
    const full = await sent(`traceparent: ${TRACEPARENT}\r\ntracestate: ${state(32)}\r\n`);
    expect(field(full.got, 'tracestate')).toBe(state(32));
    const over = await sent(`traceparent: ${TRACEPARENT}\r\ntracestate: ${state(33)}\r\n`);
    expect(field(over.got, 'tracestate')).toBe(null);
  });

  it('begins anew when it is malformed, without the state of the one that was not understood', async () => {
    for (const fields of [
      `traceparent: ${TRACEPARENT}.\r\n`,
      `traceparent: ${TRACEPARENT}\r\ntraceparent: ${TRACEPARENT}\r\n`,
    ]) {
      const { got, plane } = await sent(`${fields}tracestate: foo=1\r\n`);
      expect(field(got, 'traceparent')).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
      expect(field(got, 'traceparent')).not.toContain('4bf92f3577b34da6');
      expect(field(got, 'tracestate')).toBe(null);
      expect(await malformed(plane)).toEqual(['traceparent']);
    }
  });

  it('begins without a state that came alone', async () => {
    const { got, plane } = await sent('tracestate: foo=1\r\n');
    expect(field(got, 'traceparent')).toMatch(/^00-/);
    expect(field(got, 'tracestate')).toBe(null);
    expect(await malformed(plane)).toEqual([]);
  });

  it('is not looked at with forwarding.traceparent: false', async () => {
    const { got, plane } = await sent('traceparent: x\r\ntracestate: =\r\n', {
      forwarding: { traceparent: false },
    });
    expect([field(got, 'traceparent'), field(got, 'tracestate')]).toEqual(['x', '=']);
    expect(await malformed(plane)).toEqual([]);
  });
});

describe('baggage', () => {
  it('goes on in order, with properties and what nobody here knows, and with ours', async () => {
    const { got, plane } = await sent(
      'baggage: userId = alice ;p=1\r\nx-experiment-override: always\r\nbaggage: serverNode=DF%2028,fairlead.other=z;q\r\n',
      EXPERIMENT,
    );
    expect(field(got, 'baggage')).toBe(
      'userId = alice ;p=1, serverNode=DF%2028,fairlead.other=z;q,fairlead.checkout=candidate',
    );
    expect(await malformed(plane)).toEqual([]);
  });

  it.each([
    ['of ours that make no sense', 'k=v,fairlead.checkout=%zz', 'k=v,fairlead.checkout=candidate'],
    ['of others', 'x=1 ;p,,bad bad,\ty = %zz', 'x=1 ;p,\ty = %zz,fairlead.checkout=candidate'],
    ['all of them', 'bad, =, a="b"', 'fairlead.checkout=candidate'],
  ])('loses members that are malformed, which is counted: %s', async (_which, baggage, expected) => {
    const { got, plane } = await sent(`baggage: ${baggage}\r\nx-experiment-override: always\r\n`, EXPERIMENT);
    expect(field(got, 'baggage')).toBe(expected);
    expect(await malformed(plane)).toEqual(['baggage']);
  });

  it('loses them also where there is nothing to write', async () => {
    const some = await sent('baggage: x=1,,bad bad, fairlead.a=%zz,y=2\r\n', JOINED);
    expect(field(some.got, 'baggage')).toBe('x=1,y=2');
    expect(await malformed(some.plane)).toEqual(['baggage']);
    const none = await sent('baggage: bad\r\n', JOINED);
    expect(field(none.got, 'baggage')).toBeNull();
    const off = await sent('baggage: x=1,bad\r\n', { ...JOINED, propagation: { baggage: false } });
    expect(field(off.got, 'baggage')).toBe('x=1,bad');
    expect(await malformed(off.plane)).toEqual([]);
  });

  it('stays byte for byte when all of it is well-formed, empty members included', async () => {
    const { got, plane } = await sent('baggage: x=1,, y=;p = !\r\n', JOINED);
    expect(field(got, 'baggage')).toBe('x=1,, y=;p = !');
    expect(await malformed(plane)).toEqual([]);
  });
});

it('an experiment field that is no dictionary is left out whole, which is counted', async () => {
  const { got, plane } = await sent('x-experiment: checkout=candidate, ===\r\nx-user-id: 1\r\n', EXPERIMENT);
  expect(field(got, 'x-experiment')).not.toContain('===');
  expect(await malformed(plane)).toEqual(['experiment']);
});
