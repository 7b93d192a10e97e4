import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type Exposure, Exposures, type ExposuresOptions } from '../../../src/telemetry/exposure.ts';
import { Counter } from '../../../src/telemetry/series.ts';

const EXPOSURE: Exposure = {
  experiment: 'ranking',
  epoch: 3,
  assigned: 'candidate',
  served: 'candidate',
  reason: 'split',
  unit: 'user-1',
  unitSource: 'header x-user-id',
  atMs: 1_700_000_000_000,
  route: 'api',
  requestId: 'req-1',
};

function newExposures(options: Partial<ExposuresOptions> & { isTaken?: boolean } = {}) {
  const lines: string[] = [];
  const written = new Counter();
  const deduplicated = new Counter();
  const target = { write: (line: string) => lines.push(line) > 0 && (options.isTaken ?? true) };
  const exposures = new Exposures({
    target,
    service: 'checkout',
    format: 'ndjson',
    unitKeys: [{ id: null, key: 'secret', fromMs: 0 }],
    isPlain: false,
    dedupeEntriesMax: 1000,
    dedupeMs: 60_000,
    written,
    deduplicated,
    ...options,
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

describe('a CloudEvent', () => {
  const eventOf = (exposure: Partial<Exposure>, options: Partial<ExposuresOptions> = {}) => {
    const { exposures, lines } = newExposures({ format: 'cloudevents', ...options });
    exposures.record({ ...EXPOSURE, ...exposure });
    return JSON.parse(lines[0]!) as Record<string, unknown> & { id: string; data: Record<string, unknown> };
  };

  test('has the attributes that the specification asks for, and the record as its data', () => {
    const { id, data, ...event } = eventOf({}, { unitKeys: [{ id: 'k1', key: 'secret', fromMs: 0 }] });
    expect(event).toEqual({
      specversion: '1.0',
      type: 'fairlead.exposure',
      source: '/fairlead/checkout',
      subject: 'ranking',
      time: '2023-11-14T22:13:20.000Z',
      datacontenttype: 'application/json',
    });
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(data).toEqual({
      service: 'checkout',
      experiment: 'ranking',
      epoch: 3,
      assigned: 'candidate',
      served: 'candidate',
      reason: 'split',
      unit: createHmac('sha256', 'secret').update('user-1').digest('hex'),
      unit_source: 'header x-user-id',
      unit_key: 'k1',
      route: 'api',
      request_id: 'req-1',
    });
  });

  test('has the same id for the same exposure, whoever records it', () => {
    const { id } = eventOf({});
    expect(eventOf({ atMs: EXPOSURE.atMs + 10_000, requestId: 'req-2', route: 'other' }).id).toBe(id);
    expect(id).toBe('f3c4d0832434259260f09ddcee2f570d');
  });

  test('has another id for another unit, experiment, epoch, variant or window', () => {
    const ids = [
      {},
      { unit: 'user-2' },
      { experiment: 'search' },
      { epoch: 4 },
      { assigned: 'control' },
      { served: 'control' },
      { atMs: EXPOSURE.atMs + 60_000 },
    ].map((other) => eventOf(other).id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('of a request without a unit has an id for each request', () => {
    const without = { unit: null, unitSource: null };
    const { id } = eventOf(without);
    expect(eventOf(without).id).toBe(id);
    expect(eventOf({ ...without, requestId: 'req-2' }).id).not.toBe(id);
  });

  test('escapes a service that is no part of a URI', () => {
    expect(eventOf({}, { service: 'a b"c' })).toMatchObject({ source: '/fairlead/a%20b%22c' });
  });
});

describe('the unit', () => {
  const unitsAt = (options: Partial<ExposuresOptions>, ...times: number[]) => {
    const { exposures, lines } = newExposures({ format: 'cloudevents', ...options });
    for (const atMs of times) exposures.record({ ...EXPOSURE, atMs });
    return lines.map((line) => {
      const { unit, unit_key } = (JSON.parse(line) as { data: Record<string, string> }).data;
      return { unit, unit_key };
    });
  };
  const hashed = (key: string) => createHmac('sha256', key).update('user-1').digest('hex');

  test('is hashed with the key that is in force at its time, whose name is on record', () => {
    const unitKeys = [
      { id: 'new', key: 'b', fromMs: 2000 },
      { id: 'old', key: 'a', fromMs: 1000 },
    ];
    expect(unitsAt({ unitKeys }, 1500, 1999, 2000, 9000, 500)).toEqual([
      { unit: hashed('a'), unit_key: 'old' },
      { unit: hashed('a'), unit_key: 'old' },
      { unit: hashed('b'), unit_key: 'new' },
      { unit: hashed('b'), unit_key: 'new' },
      { unit: hashed('a'), unit_key: 'old' },
    ]);
  });

  test('is on record as it is only when that is asked for', () => {
    expect(unitsAt({ isPlain: true }, 1000)).toEqual([{ unit: 'user-1', unit_key: null }]);
  });
});
