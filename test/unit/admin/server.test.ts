import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listen } from '../../../src/admin/server.ts';
import { type AdminBench, newAdminBench, TOKEN } from '../../support/admin.ts';

let bench: AdminBench;
let folder: string;
beforeEach(async () => {
  bench = await newAdminBench();
  folder = mkdtempSync(join(tmpdir(), 'fairlead-socket-'));
});
afterEach(async () => {
  await bench.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Status of a request over the unix socket. */
function askSocket(
  path: string,
  options: { method?: string; url?: string; headers?: Record<string, string> } = {},
): Promise<number> {
  const { method = 'GET', url = '/v1/experiments', headers = {} } = options;
  return new Promise((resolve, reject) => {
    request({ socketPath: path, path: url, method, headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });
}

describe('a port', () => {
  test('0 is any free one, and the answer says which', async () => {
    const port = await listen(bench.app, { kind: 'tcp', host: '127.0.0.1', port: 0 });
    const answer = await fetch(`http://127.0.0.1:${port}/v1/experiments/ranking:kill`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    expect(answer.status).toBe(200);
    expect(bench.control.snapshot.experiments.get('ranking')?.status).toBe('killed');
  });

  test('that is taken is an error, not a wait', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as { port: number };
    await expect(listen(bench.app, { kind: 'tcp', host: '127.0.0.1', port })).rejects.toThrow('EADDRINUSE');
    other.close();
  });

  test('is closed without waiting for idle connections', async () => {
    const port = await listen(bench.app, { kind: 'tcp', host: '127.0.0.1', port: 0 });
    const socket = connect(port, '127.0.0.1');
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.write('GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await new Promise((resolve) => socket.once('data', resolve));
    await bench.app.close();
    await closed;
  });
});

describe('a unix socket', () => {
  test('answers, wants the token as well, and is for its owner only', async () => {
    const path = join(folder, 'admin.sock');
    await listen(bench.app, { kind: 'unix', path });
    expect(await askSocket(path)).toBe(200);
    const kill = { method: 'POST', url: '/v1/experiments/ranking:kill' };
    expect(await askSocket(path, kill)).toBe(401);
    expect(await askSocket(path, { ...kill, headers: { authorization: `Bearer ${TOKEN}` } })).toBe(200);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test('left by a dead process is replaced', async () => {
    const path = join(folder, 'admin.sock');
    // A listener in a child that is killed leaves its socket behind.
    const { spawnSync } = await import('node:child_process');
    const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', script]);
    expect(statSync(path).isSocket()).toBe(true);
    await listen(bench.app, { kind: 'unix', path });
    expect(await askSocket(path)).toBe(200);
  });

  test('that another process answers on is left alone', async () => {
    const path = join(folder, 'admin.sock');
    const other = createServer((socket) => socket.destroy()).listen(path);
    await new Promise((resolve) => other.once('listening', resolve));
    await expect(listen(bench.app, { kind: 'unix', path })).rejects.toThrow('EADDRINUSE');
    other.close();
  });

  test('is never made in place of a file', async () => {
    const path = join(folder, 'notes.txt');
    writeFileSync(path, 'precious');
    await expect(listen(bench.app, { kind: 'unix', path })).rejects.toThrow('EADDRINUSE');
    expect(statSync(path).isFile()).toBe(true);
  });
});

test('a bug of ours is 500 without its details, which are in the log', async () => {
  bench.plane.upstreams = () => {
    throw new Error('secret detail');
  };
  const answer = await bench.app.inject({ url: '/v1/upstreams', headers: { host: 'localhost' } });
  expect(answer.statusCode).toBe(500);
  expect(answer.json()).toMatchObject({ code: 'internal' });
  expect(answer.body).not.toContain('secret detail');
  expect(bench.sentences).toEqual(['error: the admin API failed; this is a bug']);
});
