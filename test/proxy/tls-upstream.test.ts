/** TLS to upstreams: who is believed, what is said of who is not, our own certificate, reuse, and bodies. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { UpstreamConnection } from '../../src/proxy/upstream.ts';
import { Writer } from '../../src/proxy/writer.ts';
import { Authority, type Issued } from '../support/certificates.ts';
import { hashOf, MIB, Sink, sendBody } from '../support/flow.ts';
import { answer, get, ok, post, useRig } from '../support/rig.ts';
import { hasOpenssl, useCertificates } from '../support/tls.ts';

const rig = useRig();
const certificates = useCertificates();

afterEach(() => {
  vi.restoreAllMocks();
});

const pem = ({ certificate, key }: Issued) => ({ cert: readFileSync(certificate), key: readFileSync(key) });

/** A TLS server that answers every request with `respond`; on a free port, or at a path. */
async function serving(
  options: TlsOptions = {},
  respond: (socket: TLSSocket) => void = (socket) => void socket.write(ok()),
  path?: string,
) {
  const sockets: TLSSocket[] = [];
  /** Of each connection: whether it went on with a session, and the common name of our certificate. */
  const resumed: boolean[] = [];
  const shown: unknown[] = [];
  const server = createServer({ ...pem(certificates.server), ...options }, (socket) => {
    sockets.push(socket);
    resumed.push(socket.isSessionReused());
    shown.push(socket.getPeerCertificate().subject?.CN);
    socket.on('error', () => {});
    socket.on('data', () => respond(socket));
  });
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) =>
    path === undefined ? server.listen(0, '127.0.0.1', resolve) : server.listen(path, resolve),
  );
  rig.also(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    sockets,
    resumed,
    shown,
    port,
    endpoint: path === undefined ? `127.0.0.1:${port}` : `unix:${path}`,
  };
}

const upstreamTls = (endpoints: string | readonly string[], tls: object | true = {}) => ({
  upstreams: {
    app: {
      endpoints: typeof endpoints === 'string' ? [endpoints] : endpoints,
      tls: tls === true ? true : { ca: certificates.authority.certificate, ...tls },
    },
  },
});

const planeFor = (endpoints: string | readonly string[], tls: object | true = {}, more: object = {}) =>
  rig.plane([], { ...upstreamTls(endpoints, tls), ...more });

/** What the client is told: the detail of a 502 `upstream_tls_failed`. */
async function refusal(endpoint: string, tls: object | true = {}): Promise<string> {
  const { port } = await planeFor(endpoint, tls);
  const got = await answer(rig.client(port).send(get()));
  const problem = got.problem as { code?: string; detail?: string } | null;
  expect([got.status, problem?.code]).toEqual([502, 'upstream_tls_failed']);
  return problem?.detail ?? '';
}

describe.skipIf(!hasOpenssl)('an upstream with TLS', () => {
  it('is asked again and again on one connection', async () => {
    const upstream = await serving();
    const { port, plane } = await planeFor(upstream.endpoint);
    const client = rig.client(port);
    for (let i = 0; i < 5; i++) expect((await answer(client.send(get()))).status).toBe(200);
    expect(upstream.sockets).toHaveLength(1);
    expect(upstream.sockets[0]!.alpnProtocol).toBe(false);
    expect(plane.upstreams()[0]!.endpoints[0]).toMatchObject({ open: 1, idle: 1, requests: 5 });
  });

  it('hears the name it is asked for, and HTTP/1.1', async () => {
    const upstream = await serving({ ALPNProtocols: ['h2', 'http/1.1'] });
    const { port } = await planeFor(`localhost:${upstream.port}`);
    await answer(rig.client(port).send(get()));
    expect(upstream.sockets[0]!.servername).toBe('localhost');
    expect(upstream.sockets[0]!.alpnProtocol).toBe('http/1.1');
    const other = await serving();
    const byName = await planeFor(other.endpoint, { serverName: 'localhost' });
    await answer(rig.client(byName.port).send(get()));
    expect(other.sockets[0]!.servername).toBe('localhost');
  });

  it('may be any HTTPS server, and gets large bodies both ways', async () => {
    const length = 20 * MIB + 12_345;
    const server = createHttpsServer(pem(certificates.server), (request, response) => request.pipe(response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    rig.also(() => server.close());
    const { port } = await planeFor(`127.0.0.1:${(server.address() as AddressInfo).port}`);
    const socket = rig.socket(port);
    const sink = new Sink();
    socket.on('data', (chunk) => sink.take(chunk));
    socket.write(`POST / HTTP/1.0\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`);
    const ended = once(socket, 'end');
    await sendBody(socket, length).done;
    await ended;
    expect(sink.bytes).toBe(length);
    expect(sink.digest()).toBe(hashOf(length));
  });

  it('is read again by the next request when the last answer ended while its client took nothing', async () => {
    const body = 'b'.repeat(48 * 1024);
    const upstream = await serving({}, (socket) => void socket.write(ok(body)));
    const { port, plane } = await planeFor(upstream.endpoint);
    const client = rig.client(port);
    expect((await answer(client.send(get()))).body).toBe(body);
    // The client's socket is full after the first of several records that are decrypted together.
    const write = Writer.prototype.writeTogether;
    const pause = vi.spyOn(UpstreamConnection.prototype, 'pause');
    vi.spyOn(Writer.prototype, 'writeTogether').mockImplementationOnce(function (this: Writer, head, piece) {
      write.call(this, head, piece);
      return false;
    });
    expect((await answer(client.send(get()))).body).toBe(body);
    expect(pause).toHaveBeenCalledOnce();
    expect((await answer(client.send(get()))).body).toBe(body);
    expect(upstream.sockets).toHaveLength(1);
    // And its end is seen.
    upstream.sockets[0]!.end();
    await expect.poll(() => plane.upstreams()[0]!.endpoints[0]).toMatchObject({ open: 0 });
  });

  it('may be on a unix socket, under a name', async () => {
    const upstream = await serving({}, undefined, join(certificates.folder, 'up.sock'));
    const { port } = await planeFor(upstream.endpoint, { serverName: 'localhost' });
    expect((await answer(rig.client(port).send(get()))).status).toBe(200);
    expect(await refusal(upstream.endpoint, { serverName: 'other.test' })).toContain('not for other.test');
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'is connected again with the session of before: %s',
    async (version) => {
      const upstream = await serving({ maxVersion: version }, (socket) =>
        socket.write(ok('x', 'Connection: close\r\n')),
      );
      const { port } = await planeFor(upstream.endpoint);
      const client = rig.client(port);
      for (let i = 0; i < 3; i++) await answer(client.send(get()));
      expect(upstream.resumed).toEqual([false, true, true]);
    },
  );

  it('that breaks off in the middle costs the client its connection', async () => {
    const upstream = await serving({}, (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc');
    });
    const { port, access } = await planeFor(upstream.endpoint);
    const client = rig.client(port).send(get());
    await client.until((text) => text.endsWith('abc'));
    upstream.sockets[0]!.destroy();
    await client.until(() => client.isEnded || client.isClosed);
    expect(client.text).toMatch(/abc$/);
    expect(access).toMatchObject([{ code: 'upstream_aborted' }]);
  });

  it('that closed an idle connection is asked on another', async () => {
    const upstream = await serving();
    const { port } = await planeFor(upstream.endpoint);
    const client = rig.client(port);
    await answer(client.send(get()));
    upstream.sockets[0]!.end();
    expect((await answer(client.send(get()))).status).toBe(200);
    expect(upstream.sockets).toHaveLength(2);
  });
});

describe.skipIf(!hasOpenssl)('an upstream that is not who it should be', () => {
  it('is refused with a certificate that has expired', async () => {
    const { endpoint } = await serving(pem(certificates.authority.issue('old', { days: -1 })));
    expect(await refusal(endpoint)).toBe('The certificate of the upstream has expired.');
  });

  it('is refused with a certificate for another name, and told which was expected', async () => {
    const { port } = await serving(pem(certificates.authority.issue('b', { names: ['DNS:b.test'] })));
    expect(await refusal(`127.0.0.1:${port}`)).toBe('The certificate of the upstream is not for 127.0.0.1.');
    expect(await refusal(`localhost:${port}`)).toBe('The certificate of the upstream is not for localhost.');
    expect(await refusal(`localhost:${port}`, { serverName: 'c.test' })).toContain('not for c.test.');
    const { port: right } = await planeFor(`localhost:${port}`, { serverName: 'b.test' });
    expect((await answer(rig.client(right).send(get()))).status).toBe(200);
  });

  it('is refused with a certificate that nobody vouches for', async () => {
    const sentence = 'The certificate of the upstream is not signed by an authority that is trusted here.';
    const { endpoint } = await serving();
    const stranger = new Authority(certificates.folder, 'stranger');
    expect(await refusal(endpoint, { ca: stranger.certificate })).toBe(sentence);
    // Without `ca` it is Node's own list that is trusted.
    expect(await refusal(endpoint, true)).toBe(sentence);
  });

  it('is refused when it has none of the names that are listed, whatever its host', async () => {
    const names = ['URI:spiffe://shop/ns/prod/sa/app', 'DNS:localhost', 'IP:127.0.0.1'];
    const { endpoint } = await serving(pem(certificates.authority.issue('spiffe', { names })));
    const { port } = await planeFor(endpoint, {
      subjectAltNames: ['spiffe://shop/other', 'spiffe://shop/ns/prod/sa/app'],
    });
    expect((await answer(rig.client(port).send(get()))).status).toBe(200);
    expect(await refusal(endpoint, { subjectAltNames: ['spiffe://shop/ns/prod'] })).toBe(
      'The certificate of the upstream is not for spiffe://shop/ns/prod.',
    );
    expect(await refusal(endpoint, { subjectAltNames: ['a.test', 'b.test'] })).toContain('a.test or b.test');
  });

  it('is refused whatever the environment says', async () => {
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    const { endpoint } = await serving(pem(certificates.authority.issue('old', { days: -1 })));
    expect(await refusal(endpoint)).toContain('has expired');
  });
  afterEach(() => {
    delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  });

  it('is refused when it speaks only what is too old', async () => {
    const { endpoint } = await serving({ maxVersion: 'TLSv1.2' });
    expect(await refusal(endpoint, { minVersion: '1.3' })).toMatch(
      /refused the TLS handshake: protocol version/,
    );
  });

  it('is refused when it does not speak TLS, or hangs up', async () => {
    const plain = await rig.upstream(
      () => {},
      (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'),
    );
    expect(await refusal(plain.endpoint)).toBe('The upstream does not speak TLS on this port.');
    const rude = await rig.upstream(
      () => {},
      (socket) => socket.end(),
    );
    expect(await refusal(rude.endpoint)).toBe('The upstream closed the connection during the TLS handshake.');
  });

  it('is another failure when nobody is there, or nobody answers in time', async () => {
    const silent = createTcpServer();
    const sockets: Socket[] = [];
    silent.on('connection', (socket) => sockets.push(socket));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    rig.also(() => {
      silent.close();
      for (const socket of sockets) socket.destroy();
    });
    const hanging = await planeFor(
      `127.0.0.1:${(silent.address() as AddressInfo).port}`,
      {},
      { timeouts: { connect: '200ms' } },
    );
    const code = async (port: number) => (await answer(rig.client(port).send(get()))).problem?.code;
    expect(await code(hanging.port)).toBe('upstream_connect_timeout');
    const { port } = await planeFor('127.0.0.1:1');
    expect(await code(port)).toBe('upstream_connect_failed');
  });

  it('is passed over for another endpoint, also by a request that may not be repeated', async () => {
    const bad = await serving(pem(certificates.authority.issue('old', { days: -1 })));
    const good = await serving();
    const { port } = await planeFor([bad.endpoint, good.endpoint]);
    const client = rig.client(port);
    for (let i = 0; i < 4; i++) expect((await answer(client.send(post('x')))).status).toBe(200);
  });
});

describe.skipIf(!hasOpenssl)('our own certificate', () => {
  const demanding = () =>
    serving({ requestCert: true, rejectUnauthorized: true, ca: certificates.authority.pem });

  it('is shown to an upstream that asks for it', async () => {
    const upstream = await demanding();
    const { certificate, key } = certificates.authority.issue('sidecar', {
      names: ['URI:spiffe://shop/sidecar'],
    });
    const { port } = await planeFor(upstream.endpoint, { certificate, key });
    expect((await answer(rig.client(port).send(get()))).status).toBe(200);
    expect(upstream.sockets[0]!.getPeerX509Certificate()?.subjectAltName).toBe('URI:spiffe://shop/sidecar');
  });

  it.each(['TLSv1.3', 'TLSv1.2'] as const)('that is missing is said to be: %s', async (maxVersion) => {
    const upstream = await serving({
      requestCert: true,
      rejectUnauthorized: true,
      ca: certificates.authority.pem,
      maxVersion,
    });
    const detail = maxVersion === 'TLSv1.3' ? 'certificate required' : 'handshake failure';
    expect(await refusal(upstream.endpoint)).toBe(`The upstream refused the TLS handshake: ${detail}.`);
  });

  it('is shown by new connections once it is rotated, and idle ones of before are closed', async () => {
    const upstream = await demanding();
    const sidecar = certificates.authority.issue('sidecar', { commonName: 'first' });
    const { port, plane, reload } = await planeFor(upstream.endpoint, sidecar);
    const client = rig.client(port);
    await answer(client.send(get()));
    certificates.authority.issue('sidecar', { commonName: 'second' });
    reload(JSON.stringify({ version: 1, ...upstreamTls(upstream.endpoint, sidecar) }));
    await answer(client.send(get()));
    expect(upstream.shown).toEqual(['first', 'second']);
    if (!upstream.sockets[0]!.destroyed) await once(upstream.sockets[0]!, 'close');
    expect(plane.upstreams()[0]!.endpoints[0]).toMatchObject({ open: 1, idle: 1 });
    reload(JSON.stringify({ version: 1, ...upstreamTls(upstream.endpoint, sidecar) }));
    await answer(client.send(get()));
    expect(upstream.sockets).toHaveLength(2);
  });
});
