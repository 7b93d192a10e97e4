/**
 * Shedding on a manual clock, for a sidecar whose event loop does in each turn what came in during the one before: 0.25 ms
 * for a request that it serves, so 4,000 a second at the most, and 0.14 ms for one that it refuses, as has been measured.
 * Clients have 1,000 connections, and one request in ten is for a protected route.
 */
import { describe, expect, it } from 'vitest';
import { LoadSignal } from '../../src/resilience/load-signal.ts';
import { seededRandom } from '../support/seeded-random.ts';

const SERVED_MS = 0.25;
const REFUSED_MS = 0.14;
const CONNECTIONS = 1000;
const TICK_MS = 50;
const LIMIT_MS = 50;

interface Shown {
  /** A second. */
  readonly served: number;
  readonly refused: number;
  readonly protectedServed: number;
  readonly protectedRefused: number;
  /** How long turns of the event loop take: half of all requests wait for one of less than this. */
  readonly turnMs: number;
}

/** The second half of a time, at so many requests a second. */
function run(perSecond: number, forMs: number): Shown {
  const random = seededRandom(11);
  const signal = new LoadSignal({ delayMs: LIMIT_MS, memoryBytes: null, memoryRatio: null, heapRatio: null });
  const counts = { served: 0, refused: 0, protectedServed: 0, protectedRefused: 0 };
  const turns: { ms: number; requests: number }[] = [];
  let [nowMs, backlog, tickedMs] = [0, 0, 0];
  while (nowMs < forMs) {
    const requests = Math.min(CONNECTIONS, Math.floor(backlog));
    const isMeasured = nowMs > forMs / 2;
    // A turn without requests ends when the next one comes.
    let turnMs = requests === 0 ? 1000 / perSecond : 0;
    for (let i = 0; i < requests; i++) {
      const isProtected = random.next() < 0.1;
      const isRefused = random.next() < signal.share(isProtected);
      turnMs += isRefused ? REFUSED_MS : SERVED_MS;
      if (!isMeasured) continue;
      if (isProtected) counts[isRefused ? 'protectedRefused' : 'protectedServed']++;
      else counts[isRefused ? 'refused' : 'served']++;
    }
    backlog += (perSecond * turnMs) / 1000 - requests;
    nowMs += turnMs;
    if (isMeasured && requests > 0) turns.push({ ms: turnMs, requests });
    if (nowMs < tickedMs + TICK_MS) continue;
    signal.tick(nowMs - tickedMs - TICK_MS, 0, nowMs);
    tickedMs = nowMs;
  }
  const seconds = forMs / 2000;
  return {
    served: counts.served / seconds,
    refused: counts.refused / seconds,
    protectedServed: counts.protectedServed / seconds,
    protectedRefused: counts.protectedRefused / seconds,
    turnMs: medianByRequests(turns),
  };
}

function medianByRequests(turns: { ms: number; requests: number }[]): number {
  turns.sort((left, right) => left.ms - right.ms);
  let left = turns.reduce((sum, { requests }) => sum + requests, 0) / 2;
  for (const { ms, requests } of turns) {
    left -= requests;
    if (left <= 0) return ms;
  }
  return Number.NaN;
}

describe('a sidecar that sheds', () => {
  it('refuses nobody at nine tenths of what it can do', () => {
    const { refused, protectedRefused, turnMs } = run(3600, 60_000);
    expect([refused, protectedRefused]).toEqual([0, 0]);
    expect(turnMs).toBeLessThan(10);
  });

  it('at three tenths more refuses ordinary requests, few more than it must, and hardly a protected one', () => {
    const { served, protectedServed, protectedRefused, turnMs } = run(5200, 120_000);
    // To refuse all of them would take 728 ms of a second; the rest is room for those that are served.
    const most = (1000 - 5200 * REFUSED_MS) / (SERVED_MS - REFUSED_MS);
    expect(served + protectedServed).toBeGreaterThan(0.7 * most);
    expect(protectedRefused / (protectedServed + protectedRefused)).toBeLessThan(0.02);
    expect(turnMs).toBeLessThan(LIMIT_MS);
  });

  it('at half as much again serves nearly all of what is protected, and answers everybody within its limit', () => {
    const { served, refused, protectedServed, protectedRefused, turnMs } = run(6000, 120_000);
    expect(protectedServed / (protectedServed + protectedRefused)).toBeGreaterThan(0.9);
    expect(served / (served + refused)).toBeLessThan(0.2);
    expect(turnMs).toBeLessThan(LIMIT_MS);
  });
});
