/** `workers: 2` as its users run it: one port, one page, one admin API, and a worker that is killed. */
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { RawClient } from '../support/peers.ts';
import { standStill } from '../support/stand-still.ts';
import { hasTools } from '../support/tools.ts';
import {
  ask,
  candidateRequest,
  load,
  PLAIN,
  type Sidecar,
  servedBy,
  useWorkers,
} from '../support/workers.ts';

const rig = useWorkers();

const report: string[] = [];
afterAll(() => console.log(['how soon all workers know', ...report].join('\n')));

/** One connection of each of the two workers. */
async function pair(sidecar: Sidecar): Promise<[RawClient, RawClient]> {
  const [one, two] = [...(await sidecar.clientsOfEach(1)).values()];
  return [one![0]!, two![0]!];
}

/** Asks until the answer is this one; answers how long that took. */
async function untilServedBy(client: RawClient, variant: string): Promise<number> {
  const startMs = performance.now();
  while ((await ask(client, candidateRequest())) !== variant) {
    if (performance.now() - startMs > 5000) throw new Error(`still not served by ${variant}`);
  }
  return performance.now() - startMs;
}

function median(values: readonly number[]): number {
  return [...values].sort((left, right) => left - right)[Math.floor(values.length / 2)]!;
}

describe.skipIf(process.platform !== 'linux')('workers: 2', () => {
  it('serves on one port from two processes, and shows them on one page and in one admin API', async () => {
    const sidecar = await rig.start();
    const clients = await sidecar.clientsOfEach(2);
    expect(clients.size).toBe(2);
    const count = [...clients.values()].flat().length;
    await sidecar.counts('fairlead_requests_total{code_class="2xx"', count);
    await sidecar.counts('fairlead_downstream_connections{', count);
    expect(await sidecar.metric('fairlead_workers ')).toBe(2);
    const page = await sidecar.page();
    for (const worker of ['primary', '1', '2'])
      expect(page).toContain(`process_resident_memory_bytes{worker="${worker}"}`);
    if (hasTools('promtool')) {
      const { status, stderr } = spawnSync('promtool', ['check', 'metrics'], {
        input: page,
        encoding: 'utf8',
      });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    }
    expect(await sidecar.workers()).toMatchObject([
      { worker: 1, state: 'serving', version: 1, isCurrent: true },
      { worker: 2, state: 'serving', version: 1, isCurrent: true },
    ]);
    const total = async (): Promise<number> => {
      const { upstreams } = (await sidecar.get('/v1/upstreams')) as {
        upstreams: { name: string; endpoints: { requests: number }[] }[];
      };
      return upstreams.flatMap(({ endpoints }) => endpoints).reduce((sum, one) => sum + one.requests, 0);
    };
    await expect.poll(total).toBe(count);
    // The service log has one line for each event, whoever it happened to; the last may not be read to its end.
    for (const line of sidecar.log().split('\n').slice(0, -1)) expect(() => JSON.parse(line)).not.toThrow();
  });

  it('loses only the requests of a worker that is killed, replaces it, and no total goes back', async () => {
    const sidecar = await rig.start();
    const clients = await sidecar.clientsOfEach(4);
    const before = await sidecar.workers();
    const killed = before[0]!.pid;
    const loads = new Map([...clients].map(([pid, own]) => [pid, own.map((client) => load(client))]));
    let isOver = false;
    const totals: number[] = [];
    const scrapes = (async () => {
      while (!isOver) totals.push(await sidecar.metric('fairlead_requests_total{'));
    })();
    const killedLoads = loads.get(killed)!;
    await expect
      .poll(() => killedLoads.every(({ result }) => result.answered > 100), { timeout: 20_000 })
      .toBe(true);
    await sidecar.replaceWorker(killed);
    await Promise.all(killedLoads.map(({ done }) => done));
    expect(await sidecar.metric('fairlead_worker_restarts_total{cause="ended"}')).toBe(1);
    // The successor has its share of new connections, and works by the same rules.
    const successors = await sidecar.clientsOfEach(1);
    expect(successors.has(killed)).toBe(false);
    isOver = true;
    await scrapes;
    for (const [pid, own] of loads) {
      for (const one of own) {
        const { lost, bad } = await one.stop();
        expect([pid === killed, lost, bad]).toEqual([pid === killed, pid === killed ? 1 : 0, []]);
      }
    }
    expect(totals.length).toBeGreaterThan(5);
    for (const [index, total] of totals.entries())
      expect(total).toBeGreaterThanOrEqual(totals[index - 1] ?? 0);
    expect(sidecar.log()).toMatch(/worker 1 ended \(signal SIGKILL\); its successor starts in 0 ms/);
  });

  it('gives a successor the rules in force, and the breakers where they stand', async () => {
    const sidecar = await rig.start();
    await sidecar.post('/v1/experiments/ranking/weights', { weights: { candidate: '100%' }, reason: 'all' });
    await sidecar.trip('1h');
    await sidecar.replaceWorker();
    for (const { isCurrent } of await sidecar.workers()) expect(isCurrent).toBe(true);
    const [one, two] = await pair(sidecar);
    for (const client of [one, two]) expect(await ask(client, candidateRequest())).toBe('control');
    await sidecar.reset();
    const user = 'GET / HTTP/1.1\r\nHost: a\r\nx-user-id: 1\r\n\r\n';
    for (const client of [one, two]) expect(await ask(client, user)).toBe('candidate');
  });

  it('opens a breaker in both when one has seen it fail, at once', async () => {
    const sidecar = await rig.start();
    const [one, two] = await pair(sidecar);
    const delays: number[] = [];
    for (let round = 0; round < 7; round++) {
      const [bad, other] = round % 2 === 0 ? [one, two] : [two, one];
      expect(await ask(other, candidateRequest())).toBe('candidate');
      for (let i = 0; (await ask(bad, candidateRequest('/fail'))) === 'status 500'; i++)
        expect(i).toBeLessThan(60);
      delays.push(await untilServedBy(other, 'control'));
      expect(await sidecar.breaker()).toMatchObject({ state: 'open' });
      // The answer to a change says that it holds in all workers.
      await sidecar.reset();
      for (const client of [one, two]) expect(await ask(client, candidateRequest())).toBe('candidate');
    }
    report.push(`a breaker that one of them opened: median ${median(delays).toFixed(1)} ms`);
    expect(median(delays)).toBeLessThan(100);
    await sidecar.counts('fairlead_breaker_transitions_total{', 14);
  });

  it('opens a breaker on what both have seen together', async () => {
    const sidecar = await rig.start();
    const [one, two] = await pair(sidecar);
    for (const client of [one, two])
      for (let i = 0; i < 9; i++) expect(await ask(client, candidateRequest('/fail'))).toBe('status 500');
    await expect.poll(async () => (await sidecar.breaker()).failures, { timeout: 20_000 }).toBe(18);
    expect(await sidecar.breaker()).toMatchObject({ state: 'closed' });
    await ask(one, candidateRequest('/fail'));
    await ask(two, candidateRequest('/fail'));
    await expect.poll(async () => (await sidecar.breaker()).state, { timeout: 20_000 }).toBe('open');
    expect(String((await sidecar.breaker()).reason)).toContain(
      'error rate 100% >= 50% (20 of 20 calls in 10s)',
    );
    for (const client of [one, two]) await untilServedBy(client, 'control');
  });

  it('lets a breaker recover by the probes of the worker that has the traffic', async () => {
    const sidecar = await rig.start();
    const [one, two] = await pair(sidecar);
    await sidecar.trip('1h');
    for (const client of [one, two]) expect(await ask(client, candidateRequest())).toBe('control');
    await sidecar.trip('200ms');
    // Only one of them sends: also the probes that the other could make are its own in the end.
    await untilServedBy(two, 'candidate');
    const state = async (): Promise<unknown> => {
      await ask(two, candidateRequest());
      return (await sidecar.breaker()).state;
    };
    await expect.poll(state, { timeout: 20_000 }).toBe('closed');
    await untilServedBy(one, 'candidate');
    await sidecar.counts('fairlead_breaker_transitions_total{', 3);
  });

  it('obeys a kill, a new weight and a trip by hand in both, from the answer on', async () => {
    const sidecar = await rig.start();
    const clients = await pair(sidecar);
    const user = 'GET / HTTP/1.1\r\nHost: a\r\nx-user-id: 1\r\n\r\n';
    const took: Record<string, number[]> = { kill: [], weight: [], trip: [] };
    const timed = async (what: string, change: () => Promise<unknown>): Promise<void> => {
      const startMs = performance.now();
      await change();
      took[what]!.push(performance.now() - startMs);
    };
    for (let round = 0; round < 5; round++) {
      await timed('kill', () => sidecar.post('/v1/experiments/ranking:kill', { reason: 'test' }));
      for (const client of clients) expect(await ask(client, candidateRequest())).toBe('control');
      await sidecar.post('/v1/experiments/ranking:start', { reason: 'test' });
      for (const client of clients) expect(await ask(client, candidateRequest())).toBe('candidate');
      for (const [percent, variant] of [
        ['100%', 'candidate'],
        ['0%', 'control'],
      ]) {
        const weights = { weights: { candidate: percent }, reason: 'test' };
        await timed('weight', () => sidecar.post('/v1/experiments/ranking/weights', weights));
        for (const client of clients) expect(await ask(client, user)).toBe(variant);
      }
      await timed('trip', () => sidecar.trip('1h'));
      for (const client of clients) expect(await ask(client, candidateRequest())).toBe('control');
      await sidecar.reset();
    }
    for (const [what, values] of Object.entries(took)) {
      report.push(`a ${what} by hand, from sending it to its answer: median ${median(values).toFixed(1)} ms`);
      expect(median(values)).toBeLessThan(100);
    }
  });

  it('says that an experiment is killed when a worker that stood still has heard it too', async () => {
    const sidecar = await rig.start();
    const clients = await sidecar.clientsOfEach(1);
    const [[pid, [client]]] = [...clients] as [[number, RawClient[]]];
    await standStill(pid);
    let isGoingOn = false;
    setTimeout(() => {
      isGoingOn = true;
      process.kill(pid, 'SIGCONT');
    }, 1500);
    await sidecar.post('/v1/experiments/ranking:kill', { reason: 'test' });
    expect(isGoingOn).toBe(true);
    expect(await ask(client!, candidateRequest())).toBe('control');
  });

  it('loses no request while the rules are reloaded under load, and then all of it works by the last ones', async () => {
    const sidecar = await rig.start();
    const clients = await sidecar.clientsOfEach(4);
    const loads = [...clients.values()].flat().map((client) => load(client, candidateRequest()));
    for (let round = 0; round < 20; round++) sidecar.child.kill('SIGHUP');
    for (let percent = 1; percent <= 20; percent++)
      await sidecar.post('/v1/experiments/ranking/weights', {
        weights: { candidate: `${percent}%` },
        reason: 'load',
      });
    for (const one of loads) expect(await one.stop()).toMatchObject({ lost: 0, bad: [] });
    // Also by those of a reload that is slower than the changes.
    await expect
      .poll(async () => (await sidecar.workers()).map(({ isCurrent }) => isCurrent), { timeout: 15_000 })
      .toEqual([true, true]);
    expect(await sidecar.metric('fairlead_config_version ')).toBeGreaterThan(20);
  });

  it('answers every request that was sent before and during a drain, then exits 0 with nobody left', async () => {
    const sidecar = await rig.start();
    const clients = await sidecar.clientsOfEach(4);
    const pids = (await sidecar.workers()).map(({ pid }) => pid);
    const slow = [sidecar.client(), sidecar.client(), sidecar.client(), sidecar.client()];
    for (const client of slow) await client.sent('GET /slow/500 HTTP/1.1\r\nHost: a\r\n\r\n');
    const loads = [...clients.values()].flat().map((client) => load(client));
    await expect
      .poll(() => loads.every(({ result }) => result.answered > 20), { timeout: 20_000 })
      .toBe(true);
    sidecar.child.kill('SIGTERM');
    let answered = slow.length + loads.length;
    for (const { done } of loads) {
      const result = await done;
      expect(result).toMatchObject({ lost: 0, bad: [] });
      answered += result.answered;
    }
    for (const client of slow) expect(servedBy(await client.response())).toBe('control');
    expect(await sidecar.exited).toBe(0);
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    const lines = (await readFile(join(sidecar.cwd, 'access.log'), 'utf8')).trim().split('\n');
    for (const line of lines) expect(() => JSON.parse(line)).not.toThrow();
    expect(lines.length).toBeGreaterThanOrEqual(answered);
    expect(sidecar.log()).toContain('drained: every request was finished');
  });

  it('answers what was sent on connections that no worker had accepted when the drain began', async () => {
    const sidecar = await rig.start();
    const pids = (await sidecar.workers()).map(({ pid }) => pid);
    // Stopped, they cannot accept: the kernel does, and holds what the clients send.
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    const clients = Array.from({ length: 16 }, () => sidecar.client());
    await Promise.all(clients.map((client) => client.sent(PLAIN)));
    sidecar.child.kill('SIGTERM');
    await expect.poll(() => sidecar.log(), { timeout: 20_000 }).toContain('draining');
    for (const pid of pids) process.kill(pid, 'SIGCONT');
    for (const client of clients) expect(servedBy(await client.response())).toBe('control');
    expect(await sidecar.exited).toBe(0);
  });

  it('leaves no worker behind when the primary is killed, and they finish what is under way', async () => {
    const sidecar = await rig.start();
    const [one, two] = await pair(sidecar);
    const pids = (await sidecar.workers()).map(({ pid }) => pid);
    for (const client of [one, two]) client.send('GET /held HTTP/1.1\r\nHost: a\r\n\r\n');
    await expect.poll(() => sidecar.held.length, { timeout: 15_000 }).toBe(2);
    sidecar.child.kill('SIGKILL');
    await sidecar.exited;
    await sidecar.letGo(2);
    for (const client of [one, two]) expect(servedBy(await client.response())).toBe('control');
    const isAlive = (pid: number): boolean => {
      try {
        return process.kill(pid, 0);
      } catch {
        return false;
      }
    };
    await expect.poll(() => pids.some(isAlive), { timeout: 20_000 }).toBe(false);
  });
});
