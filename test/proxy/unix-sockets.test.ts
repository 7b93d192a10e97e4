/** Unix sockets on both sides: requests, reuse and truncation, and the files that listeners leave and find. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { field } from '../support/message.ts';
import { answer, get, ok, useRig } from '../support/rig.ts';
import { hasOpenssl, run, tlsSocket, useCertificates } from '../support/tls.ts';
import { hasTools } from '../support/tools.ts';

const rig = useRig();
const certificates = useCertificates();
const folder = mkdtempSync(join(tmpdir(), 'fairlead-unix-'));
let path: string;
let number = 0;

beforeEach(() => {
  path = join(folder, `${number++}.sock`);
});
afterAll(() => rmSync(folder, { recursive: true }));

const listener = (more: object = {}) => ({
  listeners: [{ name: 'inbound', address: `unix:${path}`, ...more }],
});
const echoing = () => rig.upstream(({ socket, startLine }) => socket.write(ok(startLine.split(' ')[1]!)));

const client = () => {
  const socket = connect({ path, allowHalfOpen: true });
  return rig.client(socket);
};

describe('a listener on a unix socket', () => {
  it('serves requests, of clients without an address', async () => {
    const upstream = await echoing();
    await rig.plane([upstream.endpoint], { ...listener(), timeouts: { halfClosed: '30s' } });
    const from = client();
    expect((await answer(from.send(get('/1')))).body).toBe('/1');
    expect((await answer(from.send(get('/2')))).body).toBe('/2');
    expect(field(await upstream.request(), 'x-forwarded-for')).toBe('unknown');
    from.socket.end(get('/half-closed'));
    expect((await answer(from)).body).toBe('/half-closed');
  });

  it.skipIf(!hasTools('curl'))('is reached by curl --unix-socket', async () => {
    const upstream = await echoing();
    await rig.plane([upstream.endpoint], listener());
    const got = await run('curl', ['-sS', '--unix-socket', path, 'http://app/1', 'http://app/2']);
    expect(got).toEqual({ code: 0, output: '/1/2' });
  });

  it.each(['600', '0660', '777'])('has the file mode %s that is asked for', async (socketMode) => {
    await rig.plane(['127.0.0.1:1'], listener({ socketMode }));
    expect(statSync(path).mode & 0o777).toBe(Number.parseInt(socketMode, 8));
  });

  it('takes the place of a socket that a dead process left', async () => {
    const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('up'))`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(existsSync(path)).toBe(true);
    const upstream = await echoing();
    await rig.plane([upstream.endpoint], listener());
    expect((await answer(client().send(get('/alive')))).body).toBe('/alive');
  });

  it('does not start where somebody listens, and leaves them alone', async () => {
    const other = createServer((socket) => socket.on('error', () => {}).end('other'));
    await new Promise<void>((resolve) => other.listen(path, resolve));
    rig.also(() => other.close());
    await expect(rig.plane(['127.0.0.1:1'], listener())).rejects.toThrow('EADDRINUSE');
    const from = client();
    await from.ended();
    expect(from.text).toBe('other');
  });

  it('does not start where there is a file of another kind, and leaves it there', async () => {
    writeFileSync(path, 'precious');
    await expect(rig.plane(['127.0.0.1:1'], listener())).rejects.toThrow('EADDRINUSE');
    expect(existsSync(path)).toBe(true);
  });

  it('takes its file with it', async () => {
    const proxy = await rig.plane(['127.0.0.1:1'], listener());
    expect(existsSync(path)).toBe(true);
    expect(await proxy.plane.drain(1000)).toBe(0);
    expect(existsSync(path)).toBe(false);
  });

  it('takes the PROXY protocol, and with it the address of the client', async () => {
    const upstream = await echoing();
    await rig.plane([upstream.endpoint], listener({ proxyProtocol: true }));
    const from = client().send(`PROXY TCP4 203.0.113.7 10.0.0.1 1 2\r\n${get('/proxied')}`);
    expect((await answer(from)).body).toBe('/proxied');
    expect(field(await upstream.request(), 'x-forwarded-for')).toBe('203.0.113.7');
  });

  it.skipIf(!hasOpenssl)('speaks TLS', async () => {
    const upstream = await echoing();
    await rig.plane([upstream.endpoint], listener({ tls: certificates.server }));
    const socket = connect({ path, allowHalfOpen: true });
    const from = rig.client(tlsSocket(rig, 0, certificates.authority, { socket }));
    expect((await answer(from.send(get('/secure')))).body).toBe('/secure');
  });

  it('cuts off a response that breaks off', async () => {
    const upstream = await rig.upstream(({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc');
    });
    const { access } = await rig.plane([upstream.endpoint], listener());
    const from = client().send(get());
    await from.until((text) => text.endsWith('abc'));
    upstream.sockets[0]!.destroy();
    await from.until(() => from.isClosed || from.isEnded);
    expect(from.text).toMatch(/abc$/);
    expect(access).toMatchObject([{ code: 'upstream_aborted' }]);
  });
});

describe('an upstream on a unix socket', () => {
  /** A raw server at `path`; answers what each request asks for. */
  async function serving(onRequest: (text: string, connection: number) => string | null) {
    let connections = 0;
    const server = createServer((socket) => {
      const connection = connections++;
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        const response = onRequest(chunk.toString(), connection);
        if (response === null) socket.destroy();
        else socket.write(response);
      });
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    rig.also(() => server.close());
    return { count: () => connections };
  }

  it('is asked again and again on one connection', async () => {
    const server = await serving((_, connection) => ok(`on ${connection}`));
    const { port, plane } = await rig.plane([`unix:${path}`]);
    const from = rig.client(port);
    for (let i = 0; i < 5; i++) expect((await answer(from.send(get()))).body).toBe('on 0');
    expect(server.count()).toBe(1);
    expect(plane.upstreams()[0]!.endpoints[0]).toMatchObject({ open: 1, idle: 1, requests: 5 });
  });

  it('may be any HTTP server', async () => {
    const server = createHttpServer((request, response) => request.pipe(response));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    rig.also(() => server.close());
    const { port } = await rig.plane([`unix:${path}`]);
    const body = 'x'.repeat(300_000);
    const from = rig.client(port);
    from.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    expect((await answer(from)).body).toBe(body);
  });

  it('that closes an idle connection is asked on another', async () => {
    let isFirst = true;
    await serving((_, connection) => {
      if (connection > 0 || isFirst) {
        isFirst = false;
        return ok(`on ${connection}`);
      }
      return null;
    });
    const { port } = await rig.plane([`unix:${path}`]);
    const from = rig.client(port);
    expect((await answer(from.send(get()))).body).toBe('on 0');
    expect((await answer(from.send(get()))).body).toBe('on 1');
  });

  it('that breaks off costs an HTTP/1.0 client its connection, visibly', async () => {
    let breakOff = () => {};
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
        breakOff = () => socket.destroy();
      });
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    rig.also(() => server.close());
    const { port, access } = await rig.plane([`unix:${path}`]);
    const from = rig.client(port).send('GET / HTTP/1.0\r\n\r\n');
    await from.until((text) => text.includes('abc'));
    breakOff();
    await from.until(() => from.isClosed);
    expect(from.text).toMatch(/abc$/);
    expect(from.isReset).toBe(true);
    expect(access).toMatchObject([{ code: 'upstream_aborted' }]);
  });

  it('that is not there is a 502', async () => {
    const { port } = await rig.plane([`unix:${path}`]);
    expect((await answer(rig.client(port).send(get()))).problem?.code).toBe('upstream_connect_failed');
    const dead = createServer();
    await new Promise<void>((resolve) => dead.listen(path, resolve));
    dead.close();
    expect((await answer(rig.client(port).send(get()))).problem?.code).toBe('upstream_connect_failed');
  });
});
