import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { isTraceparent, isTracestate, traceIdOf } from '../../../src/propagation/trace.ts';

const golden: {
  traceparent: { name: string; value: string; isValid: boolean }[];
  tracestate: { name: string; lines: string[]; isValid: boolean }[];
} = JSON.parse(readFileSync(new URL('../../vectors/w3c-trace-context.json', import.meta.url), 'utf8'));

test('the vectors for traceparent hold', () => {
  expect(golden.traceparent.length).toBe(26);
  for (const { name, value, isValid } of golden.traceparent) {
    expect({ name, isValid: isTraceparent(value) }).toEqual({ name, isValid });
  }
});

test('any wrong character anywhere makes version 00 invalid', () => {
  const valid = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  for (let at = 0; at < valid.length; at++) {
    for (const wrong of ['g', ' ', 'é', '\0']) {
      expect(isTraceparent(valid.slice(0, at) + wrong + valid.slice(at + 1))).toBe(false);
    }
  }
});

test('the trace id is read from a valid field only', () => {
  expect(traceIdOf('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01')).toBe(
    '4bf92f3577b34da6a3ce929d0e0e4736',
  );
  expect(traceIdOf('00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01')).toBe(null);
});

test('the cases of the W3C test suite for tracestate hold', () => {
  expect(golden.tracestate.length).toBe(30);
  for (const { name, lines, isValid } of golden.tracestate) {
    expect({ name, isValid: isTracestate(lines.join(', ')) }).toEqual({ name, isValid });
  }
});
