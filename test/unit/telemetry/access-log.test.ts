import { describe, expect, test } from 'vitest';
import { AccessLog, type AccessRecord } from '../../../src/telemetry/access-log.ts';
import { Counter } from '../../../src/telemetry/series.ts';
import type { Sink } from '../../../src/telemetry/sink.ts';

const RECORD: AccessRecord = {
  timeMs: 1_700_000_000_123,
  requestId: 'req-1',
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  direction: 'inbound',
  method: 'GET',
  route: 'api',
  status: 200,
  durationMs: 12.34567,
  upstreamMs: 11.2,
  bytesIn: 0,
  bytesOut: 512,
  experiments: [],
  upstream: 'checkout-v1/127.0.0.1:9001',
  outcome: 'ok',
  retries: 0,
  code: null,
  recoveredFrom: '',
  fault: '',
  closedBy: null,
};

/** The lines that a log makes of records, and the counter. */
function written(records: readonly AccessRecord[], isTaken = true) {
  const lines: string[] = [];
  const counter = new Counter();
  const sink = { write: (line: string) => lines.push(line) > 0 && isTaken } as unknown as Sink;
  const log = new AccessLog(sink, 'check "out"', counter);
  for (const record of records) log.record(record);
  return { lines, counter };
}

/** The fields of the line of one record. */
function fieldsOf(changes: Partial<AccessRecord>): Record<string, unknown> {
  const [line = ''] = written([{ ...RECORD, ...changes }]).lines;
  expect(line.endsWith('}\n') && line.indexOf('\n') === line.length - 1).toBe(true);
  return JSON.parse(line) as Record<string, unknown>;
}

describe('a line', () => {
  test("has pino's shape and the documented fields", () => {
    expect(fieldsOf({})).toEqual({
      level: 30,
      time: 1_700_000_000_123,
      msg: 'request',
      service: 'check "out"',
      request_id: 'req-1',
      trace_id: '4bf92f3577b34da6a3ce929d0e0e4736',
      direction: 'inbound',
      method: 'GET',
      route: 'api',
      status: 200,
      duration_ms: 12.346,
      upstream_ms: 11.2,
      bytes_in: 0,
      bytes_out: 512,
      upstream: 'checkout-v1/127.0.0.1:9001',
      outcome: 'ok',
      retry: 0,
    });
  });

  test('has flat fields for one experiment, and a list besides when there are more', () => {
    const one = { name: 'ranking', assigned: 'candidate', served: 'control', reason: 'split' };
    const two = { name: 'price', assigned: 'control', served: 'control', reason: 'off' };
    expect(fieldsOf({ experiments: [one] })).toMatchObject({
      experiment: 'ranking',
      assigned: 'candidate',
      served: 'control',
      reason: 'split',
    });
    expect(fieldsOf({ experiments: [one] })).not.toHaveProperty('experiments');
    expect(fieldsOf({ experiments: [one, two] })).toMatchObject({
      experiment: 'ranking',
      experiments: [
        { experiment: 'ranking', assigned: 'candidate', served: 'control', reason: 'split' },
        { experiment: 'price', assigned: 'control', served: 'control', reason: 'off' },
      ],
    });
  });

  test('of a local answer has its code and no upstream', () => {
    const fields = fieldsOf({
      status: 404,
      code: 'route_not_found',
      upstream: '',
      upstreamMs: -1,
      outcome: 'ignored',
    });
    expect(fields).toMatchObject({ status: 404, code: 'route_not_found', outcome: 'ignored', level: 30 });
    expect(fields).not.toHaveProperty('upstream');
    expect(fields).not.toHaveProperty('upstream_ms');
  });

  test('of a request that another attempt saved says what the one before failed with', () => {
    expect(fieldsOf({ retries: 1, recoveredFrom: '503' })).toMatchObject({ retry: 1, recovered_from: '503' });
    expect(fieldsOf({})).not.toHaveProperty('recovered_from');
  });

  test('of a failure is an error', () => {
    expect(fieldsOf({ status: 502, outcome: 'failure' })).toMatchObject({ level: 50 });
    expect(fieldsOf({ status: 200, outcome: 'failure' })).toMatchObject({ level: 50 });
  });

  test.each([
    '"}{"injected":1',
    'line\nbreak',
    'back\\slash',
    '\u0000\u001f\u007f\u2028',
    'caf\u00e9 \u{1f600}',
  ])('carries %j as one JSON string', (text) => {
    expect(fieldsOf({ requestId: text, route: text, upstream: text })).toMatchObject({
      request_id: text,
      route: text,
      upstream: text,
    });
  });
});

test('a line is counted only when the sink took it', () => {
  expect(written([RECORD, RECORD]).counter.value).toBe(2);
  expect(written([RECORD], false).counter.value).toBe(0);
});
