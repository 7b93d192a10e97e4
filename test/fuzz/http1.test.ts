/** Properties of the HTTP/1.1 codec over messages that are valid, odd or broken. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ERRORS } from '../../src/base/error.ts';
import { ChunkDecoder } from '../../src/http1/decode.ts';
import { chunkHead, lastChunk } from '../../src/http1/encode.ts';
import { Head, parseRequestHead, parseResponseHead } from '../../src/http1/head.ts';
import { type MessageReader, readMessages, summary } from '../support/codec.ts';
import { CHUNK_LIMITS, decode, everyCut, LIMITS } from '../support/http1.ts';
import { cuts, cutsWithin, pipelinedBytes, responseBytes } from '../support/http1-arbitrary.ts';

/** More by hand: `FUZZ_RUNS=100000 npx vitest run test/fuzz/http1`. */
const RUNS = { numRuns: Number(process.env.FUZZ_RUNS ?? 1500) };
const SMALL = { headMaxBytes: 60, targetMaxBytes: 8, fieldsMax: 2 };

function outcome(reader: MessageReader): string {
  return JSON.stringify(summary(reader));
}

describe('however the bytes are cut', () => {
  it('requests on a connection give the same messages and the same refusal', () => {
    fc.assert(
      fc.property(pipelinedBytes, cuts, (bytes, places) => {
        const whole = outcome(readMessages('request', bytes));
        expect(outcome(readMessages('request', bytes, cutsWithin(bytes, places)))).toBe(whole);
        expect(outcome(readMessages('request', bytes, everyCut(bytes.length)))).toBe(whole);
      }),
      RUNS,
    );
  });

  it('small limits are met at the same message with the same code', () => {
    fc.assert(
      fc.property(pipelinedBytes, cuts, (bytes, places) => {
        const options = { limits: SMALL, chunkLimits: { extensionMaxBytes: 3, trailerMaxBytes: 10 } };
        const whole = outcome(readMessages('request', bytes, [], options));
        expect(outcome(readMessages('request', bytes, cutsWithin(bytes, places), options))).toBe(whole);
        expect(outcome(readMessages('request', bytes, everyCut(bytes.length), options))).toBe(whole);
      }),
      RUNS,
    );
  });

  it('responses give the same messages and the same refusal', () => {
    fc.assert(
      fc.property(responseBytes, cuts, fc.constantFrom('GET', 'HEAD'), (bytes, places, method) => {
        const options = { methodOf: () => method };
        const whole = outcome(readMessages('response', bytes, [], options));
        expect(outcome(readMessages('response', bytes, cutsWithin(bytes, places), options))).toBe(whole);
        expect(outcome(readMessages('response', bytes, everyCut(bytes.length), options))).toBe(whole);
      }),
      RUNS,
    );
  });
});

describe('encoding and decoding a chunked body', () => {
  const chunks = fc.array(fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 40 }), { maxLength: 8 });
  const name = fc
    .stringMatching(/^x-[a-z0-9!#$%&'*+.^_`|~-]{1,10}$/)
    .filter((text) => !/^x-(exp|fair|forw|req|real)/.test(text));
  const value = fc.stringMatching(
    /^[\x21-\x7e\x80-\xff]([\t\x20-\x7e\x80-\xff]{0,10}[\x21-\x7e\x80-\xff])?$/,
  );
  const trailers = fc
    .array(fc.tuple(name, value), { maxLength: 3 })
    .map((all) => all.map(([n, v]) => `${n}: ${v}\r\n`).join(''));

  it('gives back the data and the trailers, cut anywhere, and not a byte more', () => {
    fc.assert(
      fc.property(chunks, trailers, cuts, (parts, lines, places) => {
        const text = `${parts.map((part) => `${chunkHead(part.length)}${part}\r\n`).join('')}${lastChunk(lines)}`;
        const bytes = Buffer.from(`${text}0\r\n\r\n`, 'latin1');
        const expected = {
          data: parts.join(''),
          trailers: lines,
          isDone: true,
          failure: null,
          consumed: text.length,
        };
        expect(decode(bytes, cutsWithin(bytes, places))).toEqual(expected);
      }),
      RUNS,
    );
  });
});

describe('whatever the bytes are', () => {
  const anything = fc.oneof(
    pipelinedBytes,
    responseBytes,
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  );

  it('parsing a head throws nothing, answers an offset in range, and refuses with a code of the table', () => {
    fc.assert(
      fc.property(anything, fc.nat(20), (bytes, start) => {
        for (const parse of [parseRequestHead, parseResponseHead]) {
          const head = new Head();
          const from = Math.min(start, bytes.length);
          const after = parse(head, bytes, from, bytes.length, LIMITS);
          if (after > 0) expect([after > from, after <= bytes.length, after]).toEqual([true, true, head.end]);
          else if (after === -1)
            expect([head.failure in ERRORS, head.failureDetail.length > 0]).toEqual([true, true]);
          else expect(after).toBe(0);
        }
      }),
      RUNS,
    );
  });

  it('a head that is taken is made of its lines, with nothing between them', () => {
    fc.assert(
      fc.property(pipelinedBytes, (bytes) => {
        const head = new Head();
        if (parseRequestHead(head, bytes, 0, bytes.length, LIMITS) <= 0) return;
        let text = `${head.method} ${head.text(head.targetStart, head.targetEnd)} HTTP/1.${head.versionMinor}\r\n`;
        for (let i = 0; i < head.count; i++) {
          const line = head.text(head.nameStart[i]!, head.lineEnd[i]!);
          expect(line).toMatch(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n$/);
          expect(line.slice(line.indexOf(':') + 1).replace(/^[ \t]+|[ \t]*\r\n$/g, '')).toBe(head.value(i));
          text += line;
        }
        expect(head.text(head.start, head.end)).toBe(`${text}\r\n`);
      }),
      RUNS,
    );
  });

  it('decoding chunks throws nothing and always gets further, ends or fails', () => {
    fc.assert(
      fc.property(anything, (bytes) => {
        const decoder = new ChunkDecoder();
        decoder.reset(CHUNK_LIMITS);
        let at = 0;
        while (at < bytes.length && !decoder.isDone && decoder.failure === null) {
          const after = decoder.feed(bytes, at, bytes.length);
          if (decoder.failure === null) expect(after).toBeGreaterThan(at);
          expect(after).toBeLessThanOrEqual(bytes.length);
          at = after;
        }
        expect(decoder.isDone && decoder.failure !== null).toBe(false);
      }),
      RUNS,
    );
  });
});
