import { describe, expect, test } from 'vitest';
import { ERRORS, type ErrorCode } from '../../../src/base/error.ts';
import { classify, type Outcome } from '../../../src/resilience/outcome.ts';

function outcomeOf(
  status: number,
  error: ErrorCode | null = null,
  durationMs = 10,
  slowThresholdMs = 250,
): Outcome {
  return classify({ status, error, durationMs, slowThresholdMs });
}

describe('the outcome of a call', () => {
  test('is ok for an answer below 500, the client errors included', () => {
    for (const status of [101, 200, 204, 304, 400, 404, 429, 499]) expect(outcomeOf(status)).toBe('ok');
  });

  test('is a failure for every 5xx', () => {
    for (const status of [500, 502, 503, 504, 599]) expect(outcomeOf(status)).toBe('failure');
  });

  test('is slow above the threshold, and not at it', () => {
    expect(outcomeOf(200, null, 250)).toBe('ok');
    expect(outcomeOf(200, null, 250.01)).toBe('slow');
  });

  test('is never slow without a threshold', () => {
    expect(outcomeOf(200, null, 1e9, Number.POSITIVE_INFINITY)).toBe('ok');
  });

  test('is a failure and not slow when a slow call fails', () => {
    expect(outcomeOf(500, null, 10_000)).toBe('failure');
    expect(outcomeOf(0, 'upstream_first_byte_timeout', 10_000)).toBe('failure');
  });

  test('is a failure when a good answer breaks off in the middle', () => {
    expect(outcomeOf(200, 'upstream_aborted')).toBe('failure');
    expect(outcomeOf(200, 'upstream_body_timeout')).toBe('failure');
  });

  test('ignores a client that goes away, unless the call was already slow', () => {
    expect(outcomeOf(0, 'client_aborted', 250)).toBe('ignored');
    expect(outcomeOf(200, 'client_aborted', 100)).toBe('ignored');
    expect(outcomeOf(0, 'client_aborted', 251)).toBe('slow');
  });

  test('ignores what the upstream was never asked', () => {
    expect(outcomeOf(503, 'breaker_open')).toBe('ignored');
    expect(outcomeOf(503, 'overloaded')).toBe('ignored');
    expect(outcomeOf(0)).toBe('ignored');
  });

  test('counts an error by the side it lies on, for every code there is', () => {
    for (const code of Object.keys(ERRORS) as ErrorCode[]) {
      const isUpstreams = ERRORS[code].side === 'upstream' && code !== 'breaker_open';
      expect([code, outcomeOf(0, code)]).toEqual([code, isUpstreams ? 'failure' : 'ignored']);
    }
  });
});
