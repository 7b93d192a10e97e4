import { describe, expect, test } from 'vitest';
import { ERRORS, type ErrorCode } from '../../../src/base/error.ts';
import { type Failure, FailureSet, failureOf } from '../../../src/resilience/failure.ts';
import {
  backOffMs,
  type FailedAttempt,
  isIdempotent,
  isPaid,
  isSafe,
  judgeRepeat,
  judgeRetry,
  type RetrySettings,
  type Tries,
} from '../../../src/resilience/retry.ts';

const RESET = failureOf('upstream_reset')!;
const REFUSED = failureOf('upstream_connect_failed')!;
const TIMEOUT = failureOf('upstream_first_byte_timeout')!;
const UNAVAILABLE: Failure = { kind: 'status', code: null, status: 503, retryAfterMs: 0 };

const SENT_GET: FailedAttempt = {
  method: 'GET',
  failure: RESET,
  isSent: true,
  isPassedOn: false,
  isReplayable: true,
  isUpgrade: false,
};

describe('a request whose attempt failed', () => {
  test('may be repeated when the method is idempotent', () => {
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'QUERY'])
      expect([method, judgeRepeat({ ...SENT_GET, method })]).toEqual([method, 'yes']);
  });

  test('may not be repeated when the method is not, or is unknown', () => {
    for (const method of ['POST', 'PATCH', 'LOCK', 'get', 'CUSTOM'])
      expect([method, judgeRepeat({ ...SENT_GET, method })]).toEqual([method, 'not-idempotent']);
  });

  test('may be repeated whatever the method when nothing was sent', () => {
    for (const method of ['GET', 'POST', 'PATCH', 'CUSTOM'])
      expect(judgeRepeat({ ...SENT_GET, method, isSent: false, failure: REFUSED })).toBe('yes');
  });

  test('may not be repeated once the client has seen part of an answer', () => {
    expect(judgeRepeat({ ...SENT_GET, isPassedOn: true })).toBe('passed-on');
  });

  test('may not be repeated when part of its body is gone', () => {
    expect(judgeRepeat({ ...SENT_GET, method: 'PUT', isReplayable: false })).toBe('body-gone');
    expect(judgeRepeat({ ...SENT_GET, isSent: false, isReplayable: false })).toBe('body-gone');
  });

  test('and that asked for another protocol may be repeated when nothing was sent, or it was refused', () => {
    const upgrade = { ...SENT_GET, isUpgrade: true };
    expect(judgeRepeat(upgrade)).toBe('upgrade');
    expect(judgeRepeat({ ...upgrade, isSent: false, failure: REFUSED })).toBe('yes');
    expect(judgeRepeat({ ...upgrade, failure: UNAVAILABLE })).toBe('yes');
  });
});

const FIRST: Tries = {
  made: 1,
  isConnectionReused: false,
  hasOtherEndpoint: false,
  isAnswerBegun: false,
};
const DEFAULT: RetrySettings = {
  attemptsMax: 2,
  on: null,
  perTryMs: 0,
  backOffMs: 0,
  backOffMaxMs: 0,
  hedgeAfterMs: 0,
};
const LISTING: RetrySettings = {
  ...DEFAULT,
  attemptsMax: 4,
  on: new FailureSet(['connect', 'timeout', 503]),
};

describe('where nothing is listed, an attempt', () => {
  test('on a dead pooled connection is followed by another', () => {
    expect(judgeRetry(RESET, { ...FIRST, isConnectionReused: true }, DEFAULT)).toBe('free');
  });

  test('on a new connection that broke is followed by another only elsewhere', () => {
    expect(judgeRetry(RESET, FIRST, DEFAULT)).toBe('connection-fresh');
    expect(judgeRetry(RESET, { ...FIRST, hasOtherEndpoint: true }, DEFAULT)).toBe('free');
  });

  test('that broke within its answer is not followed by another', () => {
    const begun = { ...FIRST, isConnectionReused: true, isAnswerBegun: true };
    expect(judgeRetry(RESET, begun, DEFAULT)).toBe('not-listed');
  });

  test('that got no connection is followed by one other', () => {
    expect(judgeRetry(REFUSED, FIRST, DEFAULT)).toBe('free');
    expect(judgeRetry(REFUSED, { ...FIRST, made: 2 }, DEFAULT)).toBe('attempts-used');
    expect(judgeRetry(failureOf('upstream_connect_timeout')!, FIRST, DEFAULT)).toBe('free');
  });

  test('that was late, or answered whatever, is not followed by another', () => {
    expect(judgeRetry(TIMEOUT, FIRST, DEFAULT)).toBe('not-listed');
    expect(judgeRetry(UNAVAILABLE, FIRST, DEFAULT)).toBe('not-listed');
    expect(judgeRetry(failureOf('overloaded')!, FIRST, DEFAULT)).toBe('not-listed');
  });

  test('is the only one when there may be one', () => {
    expect(judgeRetry(REFUSED, FIRST, { ...DEFAULT, attemptsMax: 1 })).toBe('attempts-used');
  });
});

describe('where failures are listed, an attempt', () => {
  test('that failed so is followed by others, up to the number', () => {
    for (const failure of [TIMEOUT, UNAVAILABLE]) {
      expect(judgeRetry(failure, FIRST, LISTING)).toBe('listed');
      expect(judgeRetry(failure, { ...FIRST, made: 3 }, LISTING)).toBe('listed');
      expect(judgeRetry(failure, { ...FIRST, made: 4 }, LISTING)).toBe('attempts-used');
    }
  });

  test('that failed otherwise is not', () => {
    expect(judgeRetry({ ...UNAVAILABLE, status: 500 }, FIRST, LISTING)).toBe('not-listed');
    expect(judgeRetry(RESET, FIRST, LISTING)).toBe('not-listed');
  });

  test('is paid for, unless nothing was sent or the pool is to blame', () => {
    const paid = (failure: Failure, tries: Tries) => isPaid(judgeRetry(failure, tries, LISTING), failure);
    expect(paid(TIMEOUT, FIRST)).toBe(true);
    expect(paid(REFUSED, { ...FIRST, made: 2 })).toBe(false);
    expect(paid(RESET, { ...FIRST, isConnectionReused: true })).toBe(false);
  });
});

test('an error is a failure of an attempt if the table says that it may be tried again, or nothing usable came', () => {
  const others: ErrorCode[] = ['overloaded', 'upstream_first_byte_timeout', 'upstream_malformed'];
  for (const code of Object.keys(ERRORS) as ErrorCode[])
    expect([code, failureOf(code) !== null]).toEqual([
      code,
      ERRORS[code].retry !== 'never' || others.includes(code),
    ]);
});

test('POST, PATCH and what nobody knows are not idempotent, and PUT and DELETE are not safe', () => {
  expect(['POST', 'PATCH', 'CONNECT', 'FOO', ''].filter(isIdempotent)).toEqual([]);
  expect(['GET', 'HEAD', 'PUT', 'DELETE', 'POST', 'FOO'].filter(isSafe)).toEqual(['GET', 'HEAD']);
});

test('the wait doubles up to its cap, and is anything from nothing to that', () => {
  const settings = { backOffMs: 25, backOffMaxMs: 250 };
  const wait = (made: number, drawn: number) =>
    backOffMs(made, settings, { next: () => drawn, hex: () => '' });
  expect([1, 2, 3, 4, 5, 60].map((made) => wait(made, 1))).toEqual([25, 50, 100, 200, 250, 250]);
  expect(wait(3, 0)).toBe(0);
  expect(wait(3, 0.5)).toBe(50);
});
