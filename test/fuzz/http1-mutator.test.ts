/**
 * Messages of the wire suite, damaged at random for a bounded time, and compared with a reference that was written
 * separately: what is taken, what is refused, and where every message ends must be the same, whole and cut.
 *
 * FUZZ_SEED=n repeats a run; FUZZ_MS=n makes it longer.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Message, type MessageReader, readMessages, summary } from '../support/codec.ts';
import { everyCut } from '../support/http1.ts';
import {
  type ReferenceMessage,
  referenceChunked,
  referenceRequest,
  referenceResponse,
} from '../support/reference-http1.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { parseWireFile } from '../support/wire.ts';

const TOTAL_MS = Number(process.env.FUZZ_MS ?? 3000);
const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);
/** Messages must be compared in numbers, or the run says nothing. */
const COMPARED_MIN = 300;
const LIMITS = {
  limits: { headMaxBytes: 65_536, targetMaxBytes: 8192, fieldsMax: 1000 },
  chunkLimits: { extensionMaxBytes: 65_536, trailerMaxBytes: 65_536 },
};
const METHODS = ['GET', 'HEAD', 'POST'];

const FOLDER = join(import.meta.dirname, '../wire');
const cases = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.md') && name !== 'README.md')
  .flatMap((name) => parseWireFile(name, readFileSync(join(FOLDER, name), 'utf8')));
const requests = cases.map(({ request }) => request.toString('latin1'));
const responses = cases.flatMap(({ response }) => (response === null ? [] : [response.toString('latin1')]));
const DICTIONARY = [
  '\r\n',
  '\n',
  '\r',
  ' ',
  '\t',
  '\0',
  ':',
  ',',
  ';',
  '0',
  '5',
  'chunked',
  'Content-Length: 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Host: b\r\n',
  '0\r\n\r\n',
  '\r\n\r\n',
  'HTTP/1.0',
  'HTTP/1.1',
  '5\r\nhello\r\n',
  '\x80',
  '\x7f',
  'Connection: close\r\n',
  ' x',
  '/',
  '?',
  '#',
  '*',
  'http://',
  '@',
  '[::1]',
  '%41',
  '%',
  '-',
  '+',
  '0x',
  'X: y\r\n',
];

type Random = { next(): number };

const pick = <T>(random: Random, all: readonly T[]): T => all[Math.floor(random.next() * all.length)]!;

/** One to four changes: a byte, a word, a piece taken out, doubled, or put in from another message. */
function mutate(text: string, corpus: readonly string[], random: Random): string {
  let result = text;
  for (let n = 1 + Math.floor(random.next() * 4); n > 0; n--) {
    const at = Math.floor(random.next() * (result.length + 1));
    const length = Math.floor(random.next() * 8);
    const other = pick(random, corpus);
    const from = Math.floor(random.next() * other.length);
    const inserted = pick(random, [
      String.fromCharCode(Math.floor(random.next() * 256)),
      pick(random, DICTIONARY),
      '',
      result.slice(at, at + length),
      other.slice(from, from + Math.floor(random.next() * 40)),
    ]);
    result = result.slice(0, at) + inserted + result.slice(at + (random.next() < 0.5 ? 0 : 1 + length));
  }
  return result;
}

function judge(
  reader: MessageReader,
  text: string,
  reference: (rest: string) => ReferenceMessage | null,
): number {
  let rest = text;
  for (const message of reader.messages) {
    const expected = reference(rest);
    expect(expected).not.toBeNull();
    const kind = expected!.body.split(' ')[0];
    expect({ fields: message.fields, kind: message.bodyKind }).toEqual({ fields: expected!.fields, kind });
    expect(message.head.startsWith(`${expected!.startLine}\r\n`)).toBe(true);
    rest = rest.slice(expected!.size);
    if (!message.isComplete) {
      expect(isUnfinished(message, expected!, rest)).toBe(true);
      return reader.messages.length;
    }
    rest = rest.slice(judgeBody(message, expected!, rest));
  }
  // Whatever is left is refused, or not complete, for both.
  expect(reference(rest)).toBeNull();
  expect(reader.refusal === null && rest.includes('\r\n\r\n') && !rest.startsWith('\r\n')).toBe(false);
  return reader.messages.length;
}

function isUnfinished(message: Message, { body }: ReferenceMessage, rest: string): boolean {
  if (message.bodyKind === 'chunked') return referenceChunked(rest) === null;
  return message.bodyKind === 'untilClose'
    ? message.data === rest
    : rest.length < Number(body.split(' ')[1]) && message.data === rest;
}

/** Answers the bytes of the body. */
function judgeBody(message: Message, { body }: ReferenceMessage, rest: string): number {
  if (body === 'none') return 0;
  if (body !== 'chunked') {
    const length = Number(body.split(' ')[1]);
    expect(message.data).toBe(rest.slice(0, length));
    return length;
  }
  const expected = referenceChunked(rest);
  expect({ data: message.data, trailers: message.trailers }).toEqual({
    data: expected?.data,
    trailers: expected?.trailers,
  });
  return expected!.size;
}

/** Calls `compare` with damaged messages until the time is up; names the seed and the message when it throws. */
function run(
  corpus: readonly string[],
  seed: number,
  compare: (text: string, random: Random) => number,
): number {
  const random = seededRandom(seed);
  const endMs = performance.now() + TOTAL_MS / 2;
  let compared = 0;
  for (let i = 0; performance.now() < endMs; i++) {
    const text = mutate(pick(random, corpus), corpus, random);
    try {
      compared += compare(text, random);
    } catch (error) {
      throw new Error(`FUZZ_SEED=${seed}, message ${i}: ${JSON.stringify(text)}`, { cause: error });
    }
  }
  return compared;
}

function compareCuts(
  direction: 'request' | 'response',
  bytes: Buffer,
  whole: MessageReader,
  options: object,
  random: Random,
): void {
  const cuts =
    random.next() < 0.1
      ? everyCut(bytes.length)
      : Array.from({ length: 3 }, () => Math.floor(random.next() * (bytes.length + 1)));
  expect(summary(readMessages(direction, bytes, cuts, { ...LIMITS, ...options }))).toEqual(summary(whole));
}

describe('damaged messages', () => {
  it('of requests are read as the reference reads them, however they are cut', () => {
    const compared = run(requests, SEED, (text, random) => {
      const bytes = Buffer.from(text, 'latin1');
      const reader = readMessages('request', bytes, [], LIMITS);
      compareCuts('request', bytes, reader, {}, random);
      return judge(reader, text, referenceRequest);
    });
    expect(compared).toBeGreaterThan(COMPARED_MIN);
  });

  it('of responses are read as the reference reads them, however they are cut', () => {
    const compared = run(responses, SEED + 1, (text, random) => {
      const bytes = Buffer.from(text, 'latin1');
      const method = pick(random, METHODS);
      const methodOf = { methodOf: () => method };
      const reader = readMessages('response', bytes, [], { ...LIMITS, ...methodOf });
      compareCuts('response', bytes, reader, methodOf, random);
      return judge(reader, text, (rest) => referenceResponse(rest, method));
    });
    expect(compared).toBeGreaterThan(COMPARED_MIN);
  });
});
