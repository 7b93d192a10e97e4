import { expect, test } from 'vitest';
import { type Random, systemRandom } from '../../../src/base/clock.ts';
import { FreshIds, requestIdIn, traceparentIn } from '../../../src/propagation/fresh-ids.ts';
import { isTraceparent } from '../../../src/propagation/trace.ts';

test('each pair is valid, not marked as sampled, and shares no id with another', () => {
  const ids = new FreshIds(systemRandom);
  const seen = new Set<string>();
  for (let pair = 0; pair < 1000; pair++) {
    ids.advance();
    const requestId = requestIdIn(ids.lines);
    const traceparent = traceparentIn(ids.lines);
    expect(requestId).toMatch(/^[0-9a-f]{32}$/);
    expect(traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    expect(isTraceparent(traceparent)).toBe(true);
    for (const id of [requestId, ...traceparent.split('-').slice(1, 3)]) seen.add(id);
  }
  expect(seen.size).toBe(3000);
});

/** Digits that count up, of which each id gets others. */
const counting: Random = {
  next: () => 0.5,
  hex: (bytes) => Array.from({ length: bytes }, (_, i) => (i % 256).toString(16).padStart(2, '0')).join(''),
};

test('the lines hold the ids, and stay the same until the next pair', () => {
  const ids = new FreshIds(counting);
  ids.advance();
  const requestId = '000102030405060708090a0b0c0d0e0f';
  const traceparent = '00-101112131415161718191a1b1c1d1e1f-2021222324252627-00';
  for (let again = 0; again < 2; again++) {
    expect(requestIdIn(ids.lines)).toBe(requestId);
    expect(traceparentIn(ids.lines)).toBe(traceparent);
    expect(ids.requestIdLine).toBe(`x-request-id: ${requestId}\r\n`);
    expect(ids.traceparentLine).toBe(`traceparent: ${traceparent}\r\n`);
    expect(ids.lines).toBe(ids.requestIdLine + ids.traceparentLine);
  }
});

test('no id is all zero, whatever the entropy', () => {
  const ids = new FreshIds({ next: () => 0, hex: (bytes) => '00'.repeat(bytes) });
  ids.advance();
  expect(isTraceparent(traceparentIn(ids.lines))).toBe(true);
});
