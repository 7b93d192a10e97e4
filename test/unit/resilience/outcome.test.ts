import { describe, expect, test } from 'vitest';
import { ERRORS, type ErrorCode } from '../../../src/base/error.ts';
import {
  DEFAULT_FAILURES,
  FAILURE_KINDS,
  type FailureKind,
  FailureRule,
} from '../../../src/resilience/failure-rule.ts';
import { classify, type Outcome } from '../../../src/resilience/outcome.ts';

function outcomeOf(
  status: number,
  error: ErrorCode | null = null,
  durationMs = 10,
  slowThresholdMs = 250,
  { failures = DEFAULT_FAILURES, isMarked = false } = {},
): Outcome {
  return classify({ status, error, durationMs, slowThresholdMs, failures, isMarked });
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

describe('what counts as a failure', () => {
  const rule = (statuses: readonly (string | number)[], errors: readonly FailureKind[] = []) => ({
    failures: new FailureRule({ statuses, errors, fields: [] }),
  });

  test('are the statuses and classes that are listed, and no others', () => {
    const listed = rule(['4xx', 503]);
    const statuses = [200, 400, 429, 499, 500, 503];
    expect(statuses.map((status) => outcomeOf(status, null, 10, 250, listed))).toEqual([
      'ok',
      'failure',
      'failure',
      'failure',
      'ok',
      'failure',
    ]);
  });

  test('is an answer that says so in a field, whatever its status and its time', () => {
    expect(outcomeOf(200, null, 10, 250, { isMarked: true })).toBe('failure');
    expect(outcomeOf(200, null, 251, 250, { isMarked: true })).toBe('failure');
    expect(outcomeOf(0, null, 10, 250, { isMarked: true })).toBe('ignored');
  });

  test('are the errors that are listed; the others say nothing, and are no successes either', () => {
    const timeouts = rule([], ['timeout']);
    expect(outcomeOf(0, 'upstream_first_byte_timeout', 10, 250, timeouts)).toBe('failure');
    expect(outcomeOf(0, 'upstream_reset', 10, 250, timeouts)).toBe('ignored');
    expect(outcomeOf(0, 'upstream_reset', 300, 250, timeouts)).toBe('ignored');
  });

  test('is a client that goes away where that is listed, before the call is slow and after', () => {
    const aborts = rule([], ['clientAbort']);
    expect(outcomeOf(0, 'client_aborted', 10, 250, aborts)).toBe('failure');
    expect(outcomeOf(0, 'deadline_exceeded', 300, 250, aborts)).toBe('failure');
  });

  test('never is what no upstream was asked', () => {
    const everything = rule(['2xx', '3xx', '4xx', '5xx'], [...FAILURE_KINDS]);
    for (const code of ['breaker_open', 'overloaded', 'internal'] as const)
      expect(outcomeOf(503, code, 10, 250, everything)).toBe('ignored');
  });

  test('is found in fields by name and value, or by name alone', () => {
    const { fields } = {
      fields: [
        { name: 'x-error', value: null },
        { name: 'x-outcome', value: 'failed' },
      ],
    };
    const marking = new FailureRule({ statuses: [], errors: [], fields });
    const answer = (name: string, value: string) => (asked: string) => (asked === name ? value : null);
    expect(marking.hasField(answer('x-error', ''))).toBe(true);
    expect(marking.hasField(answer('x-outcome', 'failed'))).toBe(true);
    expect(marking.hasField(answer('x-outcome', 'ok'))).toBe(false);
    expect(marking.hasField(() => null)).toBe(false);
  });
});
