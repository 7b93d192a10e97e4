/**
 * Messages of the wire suite, damaged at random for a bounded time, and compared with a reference that was written
 * separately: what is taken, what is refused, and where every message ends must be the same, whole and cut.
 *
 * FUZZ_SEED=n repeats a run; FUZZ_MS=n makes it longer.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type MessageReader, readMessages, summary } from '../support/codec.ts';
import { everyCut } from '../support/http1.ts';
import { disagreement, UNLIMITED } from '../support/http1-judge.ts';
import { referenceRequest, referenceResponse } from '../support/reference-http1.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { parseWireFile } from '../support/wire.ts';

const TOTAL_MS = Number(process.env.FUZZ_MS ?? 4000);
const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);
/** Messages must be compared in numbers, or the run says nothing. */
const COMPARED_MIN = 300;
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
  const cut = readMessages(direction, bytes, cuts, { ...UNLIMITED, ...options });
  expect(JSON.stringify(summary(cut))).toBe(JSON.stringify(summary(whole)));
}

describe('damaged messages', () => {
  it('of requests are read as the reference reads them, however they are cut', () => {
    const compared = run(requests, SEED, (text, random) => {
      const bytes = Buffer.from(text, 'latin1');
      const reader = readMessages('request', bytes, [], UNLIMITED);
      compareCuts('request', bytes, reader, {}, random);
      expect(disagreement(reader, text, referenceRequest)).toBeNull();
      return reader.messages.length;
    });
    expect(compared).toBeGreaterThan(COMPARED_MIN);
  });

  it('of responses are read as the reference reads them, however they are cut', () => {
    const compared = run(responses, SEED + 1, (text, random) => {
      const bytes = Buffer.from(text, 'latin1');
      const method = pick(random, METHODS);
      const methodOf = { methodOf: () => method };
      const reader = readMessages('response', bytes, [], { ...UNLIMITED, ...methodOf });
      compareCuts('response', bytes, reader, methodOf, random);
      expect(disagreement(reader, text, (rest) => referenceResponse(rest, method))).toBeNull();
      return reader.messages.length;
    });
    expect(compared).toBeGreaterThan(COMPARED_MIN);
  });
});
