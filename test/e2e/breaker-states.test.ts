/**
 * Breakers in whole sidecars, of one process and of two workers: forced by the command line, observing, too many
 * openings that kill with a webhook told, and an error budget that a restart does not fill.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { fixedUpstream, RawClient } from '../support/peers.ts';
import { fairlead, type RunningProcess, runSidecar } from '../support/process.ts';

const NAME = 'api/ranking/candidate';
const TOKEN = 'states-token';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface News {
  readonly type: string;
  readonly data: Readonly<Record<string, string>>;
}

/** Somebody who is told by webhook. */
async function receiver(): Promise<{ url: string; news: News[] }> {
  const news: News[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      news.push(JSON.parse(body) as News);
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, news };
}

type Ports = Readonly<Record<string, number>>;

interface World {
  readonly news: readonly News[];
  start(): Promise<RunningProcess & { readonly ports: Ports }>;
  stop(running: RunningProcess): Promise<void>;
  /** `fairlead` with these arguments against this sidecar: its exit code and what it says. */
  run(ports: Ports, ...argv: string[]): Promise<{ code: number | null; said: string }>;
  get(ports: Ports, path: string): Promise<Record<string, unknown>>;
  /** Who answered requests that force the candidate. */
  ask(ports: Ports, count: number): Promise<string[]>;
  metric(ports: Ports, begin: string): Promise<number>;
  /** Whether all workers work by the rules in force. */
  areCurrent(ports: Ports): Promise<boolean>;
  readonly stateFile: string;
}

async function world(workers: number, breaker: string): Promise<World> {
  const control = await fixedUpstream('HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\ncontrol');
  const candidate = await fixedUpstream('HTTP/1.1 500 Bad\r\ncontent-length: 9\r\n\r\ncandidate');
  const hook = await receiver();
  const cwd = await mkdtemp(join(tmpdir(), 'fairlead-states-'));
  closers.push(
    () => rm(cwd, { recursive: true, force: true }),
    () => control.close(),
    () => candidate.close(),
  );
  const config = `
version: 1
workers: ${workers}
listeners: [{ name: inbound, address: "127.0.0.1:0", direction: inbound }]
admin: { address: "127.0.0.1:0", probeAddress: "127.0.0.1:0", token: ${TOKEN} }
accessLog: { enabled: false }
exposures: { enabled: false }
stateFile: ${join(cwd, 'state.json')}
upstreams: { v1: "${control.endpoint}", v2: "${candidate.endpoint}" }
routes: [{ name: api, upstream: v1, experiments: [ranking] }]
webhooks: [{ name: chat, url: "${hook.url}", secret: states-secret }]
experiments:
  ranking:
    variants: { control: {}, candidate: { weight: 10%, upstream: v2 } }
    breaker: ${breaker}
`;
  await writeFile(join(cwd, 'fairlead.yaml'), config);
  const admin = (ports: Ports) => `http://127.0.0.1:${ports.admin}`;
  return {
    news: hook.news,
    stateFile: join(cwd, 'state.json'),
    start: async () => {
      const running = await runSidecar('fairlead.yaml', cwd);
      closers.push(() => running.child.kill('SIGKILL'));
      return running;
    },
    stop: async (running) => {
      running.child.kill('SIGTERM');
      expect(await running.exited).toBe(0);
    },
    run: async (ports, ...argv) => {
      const env = { FAIRLEAD_ADMIN__TOKEN: TOKEN };
      const { exited, log } = fairlead([...argv, '--admin', admin(ports)], cwd, env);
      return { code: await exited, said: log() };
    },
    get: async (ports, path) =>
      (await fetch(`${admin(ports)}${path}`)).json() as Promise<Record<string, unknown>>,
    ask: async (ports, count) => {
      const answers: string[] = [];
      for (let i = 0; i < count; i++) {
        const client = new RawClient(ports.inbound!);
        const answer = await client
          .send('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nx-experiment-override: always\r\n\r\n')
          .ended();
        client.close();
        answers.push(answer.endsWith('control') ? 'control' : 'candidate');
      }
      return answers;
    },
    areCurrent: async (ports) => {
      const config = await (await fetch(`${admin(ports)}/v1/config`)).json();
      const { workers } = config as { workers: { isCurrent: boolean }[] };
      return workers.every(({ isCurrent }) => isCurrent);
    },
    metric: async (ports, begin) => {
      const page = await (await fetch(`http://127.0.0.1:${ports.probes}/metrics`)).text();
      const lines = page.split('\n').filter((line) => line.startsWith(begin));
      return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
    },
  };
}

const all = (count: number, who: string): string[] => Array.from({ length: count }, () => who);

/** Counted in all workers by then. */
async function untilCounted({ get }: World, ports: Ports, requests: number): Promise<void> {
  const counted = async (): Promise<unknown> =>
    ((await get(ports, `/v1/breakers/${NAME}`)).budget as { requests: number }).requests;
  await expect.poll(counted, { timeout: 20_000 }).toBe(requests);
}

describe.each([1, 2])('a sidecar with workers: %i', { timeout: 60_000 }, (workers) => {
  it('is told by the command line to force a breaker, and says what it does by itself again', async () => {
    const states = await world(workers, '{ errorRate: off }');
    const { ports } = await states.start();
    expect(await states.ask(ports, 3)).toEqual(all(3, 'candidate'));
    const tripped = await states.run(ports, 'breaker', 'trip', NAME, '--for', '1h', '--reason', 'drill');
    expect(tripped).toMatchObject({ code: 0, said: expect.stringContaining('turns everything away for 1h') });
    expect(await states.ask(ports, 3)).toEqual(all(3, 'control'));
    expect(await states.metric(ports, 'fairlead_breaker_mode{')).toBe(2);
    expect(
      await states.metric(
        ports,
        `fairlead_breaker_mode{route="api",experiment="ranking",variant="candidate",mode="forced-open"}`,
      ),
    ).toBe(1);
    await states.run(ports, 'breaker', 'force', NAME, 'closed', '--for', '600ms');
    expect(await states.ask(ports, 3)).toEqual(all(3, 'candidate'));
    const mode = async (): Promise<unknown> => (await states.get(ports, `/v1/breakers/${NAME}`)).mode;
    await expect.poll(mode, { timeout: 20_000 }).toBe('enforce');
    const actions = async (): Promise<string[]> => {
      const { audit } = (await states.get(ports, '/v1/audit?limit=3')) as { audit: { action: string }[] };
      return audit.map(({ action }) => action);
    };
    await expect.poll(actions, { timeout: 20_000 }).toEqual(['force-ended', 'force', 'trip']);
  });

  it('that only observes turns nothing away, and counts what it would have', async () => {
    const states = await world(workers, '{ minimumRequests: 5, mode: observe, openFor: 60s }');
    const { ports } = await states.start();
    expect(await states.ask(ports, 40)).toEqual(all(40, 'candidate'));
    await expect
      .poll(() => states.metric(ports, 'fairlead_breaker_observed_turned_away_total{'), { timeout: 20_000 })
      .toBeGreaterThan(20);
    expect(await states.metric(ports, 'fairlead_breaker_transitions_total{')).toBe(0);
    expect(await states.metric(ports, 'fairlead_breaker_observed_transitions_total{')).toBe(1);
    await expect
      .poll(() => states.get(ports, `/v1/breakers/${NAME}`))
      .toMatchObject({
        state: 'open',
        mode: 'observe',
        turnedAway: 0,
      });
    await expect.poll(() => states.news.length, { timeout: 20_000 }).toBe(1);
    expect(states.news[0]).toMatchObject({ type: 'breaker.opened', data: { mode: 'observe' } });
  });

  it('kills the experiment of a breaker that opens too often, for everyone, and tells the webhook', async () => {
    const breaker =
      '{ minimumRequests: 2, errorRate: 50%, openFor: 50ms, openForMax: 50ms, maxTrips: { count: 3, within: 1h } }';
    const states = await world(workers, breaker);
    const running = await states.start();
    const { ports } = running;
    const killed = async (): Promise<unknown> => {
      await states.ask(ports, 3);
      return (await states.get(ports, '/v1/experiments/ranking')).status;
    };
    await expect.poll(killed, { timeout: 20_000, interval: 30 }).toBe('killed');
    // Nobody has asked for it, so no answer says that all workers have heard of it.
    if (workers > 1) await expect.poll(() => states.areCurrent(ports), { timeout: 20_000 }).toBe(true);
    expect(await states.ask(ports, 5)).toEqual(all(5, 'control'));
    await expect.poll(() => states.news.length, { timeout: 20_000 }).toBe(2);
    expect(states.news.map(({ type }) => type)).toEqual(['breaker.opened', 'experiment.killed']);
    expect(states.news[1]!.data).toMatchObject({ actor: `breaker ${NAME}`, experiment: 'ranking' });
    expect(states.news[1]!.data.reason).toMatch(
      /^the breaker opened 3 times within 1h >= 3; the last time: a probe failed/,
    );
    // It is counted when the answer has come back.
    await expect
      .poll(() => states.metric(ports, 'fairlead_webhooks_total{webhook="chat",outcome="delivered"}'), {
        timeout: 20_000,
      })
      .toBe(2);
    expect(running.log()).not.toContain('states-secret');
    await states.stop(running);
    expect((await states.get((await states.start()).ports, '/v1/experiments/ranking')).status).toBe('killed');
  });

  it('opens a breaker whose budget burns, and a restart does not fill it', async () => {
    const breaker =
      '{ errorRate: off, openFor: 60s, budget: { target: 90%, period: 1h, burn: [{ rate: 5, long: 60s, short: 10s }] } }';
    const states = await world(workers, breaker);
    const running = await states.start();
    await states.ask(running.ports, 19);
    await untilCounted(states, running.ports, 19);
    expect((await states.get(running.ports, `/v1/breakers/${NAME}`)).state).toBe('closed');
    const last = await states.ask(running.ports, 5);
    const requests = 19 + last.filter((who) => who === 'candidate').length;
    const opened = async (): Promise<unknown> =>
      (await states.get(running.ports, `/v1/breakers/${NAME}`)).state;
    await expect.poll(opened, { timeout: 20_000 }).toBe('open');
    // A worker that had not heard of it yet may tell of more.
    await untilCounted(states, running.ports, requests);
    const { reason, budget } = await states.get(running.ports, `/v1/breakers/${NAME}`);
    expect(reason).toMatch(/^error budget burns 10x over 60s \(2\d of 2\d calls\) and 10x over 10s >= 5x; /);
    expect(budget).toMatchObject({ remainingRatio: expect.closeTo(-9, 5) });
    await states.stop(running);
    expect(JSON.parse(await readFile(states.stateFile, 'utf8'))).toHaveProperty('breakers');
    const { ports } = await states.start();
    expect((await states.get(ports, `/v1/breakers/${NAME}`)).budget).toMatchObject({
      requests,
      failures: requests,
    });
    const gauge = 'fairlead_error_budget_remaining_ratio{';
    expect(
      await states.metric(ports, `${gauge}route="api",experiment="ranking",variant="candidate"}`),
    ).toBeCloseTo(-9, 5);
  });
});
