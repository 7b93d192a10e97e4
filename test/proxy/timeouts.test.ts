import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { deafEndpoint } from '../support/deaf.ts';
import { forwardPlane, MINUTE_MS } from '../support/forward-clock.ts';
import { readMessage } from '../support/message.ts';
import { type Answer, answer, get, ok, post, useRig } from '../support/rig.ts';

const rig = useRig();

function problem(got: Answer) {
  return [got.status, got.problem?.code, got.problem?.side];
}

async function lasting(action: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await action();
  return performance.now() - start;
}

describe('a request body', () => {
  it('that stops arriving is answered 408 and blamed on the client', async () => {
    const upstream = await rig.upstream(() => {});
    const { port, access } = await rig.plane([upstream.endpoint], { timeouts: { stall: '200ms' } });
    const client = rig.client(port).send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc');
    expect(problem(await answer(client))).toEqual([408, 'request_body_timeout', 'downstream']);
    await client.ended();
    await upstream.until(() => upstream.ended[0]!);
    expect(access).toMatchObject([{ outcome: 'ignored' }]);
  });

  it('that goes on, however slowly, is served', async () => {
    const upstream = await rig.upstream(({ socket, body }) => socket.write(ok(body)));
    const { port, forward } = await forwardPlane(rig, [upstream.endpoint], {
      timeouts: { stall: '1h', requestHead: '30m' },
    });
    const client = rig.client(port).send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n');
    for (let sent = 0; sent < 4; sent++) {
      client.send('x');
      await upstream.until(() => upstream.pending[0]?.endsWith(`\r\n\r\n${'x'.repeat(sent + 1)}`) === true);
      await forward(40 * MINUTE_MS);
    }
    expect((await answer(client.send('x'))).body).toBe('xxxxx');
  });

  it('that the upstream does not take is answered 504 and blamed on the upstream', async () => {
    const upstream = await rig.upstream(
      () => {},
      (socket) => {
        socket.removeAllListeners('data');
        socket.pause();
      },
    );
    const { port, access, forward, standsStill } = await forwardPlane(rig, [upstream.endpoint], {
      timeouts: { stall: '1h' },
    });
    const client = rig.client(port).send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n');
    const block = Buffer.alloc(65_536);
    const send = () => {
      while (!client.socket.destroyed && client.socket.write(block));
    };
    client.socket.on('drain', send);
    send();
    await standsStill(({ isPaused }) => isPaused);
    await forward(60 * MINUTE_MS);
    expect(problem(await answer(client))).toEqual([504, 'upstream_first_byte_timeout', 'upstream']);
    expect(access).toMatchObject([{ outcome: 'failure' }]);
  });
});

describe('connecting', () => {
  it('that takes too long is 504 upstream_connect_timeout', async () => {
    const { port, plane } = await rig.plane([await deafEndpoint(rig)], { timeouts: { connect: '200ms' } });
    const client = rig.client(port).send(get());
    expect(problem(await answer(client))).toEqual([504, 'upstream_connect_timeout', 'upstream']);
    expect(plane.upstreams()[0]!.endpoints[0]).toMatchObject({ open: 0, idle: 0 });
  });

  it('that takes too long goes to the other endpoint, whatever the method, and the client never knows', async () => {
    const upstream = await rig.upstream(({ socket, body }) => socket.write(ok(body)));
    const { port, plane, forward } = await forwardPlane(rig, [await deafEndpoint(rig), upstream.endpoint], {
      timeouts: { connect: '1h' },
    });
    const isTryingInVain = () => plane.upstreams()[0]!.endpoints[0]!.open > 0;
    const client = rig.client(port);
    let inVain = 0;
    for (let i = 0; i < 4; i++) {
      client.send(post(`body ${i}`));
      await expect.poll(() => client.text !== '' || isTryingInVain(), { interval: 5 }).toBe(true);
      if (isTryingInVain()) {
        inVain++;
        await forward(60 * MINUTE_MS);
      }
      expect((await answer(client)).body).toBe(`body ${i}`);
    }
    expect(inVain).toBeGreaterThan(0);
  });
});

describe('the first byte of the response', () => {
  it('that does not come is 504, the upstream connection is cut and the client connection kept', async () => {
    const upstream = await rig.upstream(({ socket, startLine }) => {
      if (startLine.includes('good')) socket.write(ok('good'));
    });
    const { port, access, forward } = await forwardPlane(rig, [upstream.endpoint], {
      timeouts: { firstByte: '1h' },
    });
    const client = rig.client(port).send(get());
    await upstream.request();
    await forward(60 * MINUTE_MS);
    expect(problem(await answer(client))).toEqual([504, 'upstream_first_byte_timeout', 'upstream']);
    await upstream.until(() => upstream.ended[0]!);
    expect((await answer(client.send(get('/good')))).body).toBe('good');
    expect(upstream.requests).toHaveLength(2);
    expect(access[0]).toMatchObject({ status: 504, outcome: 'failure', retries: 0 });
  });

  it('that came in time counts as in time, also when the process did not run until it was too late', async () => {
    const upstream = await rig.upstream(({ socket, startLine }) => {
      socket.write(ok());
      // A pause of the machine, or of the garbage collector: the answer is in the kernel, and nobody reads it.
      if (startLine.includes('/paused')) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 700);
    });
    const { port } = await rig.plane([upstream.endpoint], { timeouts: { firstByte: '300ms' } });
    const client = rig.client(port);
    for (let i = 0; i < 3; i++) expect((await answer(client.send(get('/paused')))).status).toBe(200);
  });

  it('is awaited from the end of the request body, not from its beginning', async () => {
    const upstream = await rig.upstream(({ socket, body }) => socket.write(ok(body)));
    const { port, forward } = await forwardPlane(rig, [upstream.endpoint], {
      timeouts: { firstByte: '30m', stall: '1h' },
    });
    const client = rig.client(port).send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n');
    await upstream.until(() => upstream.pending[0]?.endsWith('\r\n\r\n') === true);
    await forward(40 * MINUTE_MS);
    client.send('x');
    await upstream.until(() => upstream.pending[0]!.endsWith('x'));
    await forward(40 * MINUTE_MS);
    expect((await answer(client.send('y'))).body).toBe('xy');
  });

  it('is not an interim response: after a 103 the time goes on', async () => {
    const upstream = await rig.upstream(() => {});
    const { port, forward } = await forwardPlane(rig, [upstream.endpoint], { timeouts: { firstByte: '1h' } });
    const client = rig.client(port).send(get());
    const { socket } = await upstream.request();
    await forward(40 * MINUTE_MS);
    socket.write('HTTP/1.1 103 Early Hints\r\n\r\n');
    expect((await answer(client)).status).toBe(103);
    await forward(20 * MINUTE_MS);
    expect(problem(await answer(client))).toEqual([504, 'upstream_first_byte_timeout', 'upstream']);
  });

  it('is not a part of a head: half of one is 504', async () => {
    const upstream = await rig.upstream(({ socket }) => socket.write('HTTP/1.1 200 OK\r\nContent-'));
    const { port } = await rig.plane([upstream.endpoint], { timeouts: { firstByte: '200ms' } });
    expect(problem(await answer(rig.client(port).send(get())))).toEqual([
      504,
      'upstream_first_byte_timeout',
      'upstream',
    ]);
  });
});

describe('a response body', () => {
  it.each(['1.1', '1.0'])(
    'that stops is broken off, so that an HTTP/%s client sees that it is not complete',
    async (version) => {
      const upstream = await rig.upstream(({ socket }) =>
        socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'),
      );
      const { port, access } = await rig.plane([upstream.endpoint], { timeouts: { stall: '200ms' } });
      const client = rig.client(port).send(`GET / HTTP/${version}\r\nHost: a\r\n\r\n`);
      await client.ended();
      expect(client.text).toContain('abc');
      expect(readMessage(client.text, { isEnded: !client.isReset })).toBeNull();
      await upstream.until(() => upstream.ended[0]!);
      expect(access).toMatchObject([{ status: 200, code: 'upstream_body_timeout', outcome: 'failure' }]);
    },
  );

  it('that goes on, however slowly, is served', async () => {
    const upstream = await rig.upstream(() => {});
    const { port, forward } = await forwardPlane(rig, [upstream.endpoint], { timeouts: { stall: '1h' } });
    const client = rig.client(port).send(get());
    const { socket } = await upstream.request();
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n');
    for (let sent = 0; sent < 4; sent++) {
      socket.write('x');
      await client.until((text) => text.endsWith(`\r\n\r\n${'x'.repeat(sent + 1)}`));
      await forward(40 * MINUTE_MS);
    }
    socket.write('x');
    expect((await answer(client)).body).toBe('xxxxx');
  });

  it.each(['1.1', '1.0'])(
    'that the HTTP/%s client does not take is broken off and blamed on the client',
    async (version) => {
      const upstream = await rig.upstream(({ socket }) => {
        socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
        const block = `10000\r\n${'x'.repeat(65_536)}\r\n`;
        const send = () => {
          while (!socket.destroyed && socket.write(block));
        };
        socket.on('drain', send);
        send();
      });
      const { port, access, forward, standsStill } = await forwardPlane(rig, [upstream.endpoint], {
        timeouts: { stall: '1h' },
      });
      const client = rig.client(port);
      client.socket.pause();
      client.send(`GET / HTTP/${version}\r\nHost: a\r\n\r\n`);
      await standsStill(({ isClogged }) => isClogged);
      await forward(60 * MINUTE_MS);
      await upstream.left();
      client.socket.resume();
      await client.ended();
      expect(readMessage(client.text, { isEnded: !client.isReset })).toBeNull();
      expect(access).toMatchObject([{ status: 200, code: 'client_aborted', outcome: 'ignored' }]);
    },
  );
});

describe('the whole request', () => {
  const timeouts = { request: '300ms' };

  it('that takes too long before its response is 504 request_timeout', async () => {
    const upstream = await rig.upstream(() => {});
    const { port } = await rig.plane([upstream.endpoint], { timeouts });
    const ms = await lasting(async () =>
      expect(problem(await answer(rig.client(port).send(get())))).toEqual([
        504,
        'request_timeout',
        'upstream',
      ]),
    );
    expect(ms).toBeGreaterThan(240);
    await upstream.until(() => upstream.ended[0]!);
  });

  it('that takes too long within its response is broken off, however steadily it comes', async () => {
    let sender: Socket | null = null;
    const upstream = await rig.upstream(({ socket }) => {
      sender = socket;
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n');
    });
    const { port, access, forward } = await forwardPlane(rig, [upstream.endpoint], {
      timeouts: { request: '1h' },
    });
    const timer = setInterval(() => sender?.write('x'), 20);
    rig.also(() => clearInterval(timer));
    const client = rig.client(port).send(get());
    await client.until((text) => text.endsWith('xx'));
    await forward(60 * MINUTE_MS);
    await client.ended();
    expect(readMessage(client.text)).toBeNull();
    expect(access).toMatchObject([{ status: 200, code: 'request_timeout' }]);
  });

  it('that takes too long to arrive is 504 too, however steadily it comes', async () => {
    const upstream = await rig.upstream(() => {});
    const { port } = await rig.plane([upstream.endpoint], { timeouts });
    const client = rig.client(port).send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n');
    const timer = setInterval(() => client.send('x'), 20);
    rig.also(() => clearInterval(timer));
    expect(problem(await answer(client))).toEqual([504, 'request_timeout', 'upstream']);
  });

  it('is counted anew for the next one on the connection', async () => {
    const upstream = await rig.upstream(() => {});
    const { port, forward } = await forwardPlane(rig, [upstream.endpoint], {
      timeouts: { request: '1h', firstByte: '1h', idle: '1h', upstreamIdle: '1h' },
    });
    const client = rig.client(port);
    for (let i = 0; i < 3; i++) {
      client.send(get());
      const { socket } = await upstream.request(i);
      await forward(40 * MINUTE_MS);
      socket.write(ok());
      expect((await answer(client)).status).toBe(200);
    }
  });
});

describe('a client that left', () => {
  it('by an orderly close is not waited for longer than a half-closed one', async () => {
    const upstream = await rig.upstream(() => {});
    const { port, access } = await rig.plane([upstream.endpoint], { timeouts: { halfClosed: '200ms' } });
    const client = rig.client(port).send(get());
    await upstream.request();
    client.close();
    await upstream.until(() => upstream.ended[0]!);
    expect(access).toMatchObject([{ code: 'client_aborted', outcome: 'ignored' }]);
  });
});
