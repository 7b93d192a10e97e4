import { describe, expect, test } from 'vitest';
import { judge } from '../../../bench/support/soak-verdict.ts';

const EVENTS = { restarts: [{ fromMs: 10_000, toMs: 11_000 }], crashMs: 20_000, endMs: 30_000 };

function failure(atMs: number, kind: string, more: { status?: number; isPost?: boolean } = {}) {
  return { atMs, kind, status: kind === 'status' ? 502 : 0, isPost: false, isReused: true, ...more };
}

describe('the verdict on a failure', () => {
  test.each([
    ['a GET that an upstream restart failed', failure(10_500, 'status'), 'GET 502'],
    ['a POST that failed without a restart', failure(5000, 'status', { isPost: true }), 'POST 502'],
    ['a cut answer outside the crash', failure(15_000, 'truncated'), 'GET truncated'],
    ['a lost connection before the crash', failure(19_999, 'reset'), 'GET reset'],
    ['a lost connection long after the crash', failure(25_000, 'closed'), 'GET closed'],
    ['a connection refused when the worker was killed', failure(20_100, 'refused'), 'GET refused'],
    ['an error answered when the worker was killed', failure(20_100, 'status'), 'GET 502'],
    ['no answer at all', failure(15_000, 'timeout'), 'GET timeout'],
    ['an answer cut at the end', failure(30_100, 'truncated'), 'GET truncated'],
    ['an error answered at the end', failure(30_100, 'status'), 'GET 502'],
  ])('%s must not be', (_, one, kind) => {
    expect(judge([one], EVENTS)).toEqual({ expected: {}, forbidden: { [kind]: 1 } });
  });

  test.each([
    [failure(10_500, 'status', { isPost: true }), 'POST during an upstream restart'],
    [failure(20_000, 'reset'), 'in flight in the killed worker'],
    [failure(20_500, 'truncated'), 'in flight in the killed worker'],
    [failure(30_000, 'refused'), 'sent while the proxy was ending'],
    [failure(30_100, 'closed'), 'sent while the proxy was ending'],
  ])('%j is expected: %s', (one, reason) => {
    expect(judge([one, one], EVENTS)).toEqual({ expected: { [reason]: 2 }, forbidden: {} });
  });

  test('without a crash no connection may be lost', () => {
    const { forbidden } = judge([failure(20_000, 'reset')], { ...EVENTS, crashMs: null });
    expect(forbidden).toEqual({ 'GET reset': 1 });
  });
});
