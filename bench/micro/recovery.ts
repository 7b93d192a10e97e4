/**
 * What does a request that does not fail pay for retries, failover and deadlines? Nanoseconds a request for everything
 * that is looked at on the way: the fields, the times, the budgets. Best of twenty rounds, since noise only ever adds. Run:
 * npm exec -c 'node bench/micro/recovery.ts'
 */
import { systemClock } from '../../src/base/clock.ts';
import { compileFailover, compileRetries } from '../../src/config/compile-retry.ts';
import { failoverSchema, retriesSchema } from '../../src/config/schema-retry.ts';
import { Head, parseRequestHead } from '../../src/http1/head.ts';
import type { Exchange } from '../../src/proxy/exchange.ts';
import { Expiry } from '../../src/proxy/expiry.ts';
import { enterBudgets } from '../../src/proxy/recovery.ts';
import { TimeFields } from '../../src/proxy/time-fields.ts';
import { RetryBudget } from '../../src/resilience/retry-budget.ts';

const CALLS = 200_000;
const ROUNDS = 20;

interface Case {
  readonly name: string;
  readonly retries?: object;
  readonly failover?: object;
  readonly header?: string;
  readonly fields?: string;
  readonly requestMs?: number;
  readonly slowAfterMs?: number;
}

const CASES: readonly Case[] = [
  { name: 'no experiment, nothing asked for' },
  { name: 'failover as it is by default', failover: {} },
  { name: 'failover, with a slow-call limit', failover: {}, slowAfterMs: 250 },
  { name: 'failover after 300 ms', failover: { after: '300ms' } },
  { name: 'failover within a budget', failover: { budget: '50%' } },
  { name: 'retries with perTry and a budget', retries: { perTry: '500ms' } },
  { name: 'grpc-timeout', fields: 'grpc-timeout: 5S\r\n' },
  { name: 'a field of one’s own', header: 'x-request-timeout', fields: 'x-request-timeout: 5000\r\n' },
  { name: 'a field of one’s own, absent', header: 'x-request-timeout' },
  { name: 'timeouts.request', requestMs: 30_000, failover: {} },
];

const OTHER_FIELDS = Array.from({ length: 10 }, (_, i) => `x-header-${i}: value ${i}\r\n`).join('');

/** All of an exchange that these look at. */
function exchangeOf({
  retries,
  failover,
  header,
  requestMs,
  slowAfterMs = Number.POSITIVE_INFINITY,
}: Case): Exchange {
  const budget = new RetryBudget({ ratio: 0.2, minPerSecond: 3 });
  const settings = failover === undefined ? null : compileFailover(failoverSchema.parse(failover));
  const isBudgeted = settings !== null && settings.budgetRatio < 1;
  const group = {};
  const control = { group: {} };
  const served = { group };
  const retry = compileRetries(retries === undefined ? undefined : retriesSchema.parse(retries));
  const exchange = {
    phase: 'waiting',
    request: {
      method: 'GET',
      isUpgradeAsked: false,
      startedMs: systemClock.now(),
      completeMs: systemClock.now(),
    },
    requestBody: { isDone: true },
    downstream: { deadlineMs: 0, isEnded: false },
    plan: { timeFields: TimeFields.of({ header: header ?? null, isGrpcHeeded: true }) },
    plane: {
      clock: systemClock,
      deadlines: { nowMs: systemClock.now() },
      retryBudgets: { of: () => budget },
    },
    decision: {
      group,
      count: 1,
      participations: [{ served, plan: { fallback: control } }],
      route: {
        retry,
        hedge: null,
        failover: settings === null ? null : { settings, budget: isBudgeted ? budget : null, slowAfterMs },
        isBudgeted: retry.on !== null || isBudgeted,
        timeouts: { requestMs: requestMs ?? 0, firstByteMs: 30_000, stallMs: 60_000 },
      },
    },
  };
  return exchange as unknown as Exchange;
}

function headOf(fields: string): Head {
  const text = Buffer.from(`GET / HTTP/1.1\r\nhost: a\r\n${OTHER_FIELDS}${fields}\r\n`, 'latin1');
  const head = new Head();
  parseRequestHead(head, text, 0, text.length, {
    headMaxBytes: 65_536,
    targetMaxBytes: 8192,
    fieldsMax: 100,
  });
  return head;
}

let sink = 0;

function nanoseconds(one: Case): number {
  const exchange = exchangeOf(one);
  const head = headOf(one.fields ?? '');
  const expiry = new Expiry(exchange);
  const route = exchange.decision.route!;
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = systemClock.now();
    for (let i = 0; i < CALLS; i++) {
      expiry.begin(head, route);
      if (expiry.refusal !== null) sink++;
      sink += expiry.names.length;
      if (route.isBudgeted) enterBudgets(exchange);
      expiry.beginTry();
      if (expiry.names.length > 0) sink += expiry.lines().length;
      expiry.arm(route.timeouts.firstByteMs);
      expiry.endTry();
    }
    best = Math.min(best, ((systemClock.now() - start) * 1e6) / CALLS);
  }
  return best;
}

// Once for the compiler, which then knows all of them.
for (const one of CASES) nanoseconds(one);
for (const one of CASES) console.log(`${one.name.padEnd(36)} ${nanoseconds(one).toFixed(1).padStart(7)} ns`);
if (sink < 0) console.log(sink);
