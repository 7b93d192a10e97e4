import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { field, readMessage } from '../support/message.ts';
import { answer, get, ok, post, useRig } from '../support/rig.ts';

const rig = useRig();

/** An upstream that answers with the body and trailers it got. */
const echoing = () =>
  rig.upstream(({ socket, body, trailers, framing }) =>
    socket.write(ok(body, `X-Got: ${framing};${trailers}\r\n`), 'latin1'),
  );

const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const POST_CHUNKED = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';

describe('a trailer that is named like a field the variant is chosen by', () => {
  const experiments = {
    ranking: {
      unit: [{ header: 'x-account' }],
      targeting: [{ header: 'x-plan', equals: 'pro' }],
      variants: { control: {}, candidate: { weight: '50%' } },
    },
  };
  const routes = [{ name: 'all', upstream: 'app', experiments: ['ranking'] }];

  it.each(['X-Account', 'x-plan'])('is refused in a request: %s', async (name) => {
    const upstream = await echoing();
    const { port } = await rig.plane([upstream.endpoint], { requireMetadata: false, experiments, routes });
    const got = await answer(rig.client(port).send(`${POST_CHUNKED}0\r\n${name}: other\r\n\r\n`));
    expect([got.status, got.problem?.code]).toEqual([400, 'chunk_malformed']);
  });

  it('is passed on in a response', async () => {
    const upstream = await rig.upstream(({ socket }) =>
      socket.write(`${CHUNKED}3\r\nabc\r\n0\r\nX-Account: 7\r\n\r\n`),
    );
    const { port } = await rig.plane([upstream.endpoint], { requireMetadata: false, experiments, routes });
    expect((await answer(rig.client(port).send(get()))).trailers).toEqual(['X-Account: 7']);
  });
});

describe('a request body', () => {
  it.each([
    ['with a length', post('hello'), 'hello', 'length;'],
    ['of length 0', post(''), '', 'length;'],
    ['that is not there', get(), '', 'none;'],
    ['with a length on GET', post('hello', '', 'GET'), 'hello', 'length;'],
    ['with a length on DELETE', post('hello', '', 'DELETE'), 'hello', 'length;'],
    ['in chunks', `${POST_CHUNKED}3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n`, 'abc0123456789', 'chunked;'],
    ['in chunks, empty', `${POST_CHUNKED}0\r\n\r\n`, '', 'chunked;'],
    ['in chunks with extensions', `${POST_CHUNKED}3;a=b\r\nabc\r\n0;c="d"\r\n\r\n`, 'abc', 'chunked;'],
    [
      'in chunks with trailers',
      `${POST_CHUNKED}3\r\nabc\r\n0\r\nX-Sum: 1\r\nX-B: 2\r\n\r\n`,
      'abc',
      'chunked;X-Sum: 1,X-B: 2',
    ],
    [
      'in chunks that look like requests',
      `${POST_CHUNKED}23\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n0\r\n\r\nGET\r\n0\r\n\r\n`,
      'GET / HTTP/1.1\r\nHost: a\r\n\r\n0\r\n\r\nGET',
      'chunked;',
    ],
    [
      'with every byte there is',
      post(String.fromCharCode(...Array(256).keys())),
      String.fromCharCode(...Array(256).keys()),
      'length;',
    ],
  ])('%s arrives as it is, also when it is cut at any byte', async (_, request, body, got) => {
    const upstream = await echoing();
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port);
    for (let cut = 0; cut < request.length; cut += cut < 40 ? 13 : 1) {
      client.send(request.slice(0, cut));
      await new Promise(setImmediate);
      const result = await answer(client.send(request.slice(cut)));
      expect([cut, result.body, field(result, 'x-got')]).toEqual([cut, body, got]);
    }
    expect(upstream.sockets).toHaveLength(1);
  });

  it('of many one-byte chunks, more than is held while the upstream is connected, arrives whole', async () => {
    const upstream = await echoing();
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port);
    const text = '1\r\nx\r\n'.repeat(100_000);
    client.send(`${POST_CHUNKED}${text}`);
    await upstream.until(() => (upstream.pending[0]?.length ?? 0) > 100_000);
    client.send('0\r\n\r\n');
    expect((await answer(client)).body).toHaveLength(100_000);
  });

  it('in chunks is re-chunked: no extension and no odd size reaches the upstream', async () => {
    const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
    const { port } = await rig.plane([upstream.endpoint]);
    let raw = '';
    upstream
      .until(() => upstream.sockets.length > 0)
      .then(() =>
        upstream.sockets[0]!.prependListener('data', (chunk) => {
          raw += chunk.toString('latin1');
        }),
      );
    await answer(rig.client(port).send(`${POST_CHUNKED}0003;a=b;c\r\nabc\r\n000\r\nX: y\r\n\r\n`));
    expect(raw.slice(raw.indexOf('\r\n\r\n') + 4)).toBe('3\r\nabc\r\n0\r\nX: y\r\n\r\n');
  });
});

describe('a response body', () => {
  it.each([
    ['with a length', ok('hello'), 'hello', 'length'],
    ['of length 0', ok(''), '', 'length'],
    ['in chunks', `${CHUNKED}3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n`, 'abc0123456789', 'chunked'],
    ['in chunks with extensions', `${CHUNKED}3;a=b\r\nabc\r\n0;c\r\n\r\n`, 'abc', 'chunked'],
    [
      'with every byte there is',
      ok(String.fromCharCode(...Array(256).keys())),
      String.fromCharCode(...Array(256).keys()),
      'length',
    ],
  ])('%s arrives as it is, also when it is cut at any byte', async (_, response, body, framing) => {
    const upstream = await rig.upstream(({ socket, startLine }) => {
      const cut = Number(startLine.split('/')[1]!.split(' ')[0]);
      socket.write(response.slice(0, cut), 'latin1', () =>
        setImmediate(() => socket.write(response.slice(cut), 'latin1')),
      );
    });
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port);
    for (let cut = 1; cut < response.length; cut++) {
      const got = await answer(client.send(get(`/${cut}`)));
      expect([cut, got.body, got.framing]).toEqual([cut, body, framing]);
    }
    expect(upstream.sockets).toHaveLength(1);
  });

  it('in chunks keeps its trailers, also when it is cut at any byte', async () => {
    const response = `${CHUNKED}3\r\nabc\r\n0\r\nX-Sum: 1\r\nX-B: 2\r\n\r\n`;
    const upstream = await rig.upstream(({ socket, startLine }) => {
      const cut = Number(startLine.split('/')[1]!.split(' ')[0]);
      socket.write(response.slice(0, cut), () => setImmediate(() => socket.write(response.slice(cut))));
    });
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port);
    for (let cut = 1; cut < response.length; cut++) {
      const got = await answer(client.send(get(`/${cut}`)));
      expect([cut, got.body, got.trailers]).toEqual([cut, 'abc', ['X-Sum: 1', 'X-B: 2']]);
    }
  });

  it('in chunks goes to an HTTP/1.0 client bare, without trailers, ended by the close', async () => {
    const upstream = await rig.upstream(({ socket }) =>
      socket.write(`${CHUNKED}3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n`),
    );
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port).send('GET / HTTP/1.0\r\n\r\n');
    await client.ended();
    const got = await answer(client);
    expect([got.body, got.framing, field(got, 'transfer-encoding')]).toEqual(['abcde', 'close', null]);
    expect(client.isReset).toBe(false);
  });

  it.each(['1.0', '1.1'])(
    'ended by the close of an HTTP/%s upstream is chunked for a client that stays',
    async (version) => {
      const upstream = await rig.upstream(({ socket }) => {
        socket.write(`HTTP/${version} 200 OK\r\n\r\nabc`, () => socket.end('def'));
      });
      const { port } = await rig.plane([upstream.endpoint]);
      const client = rig.client(port);
      for (let i = 0; i < 2; i++) {
        const got = await answer(client.send(get()));
        expect([got.body, got.framing, field(got, 'connection')]).toEqual(['abcdef', 'chunked', null]);
      }
    },
  );

  it('ended by the close, and empty, is an empty body', async () => {
    const upstream = await rig.upstream(({ socket }) => socket.end('HTTP/1.1 200 OK\r\n\r\n'));
    const { port } = await rig.plane([upstream.endpoint]);
    const got = await answer(rig.client(port).send(get()));
    expect([got.status, got.body]).toEqual([200, '']);
  });

  it('ended by the close stays so for an HTTP/1.0 client', async () => {
    const upstream = await rig.upstream(({ socket }) => socket.end('HTTP/1.1 200 OK\r\n\r\nabc'));
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port).send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    await client.ended();
    const got = await answer(client);
    expect([got.body, got.framing, field(got, 'connection')]).toEqual(['abc', 'close', 'close']);
  });

  it.each([
    ['to HEAD, with a length', 'HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', 'content-length', '5'],
    ['to HEAD, in chunks', 'HEAD', CHUNKED, 'content-length', null],
    ['to HEAD, with neither', 'HEAD', 'HTTP/1.1 200 OK\r\n\r\n', 'transfer-encoding', null],
    ['of a 204', 'GET', 'HTTP/1.1 204 No Content\r\n\r\n', 'content-length', null],
    [
      'of a 304 with a length',
      'GET',
      'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n',
      'content-length',
      '5',
    ],
    [
      'of a 304 in chunks',
      'GET',
      'HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n',
      'content-length',
      null,
    ],
    ['of a 205', 'GET', 'HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n', 'content-length', '0'],
  ])('%s is not there, and both connections stay usable', async (_, method, response, name, value) => {
    const upstream = await rig.upstream(({ socket }) => socket.write(response));
    const { port } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port);
    for (let i = 0; i < 3; i++) {
      const got = await answer(client.send(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`), { isBodiless: true });
      expect(field(got, name)).toBe(value);
      expect(client.text).toBe('');
    }
    expect(upstream.sockets).toHaveLength(1);
  });
});

describe('a response that its upstream breaks off', () => {
  const CASES: readonly [string, string][] = [
    ['with a length', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc'],
    ['with a length, before its first byte', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n'],
    ['between chunks', `${CHUNKED}3\r\nabc\r\n`],
    ['inside a chunk', `${CHUNKED}9\r\nabc`],
    ['inside a chunk size', `${CHUNKED}3\r\nabc\r\n1`],
    ['inside its last chunk', `${CHUNKED}3\r\nabc\r\n0\r\n`],
    ['inside its trailers', `${CHUNKED}3\r\nabc\r\n0\r\nX: 1\r\n`],
  ];
  const DEATHS = ['FIN', 'RST'] as const;
  const VERSIONS = ['1.1', '1.0'] as const;

  it.each(
    CASES.flatMap(([what, text]) =>
      DEATHS.flatMap((how) => VERSIONS.map((version) => [what, how, version, text] as const)),
    ),
  )('%s (%s) never looks complete to an HTTP/%s client', async (_, how, version, text) => {
    let dying: Socket | null = null;
    const upstream = await rig.upstream(({ socket }) => {
      dying = socket;
      socket.write(text);
    });
    const { port, access } = await rig.plane([upstream.endpoint]);
    const client = rig
      .client(port)
      .send(`GET / HTTP/${version}\r\nHost: a\r\nConnection: keep-alive\r\n\r\n`);
    await client.until(
      (received) => received.includes('\r\n\r\n') && received.includes('abc') === text.includes('abc'),
    );
    if (how === 'FIN') dying!.end();
    else dying!.resetAndDestroy();
    await client.ended();
    await client.until(() => client.isReset || client.isEnded);
    // A body with neither length nor chunks is only seen to be broken off by a reset.
    const message = readMessage(client.text, { isEnded: !client.isReset });
    expect(message).toBeNull();
    expect(access).toMatchObject([{ status: 200, code: 'upstream_aborted', outcome: 'failure' }]);
  });

  it.each(VERSIONS)(
    'by RST, ended by the close only, never looks complete to an HTTP/%s client',
    async (version) => {
      let dying: Socket | null = null;
      const upstream = await rig.upstream(({ socket }) => {
        dying = socket;
        socket.write('HTTP/1.1 200 OK\r\n\r\nabc');
      });
      const { port } = await rig.plane([upstream.endpoint]);
      const client = rig.client(port).send(`GET / HTTP/${version}\r\nHost: a\r\n\r\n`);
      await client.until((text) => text.includes('abc'));
      dying!.resetAndDestroy();
      await client.ended();
      expect(readMessage(client.text, { isEnded: !client.isReset })).toBeNull();
    },
  );

  it.each(VERSIONS)('with malformed chunks never looks complete to an HTTP/%s client', async (version) => {
    let broken: Socket | null = null;
    const upstream = await rig.upstream(({ socket }) => {
      broken = socket;
      socket.write(`${CHUNKED}3\r\nabc\r\n`);
    });
    const { port, access } = await rig.plane([upstream.endpoint]);
    const client = rig.client(port).send(`GET / HTTP/${version}\r\nHost: a\r\n\r\n`);
    await client.until((text) => text.includes('abc'));
    broken!.write('3\r\nabcd\r\n0\r\n\r\n');
    await client.ended();
    expect(readMessage(client.text, { isEnded: !client.isReset })).toBeNull();
    expect(access).toMatchObject([{ status: 200, code: 'upstream_malformed' }]);
  });
});
