/** What listeners may accept with the file descriptors there are. */
import { expect, test } from 'vitest';
import { connectionLimits, descriptorsMax } from '../../../src/proxy/descriptors.ts';

test('with enough descriptors every listener gets what it wants', () => {
  expect(connectionLimits([10_000, 10_000], 65_536)).toEqual({
    connections: [10_000, 10_000],
    turnedAway: 256,
    isEnough: true,
  });
  expect(connectionLimits([1_000_000], Number.POSITIVE_INFINITY).isEnough).toBe(true);
});

test.each([
  [[10_000], 1024],
  [[10_000, 5000, 1], 4096],
  [[10_000], 256],
])('listeners that want %j share %i, twice what they accept and the rest held back', (wanted, limit) => {
  const { connections, turnedAway, isEnough } = connectionLimits(wanted, limit);
  const sum = connections.reduce((total, one) => total + one, 0);
  expect(isEnough).toBe(false);
  expect(sum * 2 + turnedAway * wanted.length + 64).toBeLessThanOrEqual(limit);
  expect(sum * 2).toBeGreaterThan((limit - 64) * 0.8);
  expect(connections[0]).toBeGreaterThanOrEqual(connections.at(-1)!);
});

test('each listener has one at least, however few there are', () => {
  expect(connectionLimits([100, 100], 10).connections).toEqual([1, 1]);
});

test('the limit of this process is known on Linux', () => {
  const limit = descriptorsMax();
  expect(limit).toBeGreaterThan(32);
  if (process.platform === 'linux') expect(Number.isNaN(limit)).toBe(false);
});
