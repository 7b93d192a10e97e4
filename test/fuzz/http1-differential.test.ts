/**
 * What this codec takes, Node's llhttp (strict) reads as the same one message with the same framing: as it came, and
 * as it is forwarded. A disagreement about where a message ends would be request smuggling.
 *
 * Left out: methods that llhttp does not know, and messages for another protocol (Upgrade) as they came, which llhttp
 * stops at.
 */
import http from 'node:http';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chunkHead, LAST_CHUNK, lastChunk } from '../../src/http1/encode.ts';
import type { ForwardingSettings } from '../../src/routing/forward.ts';
import { ForwardedLines } from '../../src/routing/forwarded-lines.ts';
import { type Message, readMessages } from '../support/codec.ts';
import { forwardedRequest, forwardedResponse } from '../support/forwarded.ts';
import { cuts, cutsWithin, damagedOf, requestBytes, responseBytes } from '../support/http1-arbitrary.ts';
import { readMessage } from '../support/message.ts';
import { readRequests, readResponse } from '../support/node-http.ts';
import { wireCases } from '../support/wire.ts';

/** More by hand: `FUZZ_RUNS=100000 npx vitest run test/fuzz/http1 --testTimeout=0`. */
const RUNS = Number(process.env.FUZZ_RUNS ?? 1500);
/** Of all runs, at least this share must have reached the comparison, or the property would say nothing. */
const COMPARED_RATIO_MIN = 0.2;
const SENTINEL = 'GET /sentinel HTTP/1.1\r\nHost: sentinel\r\n\r\n';

const wire = wireCases();
const requests = fc.oneof(requestBytes, damagedOf(wire.map(({ request }) => request.toString('latin1'))));
const responses = fc.oneof(
  responseBytes,
  damagedOf(wire.flatMap(({ response }) => (response === null ? [] : [response.toString('latin1')]))),
);

const settings: fc.Arbitrary<ForwardingSettings> = fc.record({
  forwardedFor: fc.constantFrom('append', 'set', 'off'),
  forwardedProto: fc.constantFrom('keep', 'set', 'off'),
  forwardedHost: fc.constantFrom('keep', 'set', 'off'),
  via: fc.boolean(),
  requestId: fc.constant(false),
  traceparent: fc.constant(false),
});
const UNTOUCHED: ForwardingSettings = {
  forwardedFor: 'off',
  forwardedProto: 'off',
  forwardedHost: 'off',
  via: false,
  requestId: false,
  traceparent: false,
};
const BARE = { fields: '', replaced: [], isUpgrade: false } as const;
/** Fields that are added, and the names they replace. */
type Added = { readonly fields: string; readonly replaced: readonly string[] };
const additions: fc.Arbitrary<Added> = fc.constantFrom(
  { fields: '', replaced: [] },
  { fields: 'x-experiment: a=b\r\nx-request-id: 1\r\n', replaced: ['x-experiment'] },
  { fields: 'x-a: replaced\r\ncookie: b=c\r\n', replaced: ['x-a', 'cookie'] },
);

/** Runs a property, and demands that enough of its runs compared something. */
async function compare<Ts extends [unknown, ...unknown[]]>(
  arbitraries: { [K in keyof Ts]: fc.Arbitrary<Ts[K]> },
  isCompared: (...values: Ts) => Promise<boolean>,
): Promise<void> {
  let compared = 0;
  const property = fc.asyncProperty(...arbitraries, async (...values: Ts) => {
    if (await isCompared(...values)) compared++;
  });
  await fc.assert(property, { numRuns: RUNS });
  expect(compared / RUNS).toBeGreaterThan(COMPARED_RATIO_MIN);
}

/** The body as this codec writes it. */
function encoded(message: Message): string {
  if (message.bodyKind !== 'chunked') return message.data;
  return message.data === ''
    ? lastChunk(message.trailers)
    : `${chunkHead(message.data.length)}${message.data}\r\n${lastChunk(message.trailers)}`;
}

/** The first message, when it is complete and llhttp can be asked about it. */
function takenRequest(bytes: Buffer): Message | null {
  const message = readMessages('request', bytes).messages[0];
  return message?.isComplete && http.METHODS.includes(message.method) ? message : null;
}

function takenResponse(bytes: Buffer, method: string): Message | null {
  const message = readMessages('response', bytes, [], { methodOf: () => method }).messages[0];
  return message !== undefined && message.status >= 200 ? message : null;
}

function isUpgrade(message: Message): boolean {
  return /^upgrade:/im.test(message.fields.join('\n'));
}

/** llhttp takes Proxy-Connection for Connection; we take it for nothing, and do not pass it on. */
function isPersistent(message: Message): boolean {
  if (message.fields.some((line) => /^proxy-connection:/i.test(line))) return false;
  return !message.isClose && (message.versionMinor === 1 || message.isKeepAlive);
}

/** Node gives trailers as name and value. */
function trailersOf(message: Message): string[] {
  return message.trailers
    .split('\r\n')
    .slice(0, -1)
    .map((line) => {
      const colon = line.indexOf(':');
      return `${line.slice(0, colon)}: ${line.slice(colon + 1).trim()}`;
    });
}

/** RFC 9112 section 3.2: the target as it is sent to an origin server. */
function originForm({ method, target }: Message): string {
  const absolute = /^https?:\/\/[^/?]*(.*)$/i.exec(target);
  if (absolute === null) return target;
  const rest = absolute[1]!;
  if (rest === '') return method === 'OPTIONS' ? '*' : '/';
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** Names of the fields that frame or concern one connection only, as `name: value` in lower case. */
function hopByHop(fields: readonly string[]): string[] {
  return fields
    .filter((line) =>
      /^(?:connection|keep-alive|proxy-(?:connection|authenticate|authorization)|te|upgrade|http2-settings|transfer-encoding):/i.test(
        line,
      ),
    )
    .map((line) => line.toLowerCase());
}

describe('a request that is taken', () => {
  it('is the same one message for llhttp, as it came', () =>
    compare<[Buffer]>([requests], async (bytes) => {
      const message = takenRequest(bytes);
      if (message === null || isUpgrade(message)) return false;
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
        trailers: trailersOf(message),
      });
      return true;
    }));

  it('is the same one message for llhttp as it is forwarded, with no field for this hop but our own', () =>
    compare<[Buffer, number[], ForwardingSettings, Added]>(
      [requests, cuts, settings, additions],
      async (bytes, places, forwarding, added) => {
        const message = takenRequest(bytes);
        if (message === null) return false;
        const forwarded = forwardedRequest(bytes, cutsWithin(bytes, places), forwarding, {
          ...added,
          forwarded: new ForwardedLines('192.0.2.1', 'http'),
          ownNames: ['x-experiment'],
          defaultHost: 'default',
          isUpgrade: false,
        })!;
        expect(forwarded.isComplete).toBe(true);
        const reading = await readRequests(Buffer.from(forwarded.text + SENTINEL, 'latin1'));
        expect(reading.error).toBeNull();
        expect(reading.messages).toHaveLength(2);
        expect(reading.messages[0]).toMatchObject({
          method: message.method,
          target: originForm(message),
          version: '1.1',
          data: message.data,
          trailers: trailersOf(message),
        });
        const { fields } = reading.messages[0]!;
        const own = ['connection: te', 'te: trailers', 'transfer-encoding: chunked'];
        expect(hopByHop(fields).filter((line) => !own.includes(line))).toEqual([]);
        expect(fields.filter((line) => /^host:/i.test(line))).toHaveLength(1);
        expect(reading.messages[1]).toMatchObject({ target: '/sentinel', fields: ['Host: sentinel'] });
        return true;
      },
    ));
});

describe('what is forwarded', () => {
  it('of a request is taken again, and forwarded byte for byte', () =>
    compare<[Buffer]>([requests], async (bytes) => {
      const message = takenRequest(bytes);
      // Max-Forwards is another number each time.
      if (message === null || /^max-forwards:/im.test(message.fields.join('\n'))) return false;
      const facts = {
        ...BARE,
        forwarded: new ForwardedLines('', 'http'),
        ownNames: [],
        defaultHost: 'default',
      } as const;
      const once = forwardedRequest(bytes, [], UNTOUCHED, facts)!;
      const twice = forwardedRequest(Buffer.from(once.text, 'latin1'), [], UNTOUCHED, facts);
      expect(twice?.text).toBe(once.text);
      return true;
    }));

  it('of a response is taken again, and forwarded byte for byte', () =>
    compare<[Buffer, string, boolean]>(
      [responses, fc.constantFrom('GET', 'HEAD'), fc.boolean()],
      async (bytes, method, isClose) => {
        const client = { method, versionMinor: 1, isClose, fields: '' } as const;
        const once = takenResponse(bytes, method) && forwardedResponse(bytes, [], client);
        if (!once?.isComplete) return false;
        const twice = forwardedResponse(Buffer.from(once.text, 'latin1'), [], client);
        expect(twice?.text).toBe(once.text);
        return true;
      },
    ));
});

describe('a response that is taken', () => {
  it('is the same message for llhttp, complete or broken off alike', () =>
    compare<[Buffer, string]>([responses, fc.constantFrom('GET', 'HEAD')], async (bytes, method) => {
      const message = takenResponse(bytes, method);
      if (message === null || isUpgrade(message)) return false;
      const isUntilClose = message.bodyKind === 'untilClose';
      const text = message.head + (message.isComplete || isUntilClose ? encoded(message) : '');
      const reading = await readResponse(Buffer.from(text, 'latin1'), method);
      if (!message.isComplete && !isUntilClose) {
        expect(reading.error).not.toBeNull();
        return true;
      }
      expect(reading.error).toBeNull();
      expect(reading.messages[0]).toMatchObject({
        status: message.status,
        version: `1.${message.versionMinor}`,
        fields: message.fields,
        data: message.data,
      });
      return true;
    }));

  it('is the same one message for llhttp as it is forwarded, for every kind of client', () =>
    compare<[Buffer, number[], string, 0 | 1, boolean, string]>(
      [
        responses,
        cuts,
        fc.constantFrom('GET', 'GET', 'HEAD'),
        fc.constantFrom<0 | 1>(1, 1, 0),
        fc.boolean(),
        fc.constantFrom('', 'x-fairlead-variant: a=b\r\nvary: x-user-id\r\n'),
      ],
      async (bytes, places, method, versionMinor, isClose, fields) => {
        const message = takenResponse(bytes, method);
        if (message === null) return false;
        const client = { method, versionMinor, isClose, fields };
        const forwarded = forwardedResponse(bytes, cutsWithin(bytes, places), client)!;
        const reading = await readResponse(Buffer.from(forwarded.text, 'latin1'), method);
        if (!forwarded.isComplete) {
          // Ended by the close, it is reset instead: its end must not be mistaken for the body's.
          if (!forwarded.isEndedByClose) expect(reading.error).not.toBeNull();
          return true;
        }
        expect(reading.error).toBeNull();
        expect(reading.messages[0]).toMatchObject({
          status: message.status,
          version: '1.1',
          data: message.data,
          trailers: versionMinor === 1 ? trailersOf(message) : [],
        });
        const { fields: got } = reading.messages[0]!;
        const own = ['connection: close', 'connection: keep-alive', 'transfer-encoding: chunked'];
        expect(hopByHop(got).filter((line) => !own.includes(line))).toEqual([]);
        const whole = readMessage(forwarded.text, { isBodiless: method === 'HEAD', isEnded: true });
        expect(whole?.size).toBe(forwarded.text.length);
        return true;
      },
    ));
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
