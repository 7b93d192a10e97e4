import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HttpDestination } from '../../../../src/telemetry/pipeline/http-destination.ts';
import { retryAfterMs } from '../../../../src/telemetry/pipeline/http-post.ts';

const EVENTS = [Buffer.from('{"id":"1"}'), Buffer.from('{"id":"é"}')];

let server: Server;
let url: string;
let received: { headers: IncomingMessage['headers']; body: Buffer }[];
let answer: (response: ServerResponse) => void;

beforeEach(async () => {
  received = [];
  answer = (response) => response.writeHead(202).end();
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({ headers: request.headers, body: Buffer.concat(chunks) });
      answer(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`;
});

afterEach(() => {
  server.close();
  server.closeAllConnections();
});

function send(options: Partial<ConstructorParameters<typeof HttpDestination>[0]> = {}) {
  const destination = new HttpDestination({ url, headers: {}, timeoutMs: 30_000, isGzip: false, ...options });
  return destination.send(EVENTS, new AbortController().signal);
}

describe('a batch by HTTP', () => {
  test('is the JSON array that the CloudEvents specification asks for', async () => {
    expect(await send({ headers: { authorization: 'Bearer secret' } })).toEqual({ kind: 'taken' });
    const { headers, body } = received[0]!;
    expect(headers['content-type']).toBe('application/cloudevents-batch+json; charset=utf-8');
    expect(headers.authorization).toBe('Bearer secret');
    expect(JSON.parse(body.toString())).toEqual([{ id: '1' }, { id: 'é' }]);
  });

  test('is compressed where that is asked for', async () => {
    await send({ isGzip: true });
    const { headers, body } = received[0]!;
    expect(headers['content-encoding']).toBe('gzip');
    expect(JSON.parse(gunzipSync(body).toString())).toHaveLength(2);
  });

  test.each([
    [500, 'later'],
    [503, 'later'],
    [429, 'later'],
    [401, 'later'],
    [404, 'later'],
    [302, 'later'],
    [400, 'refused'],
    [422, 'refused'],
    [413, 'too-large'],
  ])('that is answered %i means: %s', async (status, kind) => {
    answer = (response) => response.writeHead(status, { location: '/elsewhere' }).end('no');
    expect(await send()).toMatchObject({ kind });
    expect(received).toHaveLength(1);
  });

  test('is sent again when the answer says so', async () => {
    answer = (response) => response.writeHead(503, { 'retry-after': '7' }).end();
    expect(await send()).toEqual({ kind: 'later', problem: 'it answered 503', waitMs: 7000 });
  });

  test('without an answer in time is sent again', async () => {
    answer = () => {};
    expect(await send({ timeoutMs: 50 })).toEqual({ kind: 'later', problem: 'it gave no answer in time' });
  });

  test('to nobody is sent again, and what is said does not hold the URL', async () => {
    // Nobody has this port, and nobody gets it by asking for a free one.
    const verdict = await send({ url: 'http://127.0.0.1:2/secret-path' });
    expect(verdict).toEqual({ kind: 'later', problem: 'it could not be reached (ECONNREFUSED)' });
  });

  test('whose answer never ends is not waited for', async () => {
    answer = (response) => {
      response.writeHead(200);
      const more = (): void => void (response.writable && response.write(Buffer.alloc(32_768), more));
      more();
    };
    expect(await send()).toEqual({ kind: 'taken' });
  });
});

test('Retry-After is seconds or a date', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  expect(retryAfterMs('120', now)).toBe(120_000);
  expect(retryAfterMs('Thu, 01 Jan 2026 00:01:00 GMT', now)).toBe(60_000);
  expect(retryAfterMs('Wed, 31 Dec 2025 00:00:00 GMT', now)).toBe(0);
  expect(retryAfterMs('soon', now)).toBeNull();
  expect(retryAfterMs(null, now)).toBeNull();
});
