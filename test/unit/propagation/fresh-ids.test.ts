import { expect, test } from 'vitest';
import { systemRandom } from '../../../src/base/clock.ts';
import { FreshIds } from '../../../src/propagation/fresh-ids.ts';
import { isTraceparent } from '../../../src/propagation/trace.ts';
import { countingRandom } from '../../support/experiment.ts';

test('each pair is valid, not marked as sampled, and shares no id with another', () => {
  const ids = new FreshIds(systemRandom);
  const seen = new Set<string>();
  for (let pair = 0; pair < 1000; pair++) {
    ids.advance();
    expect(ids.requestId).toMatch(/^[0-9a-f]{32}$/);
    expect(ids.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    expect(isTraceparent(ids.traceparent)).toBe(true);
    for (const id of [ids.requestId, ...ids.traceparent.split('-').slice(1, 3)]) seen.add(id);
  }
  expect(seen.size).toBe(3000);
});

test('the lines hold the ids, and stay the same until the next pair', () => {
  const ids = new FreshIds(countingRandom());
  ids.advance();
  const requestId = '00000000000000000000000000000001';
  const traceparent = '00-00000000000000000000000000000002-0000000000000003-00';
  for (let again = 0; again < 2; again++) {
    expect(ids.requestId).toBe(requestId);
    expect(ids.traceparent).toBe(traceparent);
    expect(ids.requestIdLine).toBe(`x-request-id: ${requestId}\r\n`);
    expect(ids.traceparentLine).toBe(`traceparent: ${traceparent}\r\n`);
    expect(ids.lines).toBe(ids.requestIdLine + ids.traceparentLine);
  }
});
