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
  unitSource: 'header x-user-id',
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
      unit_source: 'header x-user-id',
      route: 'api',
      request_id: 'req-1',
    });
    expect(written.value).toBe(1);
  });

  test('of a request without a unit says so', () => {
    const { exposures, lines } = newExposures();
    exposures.record({ ...EXPOSURE, unit: null, unitSource: null });
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ unit: null });
  });

  test('that the sink does not take is not counted as written', () => {
    const { exposures, written } = newExposures({ isTaken: false });
    exposures.record(EXPOSURE);
    expect(written.value).toBe(0);
  });
});

describe('the same exposure', () => {
  const isDue = (exposures: Exposures, other: Partial<Exposure> = {}, nowMs = 1) => {
    const { experiment, assigned, served, unit } = { ...EXPOSURE, ...other };
    return exposures.isDue(experiment, assigned, served, unit, nowMs);
  };

  test('is due once within the window and again after it', () => {
    const { exposures, deduplicated } = newExposures({ dedupeMs: 1000 });
    expect([5, 6, 980, 1030, 1031].map((nowMs) => isDue(exposures, {}, nowMs))).toEqual([
      true,
      false,
      false,
      true,
      false,
    ]);
    expect(deduplicated.value).toBe(3);
  });

  test('is another one when the unit, the experiment or a variant differs', () => {
    const { exposures } = newExposures();
    const others: Partial<Exposure>[] = [
      {},
      { unit: 'user-2' },
      { experiment: 'price' },
      { assigned: 'control' },
      { served: 'control' },
    ];
    for (const other of others) expect(isDue(exposures, other)).toBe(true);
    for (const other of others) expect(isDue(exposures, other)).toBe(false);
  });

  test('is due every time when it has no unit, or when nothing is to be remembered', () => {
    const { exposures } = newExposures();
    for (let index = 0; index < 3; index++) expect(isDue(exposures, { unit: null })).toBe(true);
    for (const options of [{ dedupeMs: 0 }, { dedupeEntriesMax: 0 }]) {
      const always = newExposures(options);
      for (let index = 0; index < 3; index++) expect(isDue(always.exposures)).toBe(true);
    }
  });
});
