/**
 * What this codec takes, Node's llhttp (strict) reads as the same one message with the same framing: as it came, and
 * as it is forwarded. A disagreement about where a message ends would be request smuggling.
 *
 * Left out: methods that llhttp does not know, and messages for another protocol (Upgrade), which llhttp stops at.
 */
import http from 'node:http';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chunkHead, LAST_CHUNK, lastChunk } from '../../src/http1/encode.ts';
import { Body, type Framing } from '../../src/http1/framing.ts';
import type { Head } from '../../src/http1/head.ts';
import { type ForwardingSettings, forwardRequest } from '../../src/routing/forward.ts';
import { type Message, readMessages } from '../support/codec.ts';
import { requestBytes, responseBytes } from '../support/http1-arbitrary.ts';
import { readRequests, readResponse } from '../support/node-http.ts';

/** More by hand: `FUZZ_RUNS=100000 npx vitest run test/fuzz/http1`. */
const RUNS = Number(process.env.FUZZ_RUNS ?? 2000);
/** Of all runs, at least this share must have reached the comparison, or the property would say nothing. */
const COMPARED_RATIO_MIN = 0.2;
const SENTINEL = 'GET /sentinel HTTP/1.1\r\nHost: sentinel\r\n\r\n';
const UNTOUCHED: ForwardingSettings = {
  forwardedFor: 'off',
  forwardedProto: 'off',
  forwardedHost: 'off',
  via: false,
  requestId: false,
  traceparent: false,
};

function forward(head: Head, framing: Framing): string {
  return forwardRequest(head, UNTOUCHED, {
    clientAddress: '127.0.0.1',
    scheme: 'http',
    isChunked: framing.kind === Body.chunked,
    replaced: [],
    ownNames: [],
    fields: '',
    defaultHost: 'default',
    isUpgrade: false,
  });
}

/** The body as this codec writes it. */
function encoded(message: Message): string {
  if (message.bodyKind !== 'chunked') return message.data;
  return message.data === ''
    ? lastChunk(message.trailers)
    : `${chunkHead(message.data.length)}${message.data}\r\n${lastChunk(message.trailers)}`;
}

/** The first message, when it is complete and llhttp can be asked about it. */
function comparable(bytes: Buffer, direction: 'request' | 'response', method = 'GET'): Message | null {
  const reader = readMessages(direction, bytes, [], {
    onHead: direction === 'request' ? forward : () => '',
    methodOf: () => method,
  });
  const message = reader.messages[0];
  if (message === undefined) return null;
  if (direction === 'response') return message.status >= 200 ? message : null;
  return message.isComplete &&
    http.METHODS.includes(message.method) &&
    !/^upgrade:/im.test(message.fields.join('\n'))
    ? message
    : null;
}

function isPersistent(message: Message): boolean {
  return !message.isClose && (message.versionMinor === 1 || message.isKeepAlive);
}

describe('a request that is taken', () => {
  it('is the same one message for llhttp, as it came', async () => {
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(requestBytes, async (bytes) => {
        const message = comparable(bytes, 'request');
        if (message === null) return;
        compared++;
        const next = isPersistent(message) ? SENTINEL : '';
        const reading = await readRequests(Buffer.from(message.head + encoded(message) + next, 'latin1'));
        expect(reading.error).toBeNull();
        expect(reading.messages.map(({ target }) => target)).toEqual(
          next === '' ? [message.target] : [message.target, '/sentinel'],
        );
        expect(reading.messages[0]).toEqual({
          method: message.method,
          target: message.target,
          status: 0,
          version: `1.${message.versionMinor}`,
          fields: message.fields,
          data: message.data,
          trailers: message.trailers.split('\r\n').slice(0, -1).map(tidied),
        });
      }),
      { numRuns: RUNS },
    );
    expect(compared / RUNS).toBeGreaterThan(COMPARED_RATIO_MIN);
  });

  it('is one message with the same body for llhttp, as it is forwarded', async () => {
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(requestBytes, async (bytes) => {
        const message = comparable(bytes, 'request');
        if (message === null) return;
        compared++;
        const reading = await readRequests(
          Buffer.from(message.forwarded + encoded(message) + SENTINEL, 'latin1'),
        );
        expect(reading.error).toBeNull();
        expect(reading.messages).toHaveLength(2);
        expect(reading.messages[0]).toMatchObject({
          method: message.method,
          version: '1.1',
          data: message.data,
        });
        expect(reading.messages[1]).toMatchObject({ target: '/sentinel', fields: ['Host: sentinel'] });
      }),
      { numRuns: RUNS },
    );
    expect(compared / RUNS).toBeGreaterThan(COMPARED_RATIO_MIN);
  });
});

describe('a response that is taken', () => {
  it('is the same message for llhttp, complete or broken off alike', async () => {
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(responseBytes, fc.constantFrom('GET', 'HEAD'), async (bytes, method) => {
        const message = comparable(bytes, 'response', method);
        if (message === null || /^upgrade:/im.test(message.fields.join('\n'))) return;
        compared++;
        const isUntilClose = message.bodyKind === 'untilClose';
        const text =
          message.head + (message.isComplete || isUntilClose ? encoded(message) : message.data.slice(0, 0));
        const reading = await readResponse(Buffer.from(text, 'latin1'), method);
        if (!message.isComplete && !isUntilClose) {
          expect(reading.error).not.toBeNull();
          return;
        }
        expect(reading.error).toBeNull();
        expect(reading.messages[0]).toMatchObject({
          status: message.status,
          version: `1.${message.versionMinor}`,
          fields: message.fields,
          data: message.data,
        });
      }),
      { numRuns: RUNS },
    );
    expect(compared / RUNS).toBeGreaterThan(COMPARED_RATIO_MIN);
  });
});

describe('the comparison', () => {
  it('sees a message that is cut short or followed by something', async () => {
    const short = await readRequests(
      Buffer.from(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nhello${SENTINEL}`),
    );
    expect(short.error).not.toBeNull();
    const chunked = await readRequests(
      Buffer.from(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${LAST_CHUNK}${SENTINEL}`),
    );
    expect(chunked.messages).toHaveLength(2);
  });
});

/** Node gives trailers as name and value. */
function tidied(line: string): string {
  const colon = line.indexOf(':');
  return `${line.slice(0, colon)}: ${line.slice(colon + 1).trim()}`;
}
