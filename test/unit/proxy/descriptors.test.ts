/** What listeners may accept with the file descriptors there are. */
import { expect, test } from 'vitest';
import { connectionLimits, descriptorsMax } from '../../../src/proxy/descriptors.ts';

const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);

test('with enough descriptors every listener gets what it wants', () => {
  expect(connectionLimits([10_000, 10_000], 100_000, 65_536)).toEqual({
    connections: [10_000, 10_000],
    turnedAway: 256,
    isEnough: true,
  });
  expect(connectionLimits([1_000_000], 1024, Number.POSITIVE_INFINITY).isEnough).toBe(true);
});

test('upstreams that take few connections leave the more for clients', () => {
  expect(connectionLimits([10_000], 1024, 12_000).isEnough).toBe(true);
  expect(connectionLimits([10_000], 10_000, 12_000).isEnough).toBe(false);
  expect(connectionLimits([10_000], 100, 1024).connections).toEqual([1024 - 64 - 120 - 100]);
});

test.each([
  [[10_000], 1024, 1024],
  [[10_000, 5000, 1], 100_000, 4096],
  [[10_000], 1024, 256],
  [[10_000, 10_000], 10, 512],
])('listeners that want %j, with %i upstream connections, fit into %i', (wanted, upstreams, limit) => {
  const { connections, turnedAway, isEnough } = connectionLimits(wanted, upstreams, limit);
  const accepted = sum(connections);
  const taken = accepted + Math.min(accepted, upstreams) + turnedAway * wanted.length + 64;
  expect(isEnough).toBe(false);
  expect(taken).toBeLessThanOrEqual(limit);
  expect(taken).toBeGreaterThan(limit * 0.9);
  expect(connections[0]).toBeGreaterThanOrEqual(connections.at(-1)!);
});

test('a listener that wants few gets them, also when those that want many have to share', () => {
  const { connections } = connectionLimits([10_000, 3, 10_000, 100], 10, 4096);
  expect([connections[1], connections[3]]).toEqual([3, 100]);
  expect(Math.abs(connections[0]! - connections[2]!)).toBeLessThanOrEqual(1);
});

test('each listener has one at least, however few there are', () => {
  expect(connectionLimits([100, 100], 1024, 10).connections).toEqual([1, 1]);
});

test('the limit of this process is known on Linux', () => {
  expect(descriptorsMax()).toBeGreaterThan(32);
  if (process.platform === 'linux') expect(Number.isNaN(descriptorsMax())).toBe(false);
});
