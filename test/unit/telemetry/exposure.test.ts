import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type Exposure, Exposures } from '../../../src/telemetry/exposure.ts';
import { Counter } from '../../../src/telemetry/series.ts';
import type { Sink } from '../../../src/telemetry/sink.ts';

const EXPOSURE: Exposure = {
  experiment: 'ranking',
  assigned: 'candidate',
  served: 'candidate',
  reason: 'split',
  unit: 'user-1',
  atMs: 1_700_000_000_000,
  route: 'api',
  requestId: 'req-1',
};

function newExposures(options: { dedupeEntriesMax?: number; dedupeMs?: number; isTaken?: boolean } = {}) {
  const lines: string[] = [];
  const written = new Counter();
  const deduplicated = new Counter();
  const sink = {
    write: (line: string) => lines.push(line) > 0 && (options.isTaken ?? true),
  } as unknown as Sink;
  const { dedupeEntriesMax = 1000, dedupeMs = 60_000 } = options;
  const exposures = new Exposures({
    sink,
    service: 'checkout',
    key: 'secret',
    dedupeEntriesMax,
    dedupeMs,
    written,
    deduplicated,
  });
  return { exposures, lines, written, deduplicated };
}

describe('a record', () => {
  test('has all that the analysis needs, and the unit only as its keyed hash', () => {
    const { exposures, lines, written } = newExposures();
    exposures.record(EXPOSURE);
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toContain('user-1');
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      time: '2023-11-14T22:13:20.000Z',
      service: 'checkout',
      experiment: 'ranking',
      assigned: 'candidate',
      served: 'candidate',
      reason: 'split',
      unit: createHmac('sha256', 'secret').update('user-1').digest('hex'),
      route: 'api',
      request_id: 'req-1',
    });
    expect(written.value).toBe(1);
  });

  test('that the sink does not take is not counted as written', () => {
    const { exposures, written } = newExposures({ isTaken: false });
    exposures.record(EXPOSURE);
    expect(written.value).toBe(0);
  });
});

describe('the same exposure', () => {
  test('is recorded once within the window and again after it', () => {
    const { exposures, lines, deduplicated } = newExposures({ dedupeMs: 1000 });
    for (const offset of [0, 1, 999]) exposures.record({ ...EXPOSURE, atMs: EXPOSURE.atMs + offset });
    expect(lines).toHaveLength(1);
    expect(deduplicated.value).toBe(2);
    exposures.record({ ...EXPOSURE, atMs: EXPOSURE.atMs + 1000 });
    expect(lines).toHaveLength(2);
  });

  test('is another one when the unit, the experiment or a variant differs', () => {
    const { exposures, lines } = newExposures();
    const others: Partial<Exposure>[] = [
      {},
      { unit: 'user-2' },
      { experiment: 'price' },
      { assigned: 'control' },
      { served: 'control' },
    ];
    for (const other of others) exposures.record({ ...EXPOSURE, ...other });
    expect(lines).toHaveLength(5);
  });

  test('is recorded every time when it has no unit, or when nothing is to be remembered', () => {
    const { exposures, lines } = newExposures();
    for (let index = 0; index < 3; index++) exposures.record({ ...EXPOSURE, unit: null });
    expect(lines).toHaveLength(3);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ unit: null });
    const always = newExposures({ dedupeMs: 0 });
    for (let index = 0; index < 3; index++) always.exposures.record(EXPOSURE);
    expect(always.lines).toHaveLength(3);
  });

  test('is recorded again after the clock was set far back', () => {
    const { exposures, lines } = newExposures({ dedupeMs: 1000 });
    exposures.record(EXPOSURE);
    exposures.record({ ...EXPOSURE, atMs: EXPOSURE.atMs - 3_600_000 });
    expect(lines).toHaveLength(2);
  });
});

test('memory is bounded, and the most recent half is always remembered', () => {
  const { exposures, lines } = newExposures({ dedupeEntriesMax: 100 });
  for (let index = 0; index < 10_000; index++) {
    exposures.record({ ...EXPOSURE, unit: `user-${index}` });
    expect(exposures.remembered).toBeLessThanOrEqual(100);
  }
  expect(lines).toHaveLength(10_000);
  for (let index = 9999; index >= 9951; index--) exposures.record({ ...EXPOSURE, unit: `user-${index}` });
  expect(lines).toHaveLength(10_000);
});
