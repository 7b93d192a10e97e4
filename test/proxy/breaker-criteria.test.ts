/** What counts as a failure, and limits against the control, from configuration and over real sockets. */
import { afterEach, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { RawClient, type RawUpstream, rawUpstream, requestCount } from '../support/peers.ts';
import { startPlane, type TestPlane } from '../support/plane.ts';

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Time that a test moves. */
class ManualClock implements Clock {
  atMs = 0;
  now = () => this.atMs;
  wallMs = () => systemClock.wallMs();
}

/** Answers `/STATUS` with that, `/marked` with 200 and a field, `/late` when it is told to, and `/never` not at all. */
async function obedient(): Promise<RawUpstream & { readonly late: (() => void)[] }> {
  const late: (() => void)[] = [];
  const upstream = await rawUpstream((socket, text) => {
    // The latest on this connection.
    const path = [...text.matchAll(/ \/(\w+) HTTP/g)].at(-1)?.[1] ?? '';
    if (requestCount(text) === 0 || path === 'never') return;
    const status = /^\d+$/.test(path) ? path : '200';
    const field = path === 'marked' ? 'x-error: quota\r\n' : '';
    const answer = `HTTP/1.1 ${status} Said\r\n${field}content-length: 0\r\n\r\n`;
    if (path === 'late') late.push(() => socket.write(answer));
    else socket.write(answer);
  });
  return { ...upstream, late };
}

interface World {
  readonly plane: TestPlane;
  /** Answers of the candidate that are late. */
  readonly late: readonly (() => void)[];
  /** So many requests at a time. */
  ask(variant: 'control' | 'candidate', path: string, count: number): Promise<void>;
  breaker(variant: 'control' | 'candidate'): ReturnType<TestPlane['plane']['breakers']>[number];
}

async function world(settings: string, route = '', clock?: Clock): Promise<World> {
  const control = await obedient();
  const candidate = await obedient();
  const plane = await startPlane(
    `
version: 1
listeners: [{ name: inbound, address: "127.0.0.1:0", direction: inbound }]
upstreams: { v1: "${control.endpoint}", v2: "${candidate.endpoint}" }
routes: [{ name: api, match: { path: /* }, upstream: v1, experiments: [ranking], failover: false${route} }]
experiments:
  ranking:
    variants: { control: { weight: 90% }, candidate: { weight: 10%, upstream: v2 } }
    ${settings}
`,
    clock,
  );
  closers.push(
    () => control.close(),
    () => candidate.close(),
    () => plane.close(),
  );
  const once = async (variant: string, path: string): Promise<void> => {
    const client = new RawClient(plane.port);
    closers.push(() => client.close());
    const fields = `Host: a\r\nConnection: close\r\nx-experiment-override: ranking=${variant}\r\n`;
    await client.send(`GET /${path} HTTP/1.1\r\n${fields}\r\n`).ended();
  };
  return {
    plane,
    late: candidate.late,
    ask: async (variant, path, count) => {
      await Promise.all(Array.from({ length: count }, () => once(variant, path)));
    },
    breaker: (variant) => plane.plane.breakers().find(({ name }) => name === `api/ranking/${variant}`)!,
  };
}

describe('what counts as a failure', () => {
  it('is 5xx unless something else is said', async () => {
    const { ask, breaker } = await world('breaker: { window: 1m }');
    for (const path of ['200', '404', '429', 'marked', '500']) await ask('candidate', path, 1);
    expect(breaker('candidate')).toMatchObject({ requests: 5, failures: 1 });
  });

  it('is what the experiment lists: statuses, and fields of an answer', async () => {
    const { plane, ask, breaker } = await world(
      `failures: { on: [connect, timeout, reset, malformed, 5xx, 429], headers: { x-error: "*" } }
    breaker: { window: 1m }`,
    );
    for (const path of ['200', '404', '429', 'marked', '500']) await ask('candidate', path, 1);
    expect(breaker('candidate')).toMatchObject({ requests: 5, failures: 3 });
    expect(plane.access.map(({ status, outcome }) => `${status} ${outcome}`)).toEqual([
      '200 ok',
      '404 ok',
      '429 failure',
      '200 failure',
      '500 failure',
    ]);
  });

  it('is what the route lists, where it lists something', async () => {
    const { ask, breaker } = await world(
      'failures: { on: [5xx] }\n    breaker: { window: 1m }',
      ', failures: { on: [404] }',
    );
    for (const path of ['200', '404', '500']) await ask('candidate', path, 1);
    expect(breaker('candidate')).toMatchObject({ requests: 3, failures: 1 });
  });

  it('can be a client that does not wait', async () => {
    const { plane, breaker } = await world('failures: { on: [clientAbort] }\n    breaker: { window: 1m }');
    const client = new RawClient(plane.port);
    client.send('GET /never HTTP/1.1\r\nHost: a\r\nx-experiment-override: ranking=candidate\r\n\r\n');
    await expect.poll(() => plane.plane.inFlight(), { interval: 5, timeout: 15_000 }).toBe(1);
    client.socket.resetAndDestroy();
    await expect.poll(() => breaker('candidate').failures, { interval: 5, timeout: 15_000 }).toBe(1);
  });
});

describe('limits against the control', () => {
  it('open the breaker of a candidate that fails more than the control does', async () => {
    const { plane, ask } = await world(
      'breaker: { window: 1m, errorRate: [100%, control + 1%], openFor: 60s }',
    );
    await ask('candidate', '200', 20);
    await ask('control', '200', 60);
    await ask('candidate', '500', 19);
    await expect.poll(() => plane.transitions.length, { interval: 5, timeout: 15_000 }).toBe(1);
    expect(plane.transitions[0]!.reason).toMatch(
      /^error rate [\d.]+% > control's 0% \+ 1% \(\d+ of \d+ calls, of control 0 of \d+, in 60s; sure to 99\.999%\)/,
    );
  });

  it('open the breaker of a candidate whose p50 is a multiple of that of the control', async () => {
    const clock = new ManualClock();
    const breaker = 'breaker: { window: 1m, p50: 2 x control + 20ms, openFor: 60s }';
    const { plane, ask, late } = await world(breaker, '', clock);
    await ask('control', '200', 40);
    const asked = ask('candidate', 'late', 40);
    await expect.poll(() => late.length, { interval: 5 }).toBe(40);
    clock.atMs += 60;
    for (const write of late) write();
    await asked;
    await expect.poll(() => plane.transitions.length, { interval: 5, timeout: 15_000 }).toBe(1);
    expect(plane.transitions[0]).toMatchObject({ to: 'open', cause: 'latency-quantile' });
  });

  it('open the breaker of a candidate that hangs, by its p99', async () => {
    const { plane, ask } = await world('breaker: { window: 1m, p99: 100ms, openFor: 60s }');
    const hung = ask('candidate', 'never', 20);
    await expect.poll(() => plane.transitions.length, { interval: 5, timeout: 15_000 }).toBe(1);
    expect(plane.transitions[0]!.reason).toMatch(
      /^p99 > 100ms: 100% of the calls took longer \(20 of 20 calls/,
    );
    plane.close();
    await hung;
  });
});

describe('an outage of both arms', () => {
  it('holds the breaker of the candidate back, which says so and shows it', async () => {
    const { plane, ask, breaker } = await world('breaker: { window: 1m, errorRate: 20% }');
    await ask('candidate', '200', 15);
    await ask('control', '200', 16);
    await ask('control', '500', 15);
    await ask('candidate', '500', 15);
    await expect.poll(() => plane.transitions.length, { interval: 5, timeout: 15_000 }).toBe(1);
    expect(plane.transitions[0]).toMatchObject({ from: 'closed', to: 'closed', cause: 'held-back' });
    expect(breaker('candidate')).toMatchObject({
      state: 'closed',
      heldBack: expect.stringMatching(
        /^held back, as control is bad too \(48\.4%, 15 of 31 calls\): error rate/,
      ),
    });
  });
});
