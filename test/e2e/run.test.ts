/** `fairlead run` as its users run it: a process of its own, real load, reloads, signals. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { RawClient } from '../support/peers.ts';
import { fairlead, runSidecar } from '../support/process.ts';
import { hasTools } from '../support/tools.ts';

/** By hand: FAIRLEAD_SOAK_SECONDS=60 npx vitest run test/e2e */
const LOAD_SECONDS = Number(process.env.FAIRLEAD_SOAK_SECONDS ?? 4);

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function upstream(delayMs: (url: string) => number): Promise<{ server: Server; port: number }> {
  const server = createServer((request, response) => {
    const body = JSON.stringify({ context: request.headers['x-experiment'] ?? null });
    setTimeout(() => response.end(body), delayMs(request.url ?? '/'));
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(
    () => server.close(),
    () => server.closeAllConnections(),
  );
  return { server, port: (server.address() as { port: number }).port };
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'fairlead-'));
  closers.push(() => rm(path, { recursive: true, force: true }));
  return path;
}

function config(port: number, candidatePercent: number): string {
  return `
version: 1
service: checkout
listeners: [{ name: inbound, address: "127.0.0.1:0", direction: inbound }]
upstreams:
  v1: { endpoints: ["127.0.0.1:${port}"] }
  v2: { endpoints: ["127.0.0.1:${port}"] }
routes: [{ name: api, match: { path: /* }, upstream: v1, experiments: [ranking] }]
experiments:
  ranking:
    owner: search-team
    hypothesis: better
    variants:
      control: { weight: ${100 - candidatePercent}% }
      candidate: { weight: ${candidatePercent}%, upstream: v2 }
admin: { address: 127.0.0.1:0, probeAddress: 127.0.0.1:0, token: secret-token }
accessLog: { file: access.log }
exposures: { file: exposures.ndjson, key: k }
stateFile: state.json
`;
}

async function start(cwd: string, yaml: string) {
  await writeFile(join(cwd, 'fairlead.yaml'), yaml);
  const sidecar = await runSidecar('fairlead.yaml', cwd);
  closers.push(async () => {
    sidecar.child.kill('SIGKILL');
    await sidecar.exited;
  });
  return sidecar;
}

/** As editors and `kubectl` do it: never half a file. */
async function replace(cwd: string, yaml: string): Promise<void> {
  await writeFile(join(cwd, 'next.yaml'), yaml);
  await rename(join(cwd, 'next.yaml'), join(cwd, 'fairlead.yaml'));
}

async function metric(port: number, line: string): Promise<number> {
  const page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const found = page.split('\n').find((text) => text.startsWith(`${line} `) || text.startsWith(`${line}{`));
  return Number(found?.split(' ').at(-1));
}

describe('fairlead run', () => {
  it.skipIf(!hasTools('wrk'))(
    'loses no request of wrk at full speed while the config is reloaded all the time',
    async () => {
      const cwd = await folder();
      const { port } = await upstream(() => 0);
      const { child, ports, exited } = await start(cwd, config(port, 10));
      let isOver = false;
      const reloads = (async () => {
        for (let percent = 11; !isOver; percent = percent === 40 ? 11 : percent + 1) {
          await replace(cwd, config(port, percent));
          child.kill('SIGHUP');
          await new Promise((resolve) => setTimeout(resolve, 250));
        }
      })();
      try {
        // Until there was one every second at least: a machine may have something else to do meanwhile.
        do {
          const { stdout } = await promisify(execFile)('wrk', [
            '-t1',
            '-c32',
            `-d${LOAD_SECONDS}s`,
            ...['--timeout', '30s'],
            '-H',
            'x-user-id: user-1',
            `http://127.0.0.1:${ports.inbound}/`,
          ]);
          expect(stdout).toMatch(/\d+ requests in/);
          expect(stdout).not.toMatch(/Socket errors|Non-2xx/);
        } while ((await metric(ports.probes!, 'fairlead_config_version')) <= LOAD_SECONDS);
      } finally {
        isOver = true;
        await reloads;
      }
      expect(await metric(ports.probes!, 'fairlead_config_last_reload_successful')).toBe(1);
      child.kill('SIGTERM');
      expect(await exited).toBe(0);
    },
    LOAD_SECONDS * 1000 + 30_000,
  );

  it('answers what was sent on connections that it had not accepted yet when the drain began', async () => {
    const cwd = await folder();
    const { port } = await upstream(() => 0);
    const { child, ports, exited } = await start(cwd, config(port, 10));
    // Stopped, it cannot accept: the kernel does, and holds what the clients send.
    child.kill('SIGSTOP');
    const clients = Array.from({ length: 16 }, () => new RawClient(ports.inbound!));
    await Promise.all(clients.map((client) => client.sent('GET / HTTP/1.1\r\nHost: a\r\n\r\n')));
    child.kill('SIGTERM');
    child.kill('SIGCONT');
    for (const client of clients) expect(await client.response()).toMatch(/^HTTP\/1\.1 200/);
    expect(await exited).toBe(0);
  });

  it('answers every request that was sent before and during a drain, then exits 0 with the logs written', async () => {
    const cwd = await folder();
    const { port } = await upstream((url) => (url === '/slow' ? 400 : 0));
    const { child, ports, exited } = await start(cwd, config(port, 10));
    const slow = Array.from({ length: 8 }, () => new RawClient(ports.inbound!));
    for (const client of slow) client.send('GET /slow HTTP/1.1\r\nHost: a\r\nx-user-id: u\r\n\r\n');
    let unanswered = 0;
    let answered = 0;
    const loops = Array.from({ length: 8 }, async () => {
      const client = new RawClient(ports.inbound!);
      closers.push(() => client.close());
      for (;;) {
        client.send('GET / HTTP/1.1\r\nHost: a\r\nx-user-id: u\r\n\r\n');
        unanswered++;
        const response = await client.response();
        unanswered--;
        answered++;
        expect(response).toMatch(/^HTTP\/1\.1 200/);
        if (/\r\nconnection: close\r\n/.test(response)) return;
      }
    });
    await expect.poll(() => answered, { timeout: 20_000 }).toBeGreaterThan(100);
    child.kill('SIGTERM');
    await Promise.all(loops);
    for (const client of slow) expect(await client.response()).toMatch(/^HTTP\/1\.1 200/);
    expect(await exited).toBe(0);
    expect(unanswered).toBe(0);
    const lines = (await readFile(join(cwd, 'access.log'), 'utf8')).trim().split('\n');
    expect(lines).toHaveLength(answered + 8);
  });

  it('keeps running on a bad file, and says so in the log, the metrics and the admin API', async () => {
    const cwd = await folder();
    const { port } = await upstream(() => 0);
    const { ports, log } = await start(cwd, config(port, 10));
    await replace(cwd, config(port, 10).replace('upstream: v2', 'upstream: v3'));
    await expect
      .poll(() => metric(ports.probes!, 'fairlead_config_last_reload_successful'), { timeout: 20_000 })
      .toBe(0);
    await expect.poll(log, { timeout: 20_000 }).toMatch(/fairlead\.yaml:15:\d+: .*v3/);
    const view = (await (await fetch(`http://127.0.0.1:${ports.admin}/v1/config`)).json()) as Record<
      string,
      unknown
    >;
    expect(view).toMatchObject({ version: 1, lastReload: { ok: false } });
    expect(JSON.stringify(view)).not.toContain('secret-token');
    const answer = await fetch(`http://127.0.0.1:${ports.inbound}/`);
    expect(answer.status).toBe(200);
  });

  it('keeps what the admin API changed over a restart, apart from the declared config', async () => {
    const cwd = await folder();
    const { port } = await upstream(() => 0);
    const first = await start(cwd, config(port, 10));
    const killed = await fetch(`http://127.0.0.1:${first.ports.admin}/v1/experiments/ranking:kill`, {
      method: 'POST',
      headers: { authorization: 'Bearer secret-token', 'content-type': 'application/json' },
      body: '{"reason":"test"}',
    });
    expect(killed.status).toBe(200);
    first.child.kill('SIGTERM');
    expect(await first.exited).toBe(0);
    const second = await start(cwd, config(port, 10));
    const answer = await fetch(`http://127.0.0.1:${second.ports.inbound}/`, {
      headers: { 'x-experiment-override': 'always', 'x-experiment-explain': '1' },
    });
    expect(answer.headers.get('x-experiment-reason')).toBe('ranking=killed');
    expect(await answer.json()).toEqual({ context: 'ranking=control' });
    expect(await readFile(join(cwd, 'fairlead.yaml'), 'utf8')).toBe(config(port, 10));
  });

  it('exits 3 with file, line and column on an invalid config, and 78 when its port is taken', async () => {
    const cwd = await folder();
    const { port } = await upstream(() => 0);
    await writeFile(join(cwd, 'bad.yaml'), config(port, 10).replace('weight: 90%', 'weight: 80%'));
    const bad = fairlead(['run', '-c', 'bad.yaml'], cwd);
    expect(await bad.exited).toBe(3);
    expect(bad.log()).toMatch(/bad\.yaml:\d+:\d+: .*100/);
    const taken = config(port, 10).replace('"127.0.0.1:0"', `"127.0.0.1:${port}"`);
    await writeFile(join(cwd, 'taken.yaml'), taken);
    const refused = fairlead(['run', '-c', 'taken.yaml'], cwd);
    expect(await refused.exited).toBe(78);
    expect(refused.log()).toContain('EADDRINUSE');
  });
});
