/** The answers that give out sticky assignments: of every kind, for caches, in headers, and not larger than browsers take. */
import { describe, expect, it } from 'vitest';
import { field } from '../support/message.ts';
import { answer, get, ok } from '../support/rig.ts';
import { Jar, reason, SPLIT, useStickyWorlds, variant, world } from '../support/sticky.ts';

useStickyWorlds();

describe('the response', () => {
  it('is for the client alone when it gives something out, and as it was when not', async () => {
    const at = await world();
    const jar = new Jar().set('sid', 'a');
    const cacheControl = async (fields: string) => {
      at.answerWith(ok('ok', fields));
      const message = await jar.set('fairlead_sticky', '').fetch(at);
      expect(jar.given).toHaveLength(1);
      return field(message, 'cache-control');
    };
    expect(await cacheControl('')).toBe('private');
    expect(await cacheControl('Cache-Control: public, max-age=60\r\n')).toBe('public, max-age=60, private');
    expect(await cacheControl('Cache-Control: no-store\r\n')).toBe('no-store');
    expect(await cacheControl('Cache-Control: private, max-age=5\r\n')).toBe('private, max-age=5');
    at.answerWith(ok('ok', 'Cache-Control: public, max-age=60\r\n'));
    expect(field(await jar.fetch(at), 'cache-control')).toBe('public, max-age=60');
  });

  it('keeps the cookies of the upstream', async () => {
    const at = await world();
    at.answerWith(ok('ok', 'Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n'));
    const jar = new Jar().set('sid', 'a');
    await jar.fetch(at);
    expect(jar.given.map((text) => text.split('=')[0])).toEqual(['a', 'b', 'fairlead_sticky']);
  });

  it('304 gives nothing out, since caches update what they have by it; the next one does', async () => {
    const at = await world();
    at.answerWith('HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n');
    const jar = new Jar().set('sid', 'a');
    await jar.fetch(at);
    expect(jar.given).toEqual([]);
    at.answerWith(ok());
    await jar.fetch(at);
    expect(jar.given).toHaveLength(1);
  });

  it('to HEAD, one in chunks and an error of the upstream give it out', async () => {
    const at = await world();
    const jar = new Jar().set('sid', 'a');
    at.answerWith('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n');
    expect((await jar.fetch(at)).body).toBe('ok');
    expect(jar.given).toHaveLength(1);
    at.answerWith('HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n');
    await jar.set('fairlead_sticky', '').fetch(at);
    expect(jar.given).toHaveLength(1);
    at.answerWith('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n');
    at.client.send('HEAD / HTTP/1.1\r\nHost: test\r\nCookie: sid=a\r\n\r\n');
    expect(field(await answer(at.client, { isBodiless: true }), 'set-cookie')).toMatch(
      /^fairlead_sticky=1:k1:/,
    );
  });

  it('of ours gives nothing out: nobody has seen the variant', async () => {
    // Nobody has this port, and nobody gets it by asking for a free one.
    const at = await world({}, { upstreams: { app: { endpoints: ['127.0.0.1:2'] } } });
    const jar = new Jar().set('sid', 'a');
    expect((await jar.fetch(at)).status).toBe(502);
    expect(jar.given).toEqual([]);
  });

  it('100 Continue and 103 give nothing out, the final one does, once', async () => {
    const at = await world();
    at.answerWith(`HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n${ok()}`);
    const jar = new Jar().set('sid', 'a');
    const early = await jar.fetch(at);
    expect([early.status, jar.given]).toEqual([103, []]);
    expect(field(await answer(at.client), 'set-cookie')).toMatch(/^fairlead_sticky=/);
  });

  it('101 gives it out: the upgrade is the only answer there is', async () => {
    const at = await world();
    at.answerWith('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: test\r\n\r\n');
    const jar = new Jar().set('sid', 'a');
    const message = await jar.fetch(at, '/', 'Connection: upgrade\r\nUpgrade: test\r\n');
    expect([message.status, jar.given.length]).toEqual([101, 1]);
  });

  it('after a retry has it once', async () => {
    const at = await world();
    const jar = new Jar().set('sid', 'a');
    await jar.fetch(at);
    // The pooled connection dies under the next request.
    const [socket] = at.upstream.sockets;
    socket!.removeAllListeners('data');
    socket!.once('data', () => socket!.destroy());
    const message = await jar.set('fairlead_sticky', '').fetch(at);
    expect([message.status, jar.given.length, at.upstream.sockets.length]).toEqual([200, 1, 2]);
  });
});

describe('a client without cookies', () => {
  it('sends back the header that it was given', async () => {
    const at = await world({ unit: [{ header: 'x-user-id' }], sticky: { header: 'X-Sticky' } });
    const fetch = async (user: string, sticky: string | null) => {
      const line = sticky === null ? '' : `x-sticky: ${sticky}\r\n`;
      at.client.send(get('/', `x-user-id: ${user}\r\n${line}x-experiment-explain: 1\r\n`));
      return answer(at.client);
    };
    const first = await fetch('a', null);
    const given = field(first, 'x-sticky');
    expect(given).toMatch(/^1:k1:/);
    expect([field(first, 'set-cookie'), field(first, 'vary')!.includes('x-sticky')]).toEqual([null, true]);
    const second = await fetch('b', given);
    expect([variant(second), reason(second), field(second, 'x-sticky')]).toEqual([
      variant(first),
      'sticky',
      null,
    ]);
  });
});

it('a cookie that would be too large leaves out the oldest, and browsers take what is left', async () => {
  const names = Array.from({ length: 90 }, (_, index) => `experiment-${'x'.repeat(40)}-${index}`);
  const experiments = Object.fromEntries(
    names.map((name) => [name, { unit: [{ cookie: 'sid' }], sticky: {}, variants: SPLIT }]),
  );
  const routes = names.map((name, index) => ({
    name: `r${index}`,
    match: { path: `/${index}` },
    upstream: 'app',
    experiments: [name],
  }));
  const at = await world({}, { experiments, routes });
  const jar = new Jar().set('sid', 'a');
  for (let index = 0; index < 90; index++) {
    at.clock.atMs += 1000;
    await jar.fetch(at, `/${index}`);
    expect(jar.given[0]!.length).toBeLessThanOrEqual(4096);
  }
  const kept = jar.get('fairlead_sticky')!;
  expect([kept.includes(`${names[89]}:`), kept.includes(`${names[0]}:`)]).toEqual([true, false]);
});

it('the calls of a service are not given anything', async () => {
  const direction = 'outbound';
  const at = await world(
    {},
    {
      listeners: [{ name: 'calls', address: '127.0.0.1:0', direction }],
      routes: [{ name: 'all', direction, match: { path: '/*' }, upstream: 'app', experiments: ['ranking'] }],
    },
  );
  const jar = new Jar().set('sid', 'a');
  expect([reason(await jar.fetch(at)), jar.given]).toEqual(['split', []]);
});
