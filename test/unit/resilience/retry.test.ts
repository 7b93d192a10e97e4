import { describe, expect, test } from 'vitest';
import { ERRORS, type ErrorCode } from '../../../src/base/error.ts';
import { type FailedAttempt, isIdempotent, judgeRetry } from '../../../src/resilience/retry.ts';

const STALE_GET: FailedAttempt = {
  method: 'GET',
  error: 'upstream_reset',
  attempts: 1,
  attemptsMax: 2,
  isConnectionReused: true,
  hasOtherEndpoint: false,
  isResponseBegun: false,
  isReplayable: true,
  isUpgrade: false,
};

describe('a failed attempt', () => {
  test('on a dead pooled connection is retried when the method is idempotent', () => {
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'QUERY']) {
      expect([method, judgeRetry({ ...STALE_GET, method })]).toEqual([method, 'retry']);
    }
  });

  test('on a dead pooled connection is not retried when the method is not, or is unknown', () => {
    for (const method of ['POST', 'PATCH', 'LOCK', 'get', 'CUSTOM']) {
      expect([method, judgeRetry({ ...STALE_GET, method })]).toEqual([method, 'not-idempotent']);
    }
  });

  test('on a fresh connection that the upstream broke is not retried', () => {
    const fresh = { ...STALE_GET, isConnectionReused: false };
    expect(judgeRetry(fresh)).toBe('connection-fresh');
    expect(judgeRetry({ ...fresh, hasOtherEndpoint: true })).toBe('retry');
  });

  test('that never got a connection is retried for every method', () => {
    for (const method of ['GET', 'POST', 'PATCH', 'CUSTOM']) {
      const attempt = { ...STALE_GET, method, isConnectionReused: false };
      expect(judgeRetry({ ...attempt, error: 'upstream_connect_failed' })).toBe('retry');
      expect(judgeRetry({ ...attempt, error: 'upstream_connect_timeout' })).toBe('retry');
    }
  });

  test('is not retried once anything has gone downstream', () => {
    expect(judgeRetry({ ...STALE_GET, isResponseBegun: true })).toBe('response-begun');
    const unconnected: FailedAttempt = {
      ...STALE_GET,
      error: 'upstream_connect_failed',
      isResponseBegun: true,
    };
    expect(judgeRetry(unconnected)).toBe('response-begun');
  });

  test('is not retried when the attempts are used up', () => {
    expect(judgeRetry({ ...STALE_GET, attempts: 2 })).toBe('attempts-used');
    expect(judgeRetry({ ...STALE_GET, attemptsMax: 1 })).toBe('attempts-used');
  });

  test('is not retried when part of its body is gone', () => {
    expect(judgeRetry({ ...STALE_GET, method: 'PUT', isReplayable: false })).toBe('body-gone');
    const unconnected: FailedAttempt = {
      ...STALE_GET,
      error: 'upstream_connect_failed',
      isReplayable: false,
    };
    expect(judgeRetry(unconnected)).toBe('body-gone');
  });

  test('of an upgrade is retried only when nothing was sent', () => {
    expect(judgeRetry({ ...STALE_GET, isUpgrade: true })).toBe('upgrade');
    expect(judgeRetry({ ...STALE_GET, isUpgrade: true, error: 'upstream_connect_failed' })).toBe('retry');
  });

  test('is final for every error that the table says so of', () => {
    for (const error of Object.keys(ERRORS) as ErrorCode[]) {
      const isFinal = judgeRetry({ ...STALE_GET, error }) === 'error-final';
      expect([error, isFinal]).toEqual([error, ERRORS[error].retry === 'never']);
    }
  });
});

test('POST, PATCH and what nobody knows are not idempotent', () => {
  expect(['POST', 'PATCH', 'CONNECT', 'FOO', ''].filter(isIdempotent)).toEqual([]);
});
