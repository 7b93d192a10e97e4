/**
 * Messages of the wire suite, damaged at random for a bounded time, and compared with a reference that was written
 * separately: what is taken, what is refused, and where every message ends must be the same, whole and cut.
 *
 * FUZZ_SEED=n repeats a run; FUZZ_MS=n makes it longer.
 */
import { describe, expect, it } from 'vitest';
import { type MessageReader, readMessages, summary } from '../support/codec.ts';
import { everyCut } from '../support/http1.ts';
import { disagreement, UNLIMITED } from '../support/http1-judge.ts';
import { damage, pick, type Source } from '../support/mutate.ts';
import { referenceRequest, referenceResponse } from '../support/reference-http1.ts';
import { wireCases } from '../support/wire.ts';

/** Messages must be compared in numbers, or the run says nothing. */
const COMPARED_MIN = 300;
const MS = 2000;
const METHODS = ['GET', 'HEAD', 'POST'];

const cases = wireCases();
const requests = cases.map(({ request }) => request.toString('latin1'));
const responses = cases.flatMap(({ response }) => (response === null ? [] : [response.toString('latin1')]));

function compareCuts(
  direction: 'request' | 'response',
  bytes: Buffer,
  whole: MessageReader,
  options: object,
  random: Source,
): void {
  const cuts =
    random.next() < 0.1
      ? everyCut(bytes.length)
      : Array.from({ length: 3 }, () => Math.floor(random.next() * (bytes.length + 1)));
  const cut = readMessages(direction, bytes, cuts, { ...UNLIMITED, ...options });
  expect(JSON.stringify(summary(cut))).toBe(JSON.stringify(summary(whole)));
}

describe('damaged messages', () => {
  it('of requests are read as the reference reads them, however they are cut', async () => {
    const compared = await damage(requests, { ms: MS, min: COMPARED_MIN }, (text, random) => {
      const bytes = Buffer.from(text, 'latin1');
      const reader = readMessages('request', bytes, [], UNLIMITED);
      compareCuts('request', bytes, reader, {}, random);
      expect(disagreement(reader, text, referenceRequest)).toBeNull();
      return reader.messages.length;
    });
    expect(compared).toBeGreaterThanOrEqual(COMPARED_MIN);
  });

  it('of responses are read as the reference reads them, however they are cut', async () => {
    const compared = await damage(responses, { ms: MS, min: COMPARED_MIN }, (text, random) => {
      const bytes = Buffer.from(text, 'latin1');
      const method = pick(random, METHODS);
      const methodOf = { methodOf: () => method };
      const reader = readMessages('response', bytes, [], { ...UNLIMITED, ...methodOf });
      compareCuts('response', bytes, reader, methodOf, random);
      expect(disagreement(reader, text, (rest) => referenceResponse(rest, method))).toBeNull();
      return reader.messages.length;
    });
    expect(compared).toBeGreaterThanOrEqual(COMPARED_MIN);
  });
});
