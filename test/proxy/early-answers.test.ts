/** Answers that an upstream gives before it has the whole request, and then hangs up on what is still coming. */
import { describe, expect, it } from 'vitest';
import { field, readMessage } from '../support/message.ts';
import { answer, useRig } from '../support/rig.ts';

const rig = useRig();
const HEAD = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n';
const NO = 'HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno';

/** The request's beginning is with the upstream; `sent` and `answered` then cross in one turn of the loop. */
async function crossed(sent: string, answered: string) {
  const upstream = await rig.upstream(() => {});
  const plane = await rig.plane([upstream.endpoint]);
  const client = rig.client(plane.port).send(HEAD);
  await upstream.until(() => upstream.pending[0]?.includes('\r\n\r\n') ?? false);
  // When the sidecar looks, the client's bytes come first, and what they are written to is dead.
  client.send(sent);
  upstream.sockets[0]!.write(answered);
  upstream.sockets[0]!.resetAndDestroy();
  return { client, plane };
}

describe('an answer before the request is complete, and then a reset', () => {
  it('reaches the client although the sidecar writes into the reset before it has read the answer', async () => {
    const { client, plane } = await crossed('x'.repeat(1000), NO);
    const got = await answer(client);
    expect([got.status, got.body, field(got, 'connection')]).toEqual([413, 'no', 'close']);
    expect(plane.access).toMatchObject([{ status: 413, code: null, outcome: 'ok' }]);
    expect(plane.plane.upstreams()[0]!.endpoints[0]).toMatchObject({ open: 0 });
    await client.ended();
  });

  it.each([
    ['a length', 'Content-Length: 10\r\n\r\npart'],
    ['chunks', 'Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n'],
    ['only the end of the connection', '\r\npart'],
  ])('with a body that has %s and is not all there is broken off, never complete', async (_, rest) => {
    const { client, plane } = await crossed('x'.repeat(1000), `HTTP/1.1 200 OK\r\n${rest}`);
    await client.ended();
    expect(client.text).toContain('part');
    expect(readMessage(client.text, { isEnded: true })).toBeNull();
    expect(plane.access).toMatchObject([{ status: 200, code: 'upstream_aborted' }]);
  });

  it('inside its head is 502, as without one', async () => {
    const { client } = await crossed('x'.repeat(1000), 'HTTP/1.1 413 Too');
    expect((await answer(client)).problem).toMatchObject({ code: 'upstream_reset' });
  });
});
