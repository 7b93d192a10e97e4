import { expect, test } from 'vitest';
import { continuedSpan, rootSpan, sampleThreshold } from '../../../src/propagation/span.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
const OURS = '1111111111111111';

test('a request whose caller records it is recorded, as its child', () => {
  expect(continuedSpan(`00-${TRACE}-${PARENT}-01`, () => OURS)).toEqual({
    traceId: TRACE,
    spanId: OURS,
    parentId: PARENT,
    traceparent: `00-${TRACE}-${OURS}-01`,
  });
});

test('other flags are passed on, and what a later version adds is not', () => {
  const span = continuedSpan(`cc-${TRACE}-${PARENT}-03-more`, () => OURS);
  expect(span?.traceparent).toBe(`00-${TRACE}-${OURS}-03`);
});

test('a request whose caller does not record it is not recorded', () => {
  expect(continuedSpan(`00-${TRACE}-${PARENT}-00`, () => OURS)).toBeNull();
  expect(continuedSpan(`00-${TRACE}-${PARENT}-02`, () => OURS)).toBeNull();
});

test('a trace that begins here begins with our ids', () => {
  expect(rootSpan(`00-${TRACE}-${PARENT}-00`, sampleThreshold(1_000_000))).toEqual({
    traceId: TRACE,
    spanId: PARENT,
    parentId: null,
    traceparent: `00-${TRACE}-${PARENT}-01`,
  });
});

test('the share of traces that is asked for is sampled, by their last 56 bits', () => {
  expect(sampleThreshold(0)).toBeNull();
  expect(sampleThreshold(1_000_000)).toBe('00000000000000');
  // Of OpenTelemetry's examples: 50 % is 8, and 1 % is fd70a3d70a3d71 to 56 bits, rounded up.
  expect(sampleThreshold(500_000)).toBe('80000000000000');
  expect(sampleThreshold(10_000)).toBe('fd70a3d70a3d70');
  const isSampled = (random: string, threshold: string) =>
    rootSpan(`00-${TRACE.slice(0, 18)}${random}-${PARENT}-00`, threshold) !== null;
  expect(isSampled('80000000000000', '80000000000000')).toBe(true);
  expect(isSampled('7fffffffffffff', '80000000000000')).toBe(false);
});
