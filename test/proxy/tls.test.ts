/** TLS on listeners: curl, openssl and Node as clients, every way a handshake can fail, and what becomes of bodies. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Authority } from '../support/certificates.ts';
import { hashOf, MIB, Sink, sendBody } from '../support/flow.ts';
import { forwardPlane, MINUTE_MS } from '../support/forward-clock.ts';
import { field } from '../support/message.ts';
import { answer, get, ok, useRig } from '../support/rig.ts';
import {
  handshakeFailures,
  hasOpenssl,
  run,
  tlsListener,
  tlsSocket,
  useCertificates,
} from '../support/tls.ts';
import { hasTools } from '../support/tools.ts';

const rig = useRig();
const certificates = useCertificates();

const echoing = () => rig.upstream(({ socket, startLine }) => socket.write(ok(startLine.split(' ')[1]!)));

/** A plane with one TLS listener, in front of an upstream that echoes the target. */
async function secure(tls: object = {}, settings: object = {}) {
  const upstream = await echoing();
  const proxy = await rig.plane([upstream.endpoint], {
    ...tlsListener({ ...certificates.server, ...tls }),
    ...settings,
  });
  return { ...proxy, proxy, upstream };
}

const read = (file: string) => readFileSync(file, 'utf8');
const tlsClient = (port: number, options = {}) =>
  rig.client(tlsSocket(rig, port, certificates.authority, options));

describe.skipIf(!hasOpenssl)('a TLS listener', () => {
  it('serves requests on one connection, and says upstream that they came by https', async () => {
    const { port, upstream } = await secure();
    const client = tlsClient(port);
    for (const target of ['/1', '/2', '/3'])
      expect((await answer(client.send(get(target)))).body).toBe(target);
    expect(upstream.sockets).toHaveLength(1);
    const request = await upstream.request(2);
    expect(field(request, 'x-forwarded-proto')).toBe('https');
    expect(field(request, 'x-forwarded-for')).toBe('127.0.0.1');
  });

  it.skipIf(!hasTools('curl'))('is what curl takes for HTTPS, with TLS 1.3 and 1.2', async () => {
    const { port } = await secure();
    const url = `https://localhost:${port}`;
    const ca = ['-sS', '--max-time', '50', '--cacert', certificates.authority.certificate];
    const both = await run('curl', [
      ...ca,
      '-w',
      ' %{http_version} %{num_connects} ',
      `${url}/1`,
      `${url}/2`,
    ]);
    expect(both).toEqual({ code: 0, output: '/1 1.1 1 /2 1.1 0 ' });
    expect(await run('curl', [...ca, '--tls-max', '1.2', `${url}/3`])).toEqual({ code: 0, output: '/3' });
    const stranger = new Authority(certificates.folder, 'stranger').certificate;
    expect((await run('curl', ['-sS', '--cacert', stranger, url])).code).toBe(60);
  });

  it('moves large bodies both ways unchanged, at once', async () => {
    const length = 20 * MIB + 12_345;
    const server = createServer((request, response) => request.pipe(response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    rig.also(() => server.close());
    const endpoint = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { port } = await rig.plane([endpoint], tlsListener(certificates.server));
    const socket = tlsSocket(rig, port, certificates.authority);
    const sink = new Sink();
    socket.on('data', (chunk) => sink.take(chunk));
    // Without chunks, so that what comes back is the body and nothing else.
    socket.write(`POST / HTTP/1.0\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`);
    const ended = once(socket, 'end');
    await sendBody(socket, length).done;
    await ended;
    expect(sink.bytes).toBe(length);
    expect(sink.digest()).toBe(hashOf(length));
  });

  it('still answers a client that has closed its sending side', async () => {
    const { port } = await secure({}, { timeouts: { halfClosed: '30s' } });
    const socket = tlsSocket(rig, port, certificates.authority);
    const client = rig.client(socket);
    await once(socket, 'secureConnect');
    socket.end(get('/half'));
    expect((await answer(client)).body).toBe('/half');
    await client.ended();
  });

  it('shows the certificate for the name that is asked for, an exact one first, and else the first', async () => {
    const { authority } = certificates;
    const wild = authority.issue('wild', { names: ['DNS:*.shop.test'] });
    const exact = authority.issue('exact', { names: ['DNS:api.shop.test', 'DNS:other.test'] });
    const { port } = await secure({ sni: [wild, exact] });
    const shown = async (servername: string) => {
      const socket = tlsSocket(rig, port, authority, { servername, checkServerIdentity: () => undefined });
      await once(socket, 'secureConnect');
      return socket.getPeerCertificate().subject.CN;
    };
    expect(await shown('www.shop.test')).toBe('wild');
    expect(await shown('api.shop.test')).toBe('exact');
    expect(await shown('OTHER.test')).toBe('exact');
    expect(await shown('localhost')).toBe('server');
    expect(await shown('unknown.test')).toBe('server');
    expect(await shown('a.b.shop.test')).toBe('server');
  });

  it('resumes sessions, without asking twice who the client is', async () => {
    const { authority } = certificates;
    const web = authority.issue('web', { names: ['URI:spiffe://shop/web'] });
    const sni = [authority.issue('named', { names: ['DNS:named.test'] })];
    const { port } = await secure({ sni, clientCertificate: 'required', clientCa: authority.certificate });
    for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
      for (const servername of ['localhost', 'named.test']) {
        const files = { servername, maxVersion, cert: read(web.certificate), key: read(web.key) };
        const first = tlsSocket(rig, port, authority, files);
        const session = once(first, 'session');
        await answer(rig.client(first).send(get('/1')));
        const again = tlsSocket(rig, port, authority, { ...files, session: (await session)[0] });
        expect((await answer(rig.client(again).send(get('/2')))).body).toBe('/2');
        expect(again.isSessionReused()).toBe(true);
      }
    }
  });
});

describe.skipIf(!hasOpenssl)('a response that breaks off', () => {
  /** Sends three bytes of a body of unknown length; the test breaks off when the client has them. */
  const breaking = () =>
    rig.upstream(({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
    });

  it('is reset, so that no client of HTTP/1.0 takes it for whole', async () => {
    const upstream = await breaking();
    const { port } = await rig.plane([upstream.endpoint], tlsListener(certificates.server));
    const client = tlsClient(port).send('GET / HTTP/1.0\r\n\r\n');
    await client.until((text) => text.includes('abc'));
    upstream.sockets[0]!.destroy();
    await client.until(() => client.isClosed);
    expect(client.isReset).toBe(true);
    expect(client.isEnded).toBe(false);
  });

  it.skipIf(!hasTools('curl'))('is an error for curl', async () => {
    const upstream = await breaking();
    const { port } = await rig.plane([upstream.endpoint], tlsListener(certificates.server));
    for (const version of ['-0', '--http1.1']) {
      const ca = ['--cacert', certificates.authority.certificate];
      const { code } = await run(
        'curl',
        ['-sSN', version, ...ca, `https://localhost:${port}/`],
        '',
        (text) => {
          if (text.startsWith('abc')) upstream.sockets.at(-1)!.destroy();
        },
      );
      expect([version, code]).toEqual([version, version === '-0' ? 56 : expect.toBeOneOf([18, 56])]);
    }
  });
});

describe.skipIf(!hasOpenssl)('a handshake', () => {
  const sClient = (port: number, ...args: string[]) =>
    run('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', 'localhost', ...args], 'Q\n');

  it('of a client that speaks only HTTP/2 fails with an alert that says so', async () => {
    const { port, proxy } = await secure();
    expect((await sClient(port, '-alpn', 'h2')).output).toContain('alert no application protocol');
    await expect.poll(() => handshakeFailures(proxy, 'alpn')).toBe(1);
    expect((await sClient(port, '-alpn', 'h2,http/1.1')).output).toContain('ALPN protocol: http/1.1');
    expect((await sClient(port)).output).toContain('No ALPN negotiated');
  });

  it('with TLS 1.1 fails, and with 1.2 where 1.3 is the least', async () => {
    const { port, proxy } = await secure();
    const old = await sClient(port, '-tls1_1', '-cipher', 'DEFAULT@SECLEVEL=0');
    expect(old.output).toContain('alert protocol version');
    await expect.poll(() => handshakeFailures(proxy, 'version')).toBe(1);
    const strict = await secure({ minVersion: '1.3' });
    expect((await sClient(strict.port, '-tls1_2')).output).toContain('alert protocol version');
    expect((await sClient(strict.port)).output).toContain('TLSv1.3');
  });

  it('that is a plain request ends at once', async () => {
    const { port, proxy } = await secure();
    const client = rig.client(port).send(get());
    await client.until(() => client.isClosed || client.isEnded);
    expect(client.text).not.toContain('HTTP/');
    await expect.poll(() => handshakeFailures(proxy, 'not-tls')).toBe(1);
    expect(proxy.plane.listeners[0]!.open).toBe(0);
  });

  it('that the client breaks off, since it does not trust us, is counted as that', async () => {
    const { port, proxy } = await secure();
    await sClient(port, '-verify_return_error', '-CAfile', certificates.server.certificate);
    await expect.poll(() => handshakeFailures(proxy, 'refused-by-client')).toBe(1);
  });

  it('that is not finished in time is cut off; until then it counts as a connection', async () => {
    const listener = tlsListener(certificates.server, { connectionsMax: 1 });
    const upstream = await echoing();
    const settings = { ...listener, timeouts: { requestHead: '1h' } };
    const proxy = await forwardPlane(rig, [upstream.endpoint], settings);
    const [listening] = proxy.plane.listeners;
    const slow = rig.client(proxy.port);
    await once(slow.socket, 'connect');
    // The first half of a ClientHello.
    slow.socket.write(Buffer.from('1603010200010001fc0303', 'hex'));
    await expect.poll(() => listening!.open).toBe(1);
    const second = rig.client(proxy.port);
    await second.until(() => second.isClosed || second.isEnded);
    expect(proxy.plane.metrics.counters.connectionsRefused.value).toBe(1);
    await proxy.forward(60 * MINUTE_MS);
    await slow.until(() => slow.isClosed || slow.isEnded);
    expect(handshakeFailures(proxy, 'timeout')).toBe(1);
    expect(listening!.open).toBe(0);
    expect((await answer(tlsClient(proxy.port).send(get('/next')))).body).toBe('/next');
  });

  it('that was never begun is a port check, and no failure', async () => {
    const { port, proxy } = await secure();
    const check = connect({ port, host: '127.0.0.1' });
    check.on('error', () => {});
    await once(check, 'connect');
    check.end();
    await once(check, 'close');
    await expect.poll(() => proxy.plane.listeners[0]!.open).toBe(0);
    expect(handshakeFailures(proxy, 'closed')).toBe(0);
    const halfway = rig.client(port);
    halfway.socket.end(Buffer.from('1603010200010001fc0303', 'hex'));
    await expect.poll(() => handshakeFailures(proxy, 'closed')).toBe(1);
    expect(proxy.plane.listeners[0]!.open).toBe(0);
  });

  it('does not keep a drain waiting', async () => {
    const { port, plane } = await secure();
    const socket = connect({ port, host: '127.0.0.1' });
    rig.also(() => socket.destroy());
    await once(socket, 'connect');
    await expect.poll(() => plane.listeners[0]!.open).toBe(1);
    expect(await plane.drain(10_000)).toBe(0);
    expect(plane.listeners[0]!.open).toBe(0);
  });
});
