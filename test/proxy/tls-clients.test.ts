/** Client certificates: who is let in, who is refused and for what reason it is counted, and who an experiment sees. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Authority, type Issued } from '../support/certificates.ts';
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

const pem = ({ certificate, key }: Issued) => ({ cert: readFileSync(certificate), key: readFileSync(key) });

/** A plane that asks for client certificates, with an experiment that only `spiffe://shop/web` is in. */
async function asking(clientCertificate: 'required' | 'optional') {
  const { authority, server } = certificates;
  const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
  const proxy = await rig.plane([upstream.endpoint], {
    ...tlsListener({ ...server, clientCertificate, clientCa: authority.certificate }),
    routes: [{ name: 'all', upstream: 'app', experiments: ['ranking'] }],
    experiments: {
      ranking: {
        unit: { clientIdentity: true },
        targeting: [{ clientIdentity: true, in: ['spiffe://shop/web', 'batch'] }],
        variants: { control: { weight: '0%' }, candidate: { weight: '100%' } },
      },
    },
  });
  return { proxy, port: proxy.port, upstream };
}

const client = (port: number, options = {}) =>
  rig.client(tlsSocket(rig, port, certificates.authority, options));

/** What the upstream is told of the experiment: null when the client is not in it. */
async function experimentOf(
  { port, upstream }: Awaited<ReturnType<typeof asking>>,
  options: object,
): Promise<string | null> {
  const n = upstream.requests.length;
  await answer(client(port, options).send(get()));
  return field(await upstream.request(n), 'x-experiment');
}

/** Resolves when the connection is gone; no request got through on it. */
async function refused(
  { port, upstream }: Awaited<ReturnType<typeof asking>>,
  options: object,
): Promise<void> {
  const socket = tlsSocket(rig, port, certificates.authority, options);
  socket.on('secureConnect', () => socket.write(get()));
  const from = rig.client(socket);
  await from.until(() => from.isClosed || from.isEnded);
  expect(from.text).toBe('');
  expect(upstream.requests).toHaveLength(0);
}

describe.skipIf(!hasOpenssl)('a client certificate that is required', () => {
  it('says who the client is: its SPIFFE URI, else its common name', async () => {
    const { authority } = certificates;
    const here = await asking('required');
    const web = authority.issue('web', { names: ['URI:spiffe://shop/web', 'DNS:web'] });
    const batch = authority.issue('batch', { names: [] });
    const other = authority.issue('other', { names: ['URI:spiffe://shop/other'], commonName: 'batch' });
    expect(await experimentOf(here, pem(web))).toBe('ranking=candidate');
    expect(await experimentOf(here, pem(batch))).toBe('ranking=candidate');
    expect(await experimentOf(here, pem(other))).toBeNull();
    expect(here.proxy.exposures.map(({ unit }) => unit)).toEqual(['spiffe://shop/web', 'batch']);
  });

  it('cannot claim a SPIFFE identity by a common name, or one of several', async () => {
    const { authority } = certificates;
    const here = await asking('required');
    const byName = authority.issue('by-name', { names: [], commonName: 'spiffe:\\/\\/shop\\/web' });
    const two = authority.issue('two', { names: ['URI:spiffe://shop/web', 'URI:https://elsewhere'] });
    expect(await experimentOf(here, pem(byName))).toBeNull();
    expect(await experimentOf(here, pem(two))).toBeNull();
  });

  it('and is missing ends the handshake with an alert that says so', async () => {
    const here = await asking('required');
    await refused(here, {});
    await refused(here, { maxVersion: 'TLSv1.2' });
    await expect.poll(() => handshakeFailures(here.proxy, 'certificate-missing')).toBe(2);
    const arguments_ = [
      's_client',
      '-connect',
      `127.0.0.1:${here.port}`,
      '-servername',
      'localhost',
      '-ign_eof',
    ];
    expect((await run('openssl', arguments_, get())).output).toContain('alert certificate required');
  });

  it('and is of a stranger, has expired or is not valid yet ends it as well', async () => {
    const here = await asking('required');
    const stranger = new Authority(certificates.folder, 'stranger').issue('stranger-client');
    const old = certificates.authority.issue('old', { days: -1 });
    await refused(here, pem(stranger));
    await refused(here, pem(old));
    await refused(here, { ...pem(old), maxVersion: 'TLSv1.2' });
    await expect.poll(() => handshakeFailures(here.proxy, 'certificate-refused')).toBe(3);
    expect(here.proxy.plane.listeners[0]!.open).toBe(0);
  });

  it.skipIf(!hasTools('curl'))('is shown by curl --cert', async () => {
    const here = await asking('required');
    const { certificate, key } = certificates.authority.issue('curl', { names: ['URI:spiffe://shop/web'] });
    const ca = ['--cacert', certificates.authority.certificate];
    const url = `https://localhost:${here.port}/`;
    expect(await run('curl', ['-sS', ...ca, '--cert', certificate, '--key', key, url])).toEqual({
      code: 0,
      output: 'ok',
    });
    expect((await run('curl', ['-sS', ...ca, url])).code).toBe(56);
  });
});

describe.skipIf(!hasOpenssl)('a client certificate that is optional', () => {
  it('may be missing: the client has no identity', async () => {
    const here = await asking('optional');
    expect(await experimentOf(here, {})).toBeNull();
    const web = certificates.authority.issue('web', { names: ['URI:spiffe://shop/web'] });
    expect(await experimentOf(here, pem(web))).toBe('ranking=candidate');
  });

  it('has to be valid when it is there', async () => {
    const here = await asking('optional');
    await refused(here, pem(new Authority(certificates.folder, 'stranger').issue('stranger-client')));
    await expect.poll(() => handshakeFailures(here.proxy, 'certificate-refused')).toBe(1);
  });

  it('leaves a session without one without an identity when it is resumed', async () => {
    const here = await asking('optional');
    const first = tlsSocket(rig, here.port, certificates.authority);
    const session = once(first, 'session');
    await answer(rig.client(first).send(get()));
    const again = tlsSocket(rig, here.port, certificates.authority, { session: (await session)[0] });
    await answer(rig.client(again).send(get()));
    expect(again.isSessionReused()).toBe(true);
    expect(here.proxy.exposures).toEqual([]);
  });
});

describe.skipIf(!hasOpenssl)('a rotated certificate', () => {
  const config = (endpoint: string, more: object = {}) => ({
    version: 1,
    upstreams: { app: { endpoints: [endpoint] } },
    ...tlsListener({ ...certificates.server, ...more }),
  });

  it('is shown to new connections, while requests go on without one that fails', async () => {
    const { authority } = certificates;
    const upstream = await rig.upstream(({ socket, startLine }) =>
      socket.write(ok(startLine.split(' ')[1]!)),
    );
    const proxy = await rig.plane([upstream.endpoint], config(upstream.endpoint));
    const shown = new Set<string>();
    let isOver = false;
    let count = 0;
    const ask = async (from: ReturnType<typeof client>) => {
      const target = `/${count++}`;
      expect((await answer(from.send(get(target)))).body).toBe(target);
    };
    const onOneConnection = async () => {
      const from = client(proxy.port);
      while (!isOver) await ask(from);
    };
    const onNewConnections = async () => {
      while (!isOver) {
        const socket = tlsSocket(rig, proxy.port, authority);
        await once(socket, 'secureConnect');
        shown.add(socket.getPeerCertificate().serialNumber);
        await ask(rig.client(socket));
        socket.destroy();
      }
    };
    const load = Promise.all([onOneConnection(), onNewConnections(), onOneConnection(), onNewConnections()]);
    for (let round = 0; round < 5; round++) {
      const before = shown.size;
      authority.issue('server');
      proxy.reload(JSON.stringify(config(upstream.endpoint)));
      await expect.poll(() => shown.size, { interval: 5 }).toBeGreaterThan(before);
    }
    isOver = true;
    await load;
    expect(proxy.access.every(({ status }) => status === 200)).toBe(true);
  });

  it('is not made anew when it is the same', async () => {
    const { authority } = certificates;
    const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
    const proxy = await rig.plane([upstream.endpoint], config(upstream.endpoint));
    const first = tlsSocket(rig, proxy.port, authority);
    const session = once(first, 'session');
    await answer(rig.client(first).send(get()));
    proxy.reload(JSON.stringify(config(upstream.endpoint)));
    const again = tlsSocket(rig, proxy.port, authority, { session: (await session)[0] });
    await once(again, 'secureConnect');
    expect(again.isSessionReused()).toBe(true);
  });

  it('of the authorities shuts out whom they no longer sign, resumed sessions included', async () => {
    const { authority } = certificates;
    const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
    const asked = { clientCertificate: 'required', clientCa: authority.certificate };
    const proxy = await rig.plane([upstream.endpoint], config(upstream.endpoint, asked));
    const files = pem(authority.issue('web'));
    const first = tlsSocket(rig, proxy.port, authority, files);
    const session = once(first, 'session');
    await answer(rig.client(first).send(get()));
    const clientCa = new Authority(certificates.folder, 'next').certificate;
    proxy.reload(JSON.stringify(config(upstream.endpoint, { ...asked, clientCa })));
    const again = rig.client(
      tlsSocket(rig, proxy.port, authority, { ...files, session: (await session)[0] }),
    );
    await again.until(() => again.isClosed || again.isEnded);
    await expect.poll(() => handshakeFailures(proxy, 'certificate-refused')).toBe(1);
    // Who was in before stays.
    expect((await answer(rig.client(first).send(get()))).status).toBe(200);
  });
});
