/** The PROXY protocol on listeners: whose address goes upstream, what is refused, with TLS behind it, and HAProxy. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { forwardPlane, MINUTE_MS } from '../support/forward-clock.ts';
import { freePort } from '../support/free-ports.ts';
import { field } from '../support/message.ts';
import { answer, get, ok, type Upstream, useRig } from '../support/rig.ts';
import { handshakeFailures, hasOpenssl, tlsListener, tlsSocket, useCertificates } from '../support/tls.ts';
import { hasTools } from '../support/tools.ts';

const rig = useRig();
const certificates = useCertificates();

const V1 = 'PROXY TCP4 203.0.113.7 10.0.0.1 49152 443\r\n';
const V2_HEAD = '\r\n\r\n\0\r\nQUIT\n';
const V2 = `${V2_HEAD}\x21\x11\x00\x0c\xcb\x00\x71\x07\x0a\x00\x00\x01\xc0\x00\x01\xbb`;
const V2_LOCAL = `${V2_HEAD}\x20\x00\x00\x00`;

async function proxied(settings: object = {}, listener: object = {}) {
  const upstream = await rig.upstream(({ socket, startLine }) => socket.write(ok(startLine.split(' ')[1]!)));
  const proxy = await rig.plane([upstream.endpoint], {
    listeners: [{ name: 'inbound', address: '127.0.0.1:0', proxyProtocol: true, ...listener }],
    ...settings,
  });
  const failures = (reason: string) =>
    proxy.plane.metrics.connections.headerFailures('inbound', reason).value;
  return { proxy, port: proxy.port, upstream, failures };
}

async function forwardedFor(upstream: Upstream, n = 0): Promise<string | null> {
  return field(await upstream.request(n), 'x-forwarded-for');
}

describe('a listener behind a load balancer', () => {
  it.each([
    ['version 1', V1, '203.0.113.7'],
    ['version 2', V2, '203.0.113.7'],
    ['IPv6', 'PROXY TCP6 2001:db8::1 ::1 49152 443\r\n', '2001:db8::1'],
    ['a health check of version 2', V2_LOCAL, '127.0.0.1'],
    ['a health check of version 1', 'PROXY UNKNOWN\r\n', '127.0.0.1'],
  ])('says upstream whose request it is: %s', async (_, header, address) => {
    const { port, upstream } = await proxied();
    const client = rig.client(port).send(header + get('/1') + get('/2'));
    expect((await answer(client)).body).toBe('/1');
    expect((await answer(client)).body).toBe('/2');
    expect((await answer(client.send(get('/3')))).body).toBe('/3');
    for (const n of [0, 1, 2]) expect(await forwardedFor(upstream, n)).toBe(address);
  });

  it('takes the header and what follows in any pieces', async () => {
    const { port, upstream } = await proxied();
    const text = V1 + get('/piece');
    const slow = rig.client(port);
    for (const byte of text) await slow.sent(byte);
    expect((await answer(slow)).body).toBe('/piece');
    const apart = rig.client(port);
    await apart.sent(V2.slice(0, 14));
    await apart.sent(V2.slice(14));
    expect((await answer(apart.send(get('/apart')))).body).toBe('/apart');
    expect(await forwardedFor(upstream, 1)).toBe('203.0.113.7');
  });

  it('loses no byte of a large body that comes right behind the header', async () => {
    const { port, upstream } = await proxied();
    const body = 'abcdefghij'.repeat(20_000);
    const client = rig.client(port);
    client.send(`${V2}POST /large HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    expect((await answer(client)).body).toBe('/large');
    expect((await upstream.request()).body).toBe(body);
  });

  it('takes the header in ways of reading both', async () => {
    const { port, upstream } = await proxied({ nodeInternals: false });
    expect((await answer(rig.client(port).send(V1 + get('/plain')))).body).toBe('/plain');
    expect(await forwardedFor(upstream)).toBe('203.0.113.7');
  });

  it('puts the balancer at the end of what the client says itself', async () => {
    const { port, upstream } = await proxied();
    await answer(rig.client(port).send(V1 + get('/', 'X-Forwarded-For: 198.51.100.1\r\n')));
    expect(await forwardedFor(upstream)).toBe('198.51.100.1, 203.0.113.7');
  });
});

describe('a connection without a proper header', () => {
  it.each([
    ['a request', get()],
    ['a malformed line', 'PROXY TCP4 1.2.3.4\r\n'],
    ['a line that is too long', `PROXY UNKNOWN ${'x'.repeat(100)}\r\n`],
    ['a TLS handshake', '\x16\x03\x01\x02\x00\x01'],
  ])('is closed without an answer: %s', async (_, text) => {
    const { proxy, port, upstream, failures } = await proxied();
    const client = rig.client(port).send(text);
    await client.until(() => client.isClosed || client.isEnded);
    expect(client.text).toBe('');
    expect(upstream.requests).toHaveLength(0);
    expect(failures('malformed')).toBe(1);
    expect(proxy.plane.listeners[0]!.open).toBe(0);
  });

  it('is closed when its time is up', async () => {
    const listeners = [{ name: 'inbound', address: '127.0.0.1:0', proxyProtocol: true }];
    const proxy = await forwardPlane(rig, ['127.0.0.1:1'], { listeners, timeouts: { requestHead: '1h' } });
    const client = rig.client(proxy.port).send('PROXY TCP4 203.0.113.7');
    await expect.poll(() => proxy.plane.listeners[0]!.open).toBe(1);
    await proxy.forward(60 * MINUTE_MS);
    await client.until(() => client.isClosed || client.isEnded);
    expect(proxy.plane.metrics.connections.headerFailures('inbound', 'timeout').value).toBe(1);
  });

  it('is counted when it ends within the header, and not when it never began: that is a port check', async () => {
    const { proxy, port, failures } = await proxied();
    for (const text of ['', 'PROXY TCP4']) {
      const client = rig.client(port);
      await once(client.socket, 'connect');
      client.socket.end(text);
      await client.until(() => client.isClosed || client.isEnded);
    }
    await expect.poll(() => failures('closed')).toBe(1);
    expect(failures('malformed')).toBe(0);
    expect(proxy.plane.listeners[0]!.open).toBe(0);
  });

  it('counts against the limit of connections until it is through', async () => {
    const { proxy, port } = await proxied({}, { connectionsMax: 1 });
    const first = rig.client(port);
    await first.sent('PROXY ');
    await expect.poll(() => proxy.plane.listeners[0]!.open).toBe(1);
    expect((await answer(rig.client(port))).problem?.code).toBe('overloaded');
    expect((await answer(first.send(V1.slice(6) + get('/first')))).body).toBe('/first');
  });
});

describe.skipIf(!hasOpenssl)('TLS behind the header', () => {
  const tls = () => tlsListener(certificates.server, { proxyProtocol: true });

  it('is spoken after it, and the client keeps its address', async () => {
    const upstream = await rig.upstream(({ socket }) => socket.write(ok('secret')));
    const { port } = await rig.plane([upstream.endpoint], tls());
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    rig.also(() => socket.destroy());
    socket.write(V1);
    const client = rig.client(tlsSocket(rig, port, certificates.authority, { socket }));
    expect((await answer(client.send(get()))).body).toBe('secret');
    const request = await upstream.request();
    expect(field(request, 'x-forwarded-for')).toBe('203.0.113.7');
    expect(field(request, 'x-forwarded-proto')).toBe('https');
  });

  it('may begin in the same packet', async () => {
    const upstream = await rig.upstream(({ socket }) => socket.write(ok('glued')));
    const { port } = await rig.plane([upstream.endpoint], tls());
    const raw = connect({ port, host: '127.0.0.1' });
    rig.also(() => raw.destroy());
    const client = rig.client(
      tlsSocket(rig, port, certificates.authority, { socket: prefixed(raw, Buffer.from(V2, 'latin1')) }),
    );
    expect((await answer(client.send(get()))).body).toBe('glued');
    expect(await forwardedFor(upstream)).toBe('203.0.113.7');
  });

  it('is not begun without it', async () => {
    const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
    const proxy = await rig.plane([upstream.endpoint], tls());
    const client = rig.client(tlsSocket(rig, proxy.port, certificates.authority));
    await client.until(() => client.isClosed || client.isEnded);
    expect(proxy.plane.metrics.connections.headerFailures('inbound', 'malformed').value).toBe(1);
    expect(handshakeFailures(proxy, 'closed')).toBe(0);
  });
});

/** Writes go to `raw`, the first of them behind `prefix` in one piece. */
function prefixed(raw: Socket, prefix: Buffer): Duplex {
  let isFirst = true;
  const duplex = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      raw.write(isFirst ? Buffer.concat([prefix, chunk]) : chunk, done);
      isFirst = false;
    },
    final(done) {
      raw.end(done);
    },
  });
  raw.on('data', (chunk) => duplex.push(chunk));
  raw.on('end', () => duplex.push(null));
  raw.on('error', () => duplex.destroy());
  return duplex;
}

describe.skipIf(!hasTools('haproxy') || !hasOpenssl)('HAProxy in front', () => {
  /** HAProxy on a free port, that passes everything to `port` in the way that `server` says. */
  async function haproxy(port: number, server: string): Promise<number> {
    const folder = mkdtempSync(join(tmpdir(), 'fairlead-haproxy-'));
    rig.also(() => rmSync(folder, { recursive: true, force: true }));
    const front = await freePort();
    const file = join(folder, 'haproxy.cfg');
    writeFileSync(
      file,
      [
        'defaults\n  mode tcp\n  timeout connect 50s\n  timeout client 50s\n  timeout server 50s',
        `frontend in\n  bind 127.0.0.1:${front}\n  default_backend out`,
        `backend out\n  server fairlead 127.0.0.1:${port} ${server}\n`,
      ].join('\n'),
    );
    const child = spawn('haproxy', ['-db', '-q', '-f', file], { stdio: 'ignore' });
    rig.also(() => new Promise((resolve) => child.once('exit', resolve).kill('SIGKILL')));
    await expect.poll(() => canConnect(front), { interval: 20, timeout: 20_000 }).toBe(true);
    return front;
  }

  it.each(['send-proxy', 'send-proxy-v2', 'send-proxy-v2 proxy-v2-options ssl,unique-id,crc32c'])(
    'with %s: the upstream sees the true client',
    async (server) => {
      const { port, upstream } = await proxied();
      const front = await haproxy(port, server);
      const socket = connect({ port: front, host: '127.0.0.1', localAddress: '127.0.0.77' });
      const client = rig.client(socket);
      expect((await answer(client.send(get('/through')))).body).toBe('/through');
      expect(await forwardedFor(upstream)).toBe('127.0.0.77');
    },
  );

  it('with TLS passed through, the upstream sees the true client as well', async () => {
    const { port, upstream, failures } = await proxied({}, { tls: certificates.server });
    const front = await haproxy(port, 'send-proxy-v2');
    const options = { localAddress: '127.0.0.78' };
    const client = rig.client(tlsSocket(rig, front, certificates.authority, options));
    expect((await answer(client.send(get('/tls')))).body).toBe('/tls');
    expect(await forwardedFor(upstream)).toBe('127.0.0.78');
    expect(failures('malformed')).toBe(0);
  });

  it('with health checks of its own: they pass, and are no failures', async () => {
    const { proxy, port, failures } = await proxied();
    await haproxy(port, 'send-proxy-v2 check check-send-proxy inter 50ms');
    const [listener] = proxy.plane.listeners;
    const before = listener!.accepted;
    await expect.poll(() => listener!.accepted).toBeGreaterThan(before + 3);
    expect([failures('malformed'), failures('timeout')]).toEqual([0, 0]);
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
