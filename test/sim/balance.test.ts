/**
 * What each policy does to the time of answers, on a manual clock: ten endpoints that work on one request after the
 * other, Poisson arrivals at 60 % of what they can do, exponential service times. The seed is fixed.
 */
import { expect, test } from 'vitest';
import { PeakEwma } from '../../src/resilience/ewma.ts';
import { type BalancePolicy, Balancer, type Candidate } from '../../src/routing/balance.ts';
import { seededRandom } from '../support/seeded-random.ts';

const ENDPOINTS = 10;
const REQUESTS = 60_000;
const SERVICE_MS = 10;
const LOAD = 0.6;

class Server implements Candidate {
  readonly meanMs: number;
  readonly failsFast: boolean;
  readonly ewma = new PeakEwma();
  inFlight = 0;
  served = 0;
  #freeMs = 0;

  constructor(meanMs: number, failsFast: boolean) {
    this.meanMs = meanMs;
    this.failsFast = failsFast;
  }

  weight(): number {
    return 1;
  }

  latencyMs(nowMs: number): number {
    return this.ewma.at(nowMs);
  }

  /** When it will have answered a request of now. */
  take(nowMs: number, random: number): number {
    this.inFlight++;
    this.served++;
    if (this.failsFast) return nowMs + 0.1;
    this.#freeMs = Math.max(this.#freeMs, nowMs) - this.meanMs * Math.log(1 - random);
    return this.#freeMs;
  }
}

interface Odd {
  readonly meanMs?: number;
  readonly failsFast?: boolean;
}

/** Times of answers in order, and the share of requests that the odd one of the ten got. */
function simulate(policy: BalancePolicy, { meanMs = SERVICE_MS, failsFast = false }: Odd = {}) {
  const random = seededRandom(42);
  const servers = Array.from({ length: ENDPOINTS }, (_, index) =>
    index === 0 ? new Server(meanMs, failsFast) : new Server(SERVICE_MS, false),
  );
  const capacity = servers.reduce((sum, server) => sum + 1 / server.meanMs, 0);
  const balancer = new Balancer<Server>(policy, random);
  const underWay: { readonly server: Server; readonly beganMs: number; readonly endMs: number }[] = [];
  const timesMs: number[] = [];
  let nowMs = 0;
  for (let request = 0; request < REQUESTS; request++) {
    nowMs -= Math.log(1 - random.next()) / (LOAD * capacity);
    for (let i = underWay.length - 1; i >= 0; i--) {
      const { server, beganMs, endMs } = underWay[i]!;
      if (endMs > nowMs) continue;
      underWay[i] = underWay.at(-1)!;
      underWay.pop();
      server.inFlight--;
      if (server.failsFast) server.ewma.failed(endMs - beganMs, endMs);
      else {
        server.ewma.succeeded(endMs - beganMs, endMs);
        timesMs.push(endMs - beganMs);
      }
    }
    const server = balancer.choose(servers, true, false, nowMs);
    underWay.push({ server, beganMs: nowMs, endMs: server.take(nowMs, random.next()) });
  }
  timesMs.sort((a, b) => a - b);
  const quantile = (share: number): number => timesMs[Math.floor(share * (timesMs.length - 1))]!;
  return { p50: quantile(0.5), p99: quantile(0.99), oddShare: servers[0]!.served / REQUESTS };
}

test('with endpoints that are alike, leastRequest has a shorter tail than roundRobin', () => {
  const inTurn = simulate('roundRobin');
  const least = simulate('leastRequest');
  expect(least.p99).toBeLessThan(0.9 * inTurn.p99);
  expect(least.p50).toBeLessThan(inTurn.p50);
});

test('with one that is ten times slower, roundRobin drowns it and leastRequest does not', () => {
  const slow = { meanMs: 10 * SERVICE_MS };
  const inTurn = simulate('roundRobin', slow);
  const least = simulate('leastRequest', slow);
  const ewma = simulate('peakEwma', slow);
  expect(inTurn.p99).toBeGreaterThan(100 * least.p99);
  expect(least.oddShare).toBeLessThan(0.03);
  expect(ewma.oddShare).toBeLessThan(0.01);
  expect(ewma.p99).toBeLessThan(least.p99);
});

test('one that fails at once attracts the requests of leastRequest, and is left alone by peakEwma', () => {
  const failing = { failsFast: true };
  expect(simulate('leastRequest', failing).oddShare).toBeGreaterThan(0.1);
  expect(simulate('peakEwma', failing).oddShare).toBeLessThan(0.005);
});
