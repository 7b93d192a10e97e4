/** Peers that are not ours: curl and node:http as clients, node:http and nginx as upstreams, when they are installed. */
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { freePort } from '../support/free-ports.ts';
import { useRig } from '../support/rig.ts';
import { hasTools } from '../support/tools.ts';

const rig = useRig();
const hasCurl = hasTools('curl');
const hasNginx = hasTools('nginx');

const BIG = Buffer.alloc(7_000_001, createHash('sha256').update('big').digest());
const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

/** A node:http server: answers with what it got, or as its path says. */
async function nodeUpstream(): Promise<string> {
  const server = createServer((incoming: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk) => chunks.push(chunk));
    incoming.on('end', () => {
      const body = Buffer.concat(chunks);
      if (incoming.url === '/big') return response.end(BIG);
      if (incoming.url === '/chunked') {
        response.writeHead(200, { trailer: 'x-sum' });
        response.write('one ');
        response.write('two');
        response.addTrailers({ 'x-sum': '7' });
        return response.end();
      }
      if (incoming.url === '/hints') {
        return response.writeEarlyHints({ link: '</a.css>; rel=preload' }, () => response.end('hinted'));
      }
      if (incoming.url === '/none') return response.writeHead(204).end();
      response.setHeader('x-digest', digest(body));
      response.setHeader('x-trailers', JSON.stringify(incoming.trailers));
      response.end(`${incoming.method} ${body.length} ${incoming.headers['transfer-encoding'] ?? 'plain'}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  rig.also(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
}

interface Result {
  readonly response: IncomingMessage;
  readonly body: Buffer;
}

function ask(
  agent: Agent,
  port: number,
  path: string,
  method = 'GET',
  body?: Buffer | readonly Buffer[],
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ agent, port, host: '127.0.0.1', path, method }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve({ response, body: Buffer.concat(chunks) }));
      response.on('error', reject);
    });
    outgoing.on('error', reject);
    if (Array.isArray(body)) {
      for (const part of body) outgoing.write(part);
      outgoing.addTrailers({ 'x-check': 'yes' });
      outgoing.end();
    } else outgoing.end(body);
  });
}

describe('node:http at both ends', () => {
  it('gets every body through, both ways, on one connection', async () => {
    const { port, plane } = await rig.plane([await nodeUpstream()]);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    rig.also(() => agent.destroy());
    expect((await ask(agent, port, '/')).body.toString()).toBe('GET 0 plain');
    expect((await ask(agent, port, '/', 'HEAD')).response.headers['x-digest']).toBe(digest(Buffer.alloc(0)));
    expect((await ask(agent, port, '/none')).response.statusCode).toBe(204);
    const put = await ask(agent, port, '/', 'PUT', BIG);
    expect([put.body.toString(), put.response.headers['x-digest']]).toEqual([
      'PUT 7000001 plain',
      digest(BIG),
    ]);
    const post = await ask(agent, port, '/', 'POST', [BIG.subarray(0, 3_000_000), BIG.subarray(3_000_000)]);
    expect([post.body.toString(), post.response.headers['x-digest']]).toEqual([
      'POST 7000001 chunked',
      digest(BIG),
    ]);
    expect(post.response.headers['x-trailers']).toBe('{"x-check":"yes"}');
    expect(digest((await ask(agent, port, '/big')).body)).toBe(digest(BIG));
    const chunked = await ask(agent, port, '/chunked');
    expect([chunked.body.toString(), chunked.response.trailers]).toEqual(['one two', { 'x-sum': '7' }]);
    expect(plane.listeners[0]!.connections.size).toBe(1);
    expect(plane.upstreams()[0]!.endpoints[0]).toMatchObject({ open: 1, idle: 1, requests: 7 });
  });

  it('gets early hints through', async () => {
    const { port } = await rig.plane([await nodeUpstream()]);
    const agent = new Agent();
    const hints: unknown[] = [];
    const body = await new Promise<string>((resolve, reject) => {
      const outgoing = request({ agent, port, host: '127.0.0.1', path: '/hints' }, (response) => {
        response.on('data', (chunk) => resolve(String(chunk)));
      });
      outgoing.on('information', ({ statusCode, headers }) => hints.push([statusCode, headers.link]));
      outgoing.on('error', reject);
      outgoing.end();
    });
    expect([hints, body]).toEqual([[[103, '</a.css>; rel=preload']], 'hinted']);
  });

  it('survives a crowd: 50 connections, 2,000 requests, each with its own answer', async () => {
    const { port } = await rig.plane([await nodeUpstream()]);
    const agent = new Agent({ keepAlive: true, maxSockets: 50 });
    rig.also(() => agent.destroy());
    const bodies = await Promise.all(
      Array.from({ length: 2000 }, async (_, i) =>
        (await ask(agent, port, `/${i}`, 'POST', Buffer.alloc(i))).body.toString(),
      ),
    );
    expect(bodies).toEqual(Array.from({ length: 2000 }, (_, i) => `POST ${i} plain`));
  });
});

describe.skipIf(!hasCurl)('curl', () => {
  const curl = async (...args: string[]) =>
    (
      await promisify(execFile)('curl', ['-sS', '--max-time', '50', ...args], {
        encoding: 'buffer',
        maxBuffer: 64e6,
      })
    ).stdout;

  it('gets, heads, posts, uploads with Expect, speaks HTTP/1.0 and reuses its connection', async () => {
    const { port, plane } = await rig.plane([await nodeUpstream()]);
    const url = `http://127.0.0.1:${port}`;
    const directory = mkdtempSync(join(tmpdir(), 'fairlead-curl-'));
    rig.also(() => rmSync(directory, { recursive: true }));
    const file = join(directory, 'big');
    writeFileSync(file, BIG);
    expect(String(await curl(`${url}/`))).toBe('GET 0 plain');
    expect(String(await curl('-I', `${url}/`))).toMatch(/^HTTP\/1\.1 200 OK\r\nx-digest: [0-9a-f]{64}\r\n/);
    expect(String(await curl('-d', 'a=b', `${url}/`))).toBe('POST 3 plain');
    const upload = async (field: string) =>
      String(await curl('-T', file, '-H', field, `${url}/upload`)).slice(0, 100);
    expect(await upload('Expect: 100-continue')).toBe('PUT 7000001 plain');
    expect(await upload('Transfer-Encoding: chunked')).toBe('PUT 7000001 chunked');
    expect(String(await curl('-0', `${url}/chunked`))).toBe('one two');
    expect(digest(await curl('-0', `${url}/big`))).toBe(digest(BIG));
    expect(String(await curl('-w', '%{num_connects} ', `${url}/1`, `${url}/2`, `${url}/3`))).toBe(
      'GET 0 plain1 GET 0 plain0 GET 0 plain0 ',
    );
    expect(String(await curl('-x', url, 'http://shop.example/path'))).toBe('GET 0 plain');
    expect(plane.upstreams()[0]!.endpoints[0]!.connectFailures).toBe(0);
  });

  it('reads the 413 that comes while it is still uploading', async () => {
    const { port } = await rig.plane([await nodeUpstream()], { limits: { body: '1KiB' } });
    const directory = mkdtempSync(join(tmpdir(), 'fairlead-curl-'));
    rig.also(() => rmSync(directory, { recursive: true }));
    writeFileSync(join(directory, 'big'), BIG);
    const args = ['-T', join(directory, 'big'), '-H', 'Expect:', '-w', '%{http_code}', '-o', '/dev/null'];
    expect(String(await curl(...args, `http://127.0.0.1:${port}/`))).toBe('413');
  });

  it('reports a response that breaks off as incomplete (exit 18 or 56), in HTTP/1.0 as well', async () => {
    const upstream = await rig.upstream(({ socket }) =>
      socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'),
    );
    const { port } = await rig.plane([upstream.endpoint]);
    for (const version of ['-0', '--http1.1']) {
      const failed = await curl(version, `http://127.0.0.1:${port}/`).then(
        () => 0,
        ({ code }) => code,
      );
      expect([version, [18, 56].includes(failed)]).toEqual([version, true]);
    }
  });
});

describe.skipIf(!hasNginx)('nginx as the upstream', () => {
  it('is proxied: a large file, HEAD, 404, its own 413, and its limit of requests per connection', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'fairlead-nginx-'));
    rig.also(() => rmSync(directory, { recursive: true, force: true }));
    // Its workers are not us.
    chmodSync(directory, 0o755);
    mkdirSync(join(directory, 'www'));
    writeFileSync(join(directory, 'www', 'big'), BIG);
    const port = await freePort();
    writeFileSync(
      join(directory, 'nginx.conf'),
      `daemon off; worker_processes 1; pid ${directory}/pid; error_log ${directory}/error.log;
       events { worker_connections 64; }
       http { access_log off; keepalive_requests 5; keepalive_timeout 30s 7s; client_max_body_size 1k;
         client_body_temp_path ${directory}/body; proxy_temp_path ${directory}/proxy; fastcgi_temp_path ${directory}/f;
         uwsgi_temp_path ${directory}/u; scgi_temp_path ${directory}/s;
         server { listen 127.0.0.1:${port}; root ${directory}/www; location = /hello { return 200 hello; } } }`,
    );
    const nginx = spawn('nginx', ['-p', directory, '-c', join(directory, 'nginx.conf')], { stdio: 'ignore' });
    rig.also(() => new Promise((resolve) => nginx.once('exit', resolve).kill('SIGTERM')));
    await expect.poll(() => canConnect(port), { interval: 20, timeout: 20_000 }).toBe(true);
    const proxy = await rig.plane([`127.0.0.1:${port}`]);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    rig.also(() => agent.destroy());
    const big = await ask(agent, proxy.port, '/big');
    expect(digest(big.body)).toBe(digest(BIG));
    expect((await ask(agent, proxy.port, '/big', 'HEAD')).response.headers['content-length']).toBe('7000001');
    expect((await ask(agent, proxy.port, '/missing')).response.statusCode).toBe(404);
    const refused = await ask(agent, proxy.port, '/hello', 'POST', Buffer.alloc(5000));
    expect(refused.response.statusCode).toBe(413);
    // nginx closes each connection after five requests; nobody notices.
    for (let i = 0; i < 30; i++)
      expect((await ask(agent, proxy.port, '/hello')).body.toString()).toBe('hello');
    expect(proxy.access.every(({ status }) => status < 500)).toBe(true);
  });
});

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
