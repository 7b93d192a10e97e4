/**
 * A bad candidate was repaired, and the analysis of its experiment is begun anew: by the real command line and sidecar, in
 * one process and by workers.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent, createServer, request as send } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Results } from '../../src/analysis/results/results.ts';
import { Exit } from '../../src/cli/io.ts';
import { runProgram } from '../../src/cli/program.ts';
import { runSidecar } from '../support/process.ts';
import { Recorder } from '../support/recorder.ts';
import { Sidecar, TOKEN } from '../support/workers.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Answers at once with `status`; `/held` waits until it is let go. */
class Service {
  status = 200;
  /** Answers that wait. */
  readonly held: (() => void)[] = [];
  readonly #server = createServer((request, response) => {
    const answer = (): void => void response.writeHead(this.status, { 'content-length': 0 }).end();
    if (request.url === '/held') this.held.push(answer);
    else answer();
  });

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    closers.push(() => {
      this.#server.close();
      this.#server.closeAllConnections();
    });
    return `127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }
}

interface World {
  readonly sidecar: Sidecar;
  readonly control: Service;
  readonly candidate: Service;
}

async function startIn(cwd: string): Promise<Sidecar> {
  const sidecar = new Sidecar(await runSidecar('fairlead.yaml', cwd), cwd);
  closers.push(() => sidecar.close());
  return sidecar;
}

async function start(workers: number): Promise<World> {
  const [control, candidate] = [new Service(), new Service()];
  const cwd = await mkdtemp(join(tmpdir(), 'fairlead-forget-'));
  closers.push(() => rm(cwd, { recursive: true, force: true }));
  const config = `
version: 1
service: checkout
requireMetadata: false
workers: ${workers}
upstreams: { v1: "${await control.open()}", v2: "${await candidate.open()}" }
routes: [{ name: api, upstream: v1, experiments: [ranking] }]
experiments:
  ranking:
    breaker: false
    variants: { control: {}, candidate: { weight: 50%, upstream: v2 } }
    analysis: { metrics: [errors] }
    rollout: { steps: [50%, 100%], bake: 1h, guardrails: [{ analysis: errors }] }
admin: { address: 127.0.0.1:0, probeAddress: 127.0.0.1:0, token: ${TOKEN} }
listeners: [{ name: inbound, address: "127.0.0.1:0", direction: inbound }]
accessLog: { enabled: false }
stateFile: state.json
`;
  await writeFile(join(cwd, 'fairlead.yaml'), config);
  return { sidecar: await startIn(cwd), control, candidate };
}

/** A request of each of so many users. */
async function ask(sidecar: Sidecar, users: number, path = '/'): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const one = (user: number) =>
    new Promise<void>((resolve, reject) => {
      const options = { port: sidecar.ports.inbound, path, headers: { 'x-user-id': `user-${user}` }, agent };
      send(options, (response) => response.resume().once('end', resolve))
        .once('error', reject)
        .end();
    });
  await Promise.all(Array.from({ length: users }, (_, user) => one(user)));
  agent.destroy();
}

/** What a person types, and what the terminal says. */
async function type(sidecar: Sidecar, ...words: string[]) {
  const io = new Recorder();
  const admin = `http://127.0.0.1:${sidecar.ports.admin}`;
  const code = await runProgram([...words, '--admin', admin, '--token', TOKEN], io);
  return { code, said: io.stdout + io.stderr };
}

const forget = (sidecar: Sidecar) =>
  type(sidecar, 'results', 'ranking', '--forget', '--reason', 'v2.1 is out');

async function requestsIn(sidecar: Sidecar): Promise<number> {
  const { assigned } = (await sidecar.get('/v1/experiments/ranking/results')) as Results;
  return assigned.reduce((sum, { requests }) => sum + requests, 0);
}

/** Results are made once a second. */
async function expectRequests(sidecar: Sidecar, count: number): Promise<void> {
  await expect.poll(() => requestsIn(sidecar), { timeout: 10_000 }).toBe(count);
}

async function rollout(sidecar: Sidecar) {
  return (await sidecar.get('/v1/rollouts/ranking')) as { phase: string; reason: string; watched: string };
}

const phase = async (sidecar: Sidecar) => (await rollout(sidecar)).phase;

async function startRollout(sidecar: Sidecar): Promise<void> {
  await sidecar.post('/v1/experiments/ranking:start-rollout', { reason: 'a test', skipPreflight: true });
}

describe.each([1, 2])('with %i worker(s)', { timeout: 60_000 }, (workers) => {
  it('a repaired candidate goes on once the analysis is begun anew, and goes back at once before that', async () => {
    const { sidecar, candidate } = await start(workers);
    candidate.status = 500;
    await startRollout(sidecar);
    await ask(sidecar, 400);
    await expect.poll(() => phase(sidecar), { timeout: 20_000 }).toBe('rolled-back');

    candidate.status = 200;
    await startRollout(sidecar);
    await expect.poll(() => phase(sidecar), { timeout: 20_000 }).toBe('rolled-back');
    expect((await rollout(sidecar)).reason).toMatch(/^50% -> 0%: errors: worse by more than 1 pp/);
    expect((await type(sidecar, 'results', 'ranking')).code).toBe(Exit.negative);

    const { code, said } = await forget(sidecar);
    expect(code).toBe(Exit.ok);
    expect(said).toMatch(
      /^ranking: 400 requests of 400 units since 20\S+Z are forgotten; its analysis begins anew\n$/,
    );
    expect(await type(sidecar, 'results', 'ranking')).toMatchObject({
      code: Exit.ok,
      said: expect.stringMatching(/^ranking: not known yet\nno requests yet\n/),
    });
    expect((await type(sidecar, 'results')).said).toMatch(/^ranking +not known yet +no requests yet/);

    await startRollout(sidecar);
    await ask(sidecar, 400);
    // It has looked often since the requests were in.
    await expectRequests(sidecar, 400);
    const { watched } = await rollout(sidecar);
    await expect.poll(async () => (await rollout(sidecar)).watched, { timeout: 10_000 }).not.toBe(watched);
    expect(await phase(sidecar)).toBe('baking');
    const { verdict, since } = (await sidecar.get('/v1/experiments/ranking/results')) as Results;
    expect(verdict.kind).not.toBe('breach');
    expect(Date.parse(since!)).toBeGreaterThan(Date.parse(/since (\S+Z)/.exec(said)![1]!));
    const page = await sidecar.page();
    expect(page).toContain('fairlead_analysis_invalid{experiment="ranking",cause="shares"} 0');
    const { audit } = (await sidecar.get('/v1/audit')) as { audit: { action: string }[] };
    expect(audit).toContainEqual(
      expect.objectContaining({ action: 'forget-results', target: 'ranking', reason: 'v2.1 is out' }),
    );
  });

  it('nothing of before comes back: not with what was under way, and not by a worker or a process that is killed', async () => {
    const { sidecar, control, candidate } = await start(workers);
    await ask(sidecar, 100);
    await expectRequests(sidecar, 100);
    const held = ask(sidecar, 8, '/held');
    await expect.poll(() => control.held.length + candidate.held.length, { timeout: 10_000 }).toBe(8);
    expect((await forget(sidecar)).said).toContain('100 requests of 100 units');
    for (const letGo of [...control.held, ...candidate.held]) letGo();
    await held;
    await ask(sidecar, 30);
    await expectRequests(sidecar, 30);

    if (workers > 1) {
      await sidecar.replaceWorker();
      // Its successor counts by the rules of now.
      await ask(sidecar, 30);
      await expectRequests(sidecar, 60);
    }

    // Ended in order, so that the numbers are kept; then forgotten, and killed before they are kept again.
    sidecar.child.kill('SIGTERM');
    expect(await sidecar.exited).toBe(0);
    const [state, kept] = ['state.json', 'state.json.analysis'].map((file) => join(sidecar.cwd, file));
    expect(await readFile(state!, 'utf8')).toContain('"forgets": 1');
    expect(await readFile(kept!, 'utf8')).toContain('"ranking"');
    const again = await startIn(sidecar.cwd);
    const known = workers > 1 ? 60 : 30;
    await expectRequests(again, known);
    expect((await forget(again)).said).toContain(`${known} requests of 30 units`);
    await expect.poll(() => readFile(state!, 'utf8'), { timeout: 10_000 }).toContain('"forgets": 2');
    again.child.kill('SIGKILL');
    await again.exited;
    const last = await startIn(sidecar.cwd);
    expect(await requestsIn(last)).toBe(0);
    expect(last.log()).toContain('the numbers of ranking begin anew: they were to be forgotten');
    await ask(last, 20);
    await expectRequests(last, 20);
  });
});
