/**
 * Every byte value at every place of messages that have everything a message can have: put in, and put in place of
 * what was there. What is taken, what is refused and where each message ends must be as the reference says, which was
 * written from the grammar and shares no code with the codec; also when the bytes come cut at that very place.
 */
import { describe, expect, it } from 'vitest';
import { type MessageReader, readMessages, summary } from '../support/codec.ts';
import { disagreement, UNLIMITED } from '../support/http1-judge.ts';
import { type ReferenceMessage, referenceRequest, referenceResponse } from '../support/reference-http1.ts';

/** What comes behind: a message that ends somewhere else swallows it, or parts of it. */
const NEXT_REQUEST = 'GET /next HTTP/1.1\r\nHost: next\r\n\r\n';
const NEXT_RESPONSE = 'HTTP/1.1 204 Next\r\n\r\n';

const REQUESTS: readonly (readonly [string, string])[] = [
  [
    'a request with a length',
    'POST /a/%20?b=c HTTP/1.1\r\nHost: a.example:80\r\nX-A:  b\t\r\nContent-Length: 12\r\nConnection: x-a\r\n\r\nhello, world',
  ],
  [
    'a chunked request',
    'PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1f;a=b;c="d"\r\n0123456789abcdef0123456789abcde\r\n003\r\nabc\r\n0;e\r\nX-Sum: 1\r\nY:\r\n\r\n',
  ],
  [
    'an absolute-form of HTTP/1.0',
    'GET http://[::1]:80/p?q HTTP/1.0\r\nHost: b\r\nConnection: keep-alive\r\n\r\n',
  ],
  [
    'an asterisk-form',
    '\r\nOPTIONS * HTTP/1.1\r\nHost: a%41.b\r\nMax-Forwards: 10\r\nExpect: 100-continue\r\n\r\n',
  ],
  [
    'a request with a name for each kind of byte',
    "!#$%&'*+-.^_`|~9A / HTTP/1.1\r\nHost: a\r\n!#$%&'*+-.^_`|~9A: \x80\xff\r\n\r\n",
  ],
];
const RESPONSES: readonly (readonly [string, string])[] = [
  ['a response with a length', 'HTTP/1.1 200 All \x80 right\r\nContent-Length: 5\r\nX:y\r\n\r\nhello'],
  [
    'a chunked response',
    'HTTP/1.1 203 \r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nA;x\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n',
  ],
  ['a response until close', 'HTTP/1.0 404\r\nX: y\r\n\r\nuntil close'],
  ['a 1xx and a 304', 'HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 304 N\r\nContent-Length: 5\r\n\r\n'],
];

/** Each byte at each place: [place, text with it put in, text with it in place of what was there]. */
function* damaged(message: string): Generator<readonly [number, string, string]> {
  for (let at = 0; at <= message.length; at++) {
    for (let byte = 0; byte < 256; byte++) {
      const character = String.fromCharCode(byte);
      const before = message.slice(0, at) + character;
      yield [at, before + message.slice(at), before + message.slice(at + 1)];
    }
  }
}

/** Answers how many damaged messages were taken all the same. */
function compareAll(
  direction: 'request' | 'response',
  message: string,
  next: string,
  reference: (rest: string) => ReferenceMessage | null,
): number {
  let taken = 0;
  for (const [at, ...texts] of damaged(message)) {
    for (const [i, text] of texts.entries()) {
      const all = text + next;
      const bytes = Buffer.from(all, 'latin1');
      const whole = readMessages(direction, bytes, [], UNLIMITED);
      const about =
        disagreement(whole, all, reference) ??
        (i === 0 ? cutDisagreement(direction, bytes, at, whole) : null);
      if (about !== null) throw new Error(`${about}: ${JSON.stringify(all)}`);
      if (whole.refusal === null) taken++;
    }
  }
  return taken;
}

function cutDisagreement(
  direction: 'request' | 'response',
  bytes: Buffer,
  at: number,
  whole: MessageReader,
): string | null {
  const cut = readMessages(direction, bytes, [at, at + 1], UNLIMITED);
  return JSON.stringify(summary(cut)) === JSON.stringify(summary(whole))
    ? null
    : `cut at ${at} it is another`;
}

describe('each of the 256 bytes at each place', () => {
  it.each(REQUESTS)('of %s is read as the reference reads it', (_, message) => {
    expect(compareAll('request', message, NEXT_REQUEST, referenceRequest)).toBeGreaterThan(1000);
  });

  it.each(RESPONSES)('of %s is read as the reference reads it', (_, message) => {
    const taken = compareAll('response', message, NEXT_RESPONSE, (rest) => referenceResponse(rest, 'GET'));
    expect(taken).toBeGreaterThan(1000);
  });
});
