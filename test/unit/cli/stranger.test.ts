/** Commands that were sent to the wrong port: what answers there is not believed, and is told no token. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listen } from '../../../src/admin/server.ts';
import { adminGet } from '../../../src/cli/admin-client.ts';
import { main } from '../../../src/main.ts';
import { newAdminBench } from '../../support/admin.ts';
import { LiveAdmin, SaidIo } from '../../support/live-admin.ts';

const SECRET = 'not-for-strangers';

/** An application that has an answer for everything. */
class Stranger {
  readonly authorization: string[] = [];
  readonly asked: string[] = [];
  url = '';
  answer = (response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"hello":"world"}');
  };
  readonly #server: Server = createServer((request, response) => this.#take(request, response));

  async open(path?: string): Promise<this> {
    const where = path === undefined ? { port: 0, host: '127.0.0.1' } : { path };
    await new Promise<void>((resolve) => this.#server.listen(where, resolve));
    this.url =
      path !== undefined
        ? `unix:${path}`
        : `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #take({ method, url, headers }: IncomingMessage, response: ServerResponse): void {
    this.asked.push(`${method} ${url}`);
    if (headers.authorization !== undefined) this.authorization.push(headers.authorization);
    this.answer(response);
  }
}

let stranger: Stranger;
beforeEach(async () => {
  stranger = await new Stranger().open();
});
afterEach(() => stranger.close());

const COMMANDS: readonly (readonly string[])[] = [
  ['kill', 'ranking', '--yes'],
  ['kill', '--all', '--yes'],
  ['start', 'ranking'],
  ['pause', 'ranking'],
  ['set', 'weight', 'ranking', '25'],
  ['set', 'weight', 'ranking', 'candidate=25%'],
  ...['experiments', 'layers', 'breakers', 'upstreams', 'rollouts'].map((what) => ['get', what]),
  ['get', 'experiments', '--watch'],
  ['check'],
  ['explain', 'GET', '/'],
  ['stat'],
  ['top', '-n', '1'],
  ['tap', '-n', '1'],
  ['status'],
  ['status', 'ranking', '--watch'],
  ['results'],
  ['results', 'ranking'],
  ['results', 'ranking', '--forget'],
  ['diffs', 'ranking'],
  ['diffs', 'ranking', '--forget'],
  ['breaker', 'trip', 'api/ranking/candidate', '--for', '1m'],
  ['breaker', 'reset', 'api/ranking/candidate'],
  ['start-rollout', 'ranking'],
  ['promote', 'ranking'],
  ['endpoint', 'drain', 'v1', '127.0.0.1:9001'],
  ['inject', 'ranking/candidate', '--abort', '503', '--for', '1m'],
  ['inject', '--list'],
  ['inject', '--end', 'all'],
  ['approve', 'a1'],
  ['approve', '--list'],
  ['audit', 'show'],
];

const NOT_IT = /^fairlead: what answers at \S+ is not Fairlead's admin API \(status 200\); is admin\.address/;

describe.each(COMMANDS.map((argv) => [argv.join(' '), argv] as const))('%s', (_name, argv) => {
  test('says that it is not the admin API, exits 5, and keeps the token', async () => {
    const io = new SaidIo({ FAIRLEAD_ADMIN__TOKEN: SECRET });
    expect(await main([...argv, '--admin', stranger.url, '--token', SECRET], io)).toBe(5);
    expect(io.outText).toBe('');
    expect(io.errText).toMatch(NOT_IT);
    expect(stranger.authorization).toEqual([]);
    expect(new Set(stranger.asked)).toEqual(new Set(['GET /livez']));
  });

  test('says the same without a token', async () => {
    const io = new SaidIo();
    expect(await main([...argv, '--admin', stranger.url], io)).toBe(5);
    expect(io.outText).toBe('');
    expect(io.errText).toMatch(NOT_IT);
  });
});

test('a stream of events of somebody else is not shown', async () => {
  stranger.answer = (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('event: request\ndata: {}\n\n');
  };
  const io = new SaidIo();
  expect(await main(['tap', '-o', 'json', '--admin', stranger.url], io)).toBe(5);
  expect([io.outText, NOT_IT.test(io.errText)]).toEqual(['', true]);
});

test('what never ends is not waited for', async () => {
  stranger.answer = (response) => void response.writeHead(200).write('{"experiments": [');
  const io = new SaidIo();
  expect(await main(['get', 'experiments', '--admin', stranger.url], io)).toBe(5);
  expect(io.errText).toMatch(NOT_IT);
});

test('a problem of somebody else is no answer either', async () => {
  stranger.answer = (response) => void response.writeHead(404).end('{"code": "not_found", "detail": "no"}');
  const io = new SaidIo();
  expect(await main(['status', '--admin', stranger.url], io)).toBe(5);
  expect(io.errText).toContain("is not Fairlead's admin API (status 404)");
});

test('another version of the admin API is none that is understood', async () => {
  stranger.answer = (response) => void response.writeHead(200, { 'fairlead-api': '2' }).end('{}');
  expect(await main(['get', 'experiments', '--admin', stranger.url], new SaidIo())).toBe(5);
});

test('on a unix socket it is the same', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-stranger-'));
  const local = await new Stranger().open(join(folder, 'app.sock'));
  const io = new SaidIo();
  const argv = ['kill', 'ranking', '--yes', '--token', SECRET, '--admin', local.url];
  expect(await main(argv, io)).toBe(5);
  expect(io.errText).toMatch(NOT_IT);
  expect([local.asked, local.authorization]).toEqual([['GET /livez'], []]);
  await local.close();
  rmSync(folder, { recursive: true });
});

test('the probe listener is no admin API, and has no experiments to be empty', async () => {
  const bench = await newAdminBench();
  const port = await listen(bench.probes, { kind: 'tcp', host: '127.0.0.1', port: 0 });
  const io = new SaidIo();
  expect(await main(['status', '--admin', `http://127.0.0.1:${port}`], io)).toBe(5);
  expect(io.errText).toContain("is not Fairlead's admin API (status 404)");
  await bench.close();
});

describe('a token', () => {
  const env = { FAIRLEAD_ADMIN__TOKEN: SECRET };

  test('goes where the admin API is, which is asked once without it', async () => {
    const admin = await new LiveAdmin().open();
    admin.resources['/v1/experiments'] = { experiments: [] };
    const target = { admin: admin.url };
    await Promise.all([adminGet(target, '/v1/experiments', env), adminGet(target, '/v1/experiments', env)]);
    await adminGet(target, '/v1/experiments', env);
    expect(admin.asked).toEqual(['/livez', ...Array(3).fill('/v1/experiments')]);
    expect(admin.authorization).toEqual([undefined, ...Array(3).fill(`Bearer ${SECRET}`)]);
    await admin.close();
  });

  test('does not go to whoever has taken the address of a sidecar that went away', async () => {
    // A path, as a port could have been taken by somebody else again.
    const folder = mkdtempSync(join(tmpdir(), 'fairlead-stranger-'));
    const path = join(folder, 'admin.sock');
    const admin = await new LiveAdmin().open(path);
    admin.resources['/v1/experiments'] = { experiments: [] };
    const target = { admin: admin.url };
    await adminGet(target, '/v1/experiments', env);
    await admin.close();
    await expect(adminGet(target, '/v1/experiments', env)).rejects.toThrow('ENOENT');
    const other = await new Stranger().open(path);
    await expect(adminGet(target, '/v1/experiments', env)).rejects.toThrow("not Fairlead's admin API");
    expect(other.authorization).toEqual([]);
    await other.close();
    rmSync(folder, { recursive: true });
  });
});
