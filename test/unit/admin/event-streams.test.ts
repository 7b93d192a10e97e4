/** Streams of events over real sockets: `src/admin/event-streams.ts`. */
import { connect } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import { afterEach, expect, test } from 'vitest';
import {
  type EventStream,
  EventStreams,
  type EventStreamsOptions,
} from '../../../src/admin/event-streams.ts';
import { AdminError } from '../../../src/admin/problem.ts';
import { EventReader } from '../../support/events.ts';
import { Signal } from '../../support/rig.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A server whose only resource is a stream, and those who read it. */
async function serve(options: EventStreamsOptions = {}) {
  const streams = new EventStreams(options);
  const readers: EventStream[] = [];
  const signal = new Signal();
  const app: FastifyInstance = fastify({ forceCloseConnections: true });
  app.setErrorHandler((error, _request, reply) =>
    reply.code(error instanceof AdminError ? 429 : 500).send({ message: (error as Error).message }),
  );
  app.get('/', (request, reply) =>
    streams.answer(request, reply, (stream) => {
      readers.push(stream);
      signal.wake();
      return () => {
        readers.splice(readers.indexOf(stream), 1);
        signal.wake();
      };
    }),
  );
  app.addHook('preClose', () => streams.close());
  await app.listen({ host: '127.0.0.1', port: 0 });
  closers.push(() => app.close());
  const { port } = app.server.address() as { port: number };
  const open = async () => {
    const reader = await EventReader.open(`http://127.0.0.1:${port}/`);
    closers.push(() => reader.close());
    return reader;
  };
  const come = (count: number) =>
    signal.until(
      () => readers.length === count,
      () => `${readers.length} readers`,
    );
  return { app, port, streams, readers, open, come };
}

test('an event is what the standard says, with what keeps caches and proxies from it', async () => {
  const { port, readers } = await serve();
  const socket = connect(port, '127.0.0.1');
  closers.push(() => socket.destroy());
  let text = '';
  const signal = new Signal();
  socket.on('data', (chunk) => {
    text += chunk;
    signal.wake();
  });
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await signal.until(
    () => readers.length === 1 && text.includes('retry: 2000\n\n'),
    () => text,
  );
  readers[0]!.send('stats', '{"a":1}');
  await signal.until(
    () => text.includes('event: stats\ndata: {"a":1}\n\n'),
    () => text,
  );
  const head = text.slice(0, text.indexOf('\r\n\r\n')).toLowerCase();
  expect(head.split('\r\n')).toEqual(
    expect.arrayContaining([
      'http/1.1 200 ok',
      'content-type: text/event-stream',
      'cache-control: no-store',
      'x-accel-buffering: no',
    ]),
  );
});

test('a HEAD is answered with the head alone', async () => {
  const { app, streams } = await serve();
  const answer = await app.inject({ method: 'HEAD', url: '/' });
  expect([answer.statusCode, answer.headers['content-type'], answer.body, streams.size]).toEqual([
    200,
    'text/event-stream',
    '',
    0,
  ]);
});

test('more streams than there may be are refused, until one is left', async () => {
  const { open, come, streams } = await serve({ streamsMax: 2 });
  const [first] = [await open(), await open()];
  const refused = await open();
  expect([refused.status, refused.headers['retry-after']]).toEqual([429, '10']);
  first.close();
  await come(1);
  expect((await open()).status).toBe(200);
  expect(streams.size).toBe(2);
});

test('a quiet stream has a heart, which stops with the last reader', async () => {
  const { open, come, streams } = await serve({ heartbeatMs: 10 });
  const reader = await open();
  await reader.until(() => reader.beats >= 2);
  reader.close();
  await come(0);
  expect(streams.size).toBe(0);
});

test('a reader that does not read is cut; one that does is not, however large an event is', async () => {
  const { open, port, readers, come } = await serve();
  const good = await open();
  const deaf = connect(port, '127.0.0.1').on('error', () => {});
  closers.push(() => deaf.destroy());
  deaf.pause();
  deaf.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await come(2);
  const large = JSON.stringify('x'.repeat(600 * 1024));
  // What the kernel takes for somebody who does not read is some megabytes.
  for (let count = 1; count <= 40; count++) {
    for (const reader of [...readers]) reader.send('large', large);
    await good.until(() => good.events.length >= count);
  }
  await come(1);
  for (const reader of readers) reader.send('last', '{}');
  await good.first('last');
});

test('a stream is ended, and not cut, when the server closes', async () => {
  const { app, open } = await serve();
  const reader = await open();
  await app.close();
  await reader.until(() => reader.isEnded);
  expect(reader.isComplete).toBe(true);
});
