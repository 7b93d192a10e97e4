/** Mirrors over reloads, with connections that end, over TLS, and at the end of the sidecar. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { startPlane, type TestPlane } from '../support/plane.ts';
import { answer, configOf, get, ok, type Received, type Upstream, useRig } from '../support/rig.ts';
import { hasOpenssl, useCertificates } from '../support/tls.ts';

const rig = useRig();
const certificates = useCertificates();

interface Settings {
  readonly mirror?: object;
  readonly status?: string;
  /** Of the upstream of the candidate. */
  readonly next: object;
}

function configFor(control: Upstream, { mirror, status = 'running', next }: Settings): string {
  return configOf([], {
    upstreams: { app: { endpoints: [control.endpoint] }, next },
    routes: [{ name: 'all', upstream: 'app', experiments: ['ranking'] }],
    experiments: {
      ranking: {
        status,
        variants: { control: {}, candidate: { weight: '0%', upstream: 'next' } },
        ...(mirror === undefined ? {} : { mirror }),
      },
    },
  });
}

async function started(config: string): Promise<TestPlane> {
  const plane = await startPlane(config);
  rig.also(() => plane.close());
  return plane;
}

const answering = (): Promise<Upstream> => rig.upstream(({ socket }) => socket.write(ok('{}')));
const compared = ({ plane }: TestPlane): number[] => plane.mirrors.views().map(({ diffs }) => diffs.compared);
const ALL = { share: '100%', rate: '1000/s', concurrency: 50 };

describe('a mirror', () => {
  it('keeps what it has found over a reload, begins anew with other settings, and ends with them', async () => {
    const [control, candidate] = [await answering(), await answering()];
    const next = { endpoints: [candidate.endpoint] };
    const plane = await started(configFor(control, { mirror: ALL, next }));
    const client = rig.client(plane.port);
    await answer(client.send(get()));
    await expect.poll(() => compared(plane)).toEqual([1]);
    plane.reload(configFor(control, { mirror: ALL, next }));
    await answer(client.send(get()));
    await expect.poll(() => compared(plane)).toEqual([2]);
    plane.reload(configFor(control, { mirror: { ...ALL, samples: true }, next }));
    expect(compared(plane)).toEqual([0]);
    plane.reload(configFor(control, { mirror: { ...ALL, samples: true }, next, status: 'killed' }));
    await answer(client.send(get()));
    plane.reload(configFor(control, { next }));
    await answer(client.send(get()));
    expect(compared(plane)).toEqual([]);
    expect(candidate.requests).toHaveLength(2);
  });

  it('forgets what it has found when it is told to', async () => {
    const [control, candidate] = [await answering(), await answering()];
    const plane = await started(
      configFor(control, { mirror: ALL, next: { endpoints: [candidate.endpoint] } }),
    );
    const client = rig.client(plane.port);
    await answer(client.send(get()));
    await expect.poll(() => compared(plane)).toEqual([1]);
    plane.plane.mirrors.forget('ranking');
    plane.plane.mirrors.forget('nothing');
    expect(compared(plane)).toEqual([0]);
    await answer(client.send(get()));
    await expect.poll(() => compared(plane)).toEqual([1]);
  });

  it('begins anew when the candidate is another upstream', async () => {
    const [control, candidate] = [await answering(), await answering()];
    const next = { endpoints: [candidate.endpoint] };
    const plane = await started(configFor(control, { mirror: ALL, next }));
    await answer(rig.client(plane.port).send(get()));
    await expect.poll(() => compared(plane)).toEqual([1]);
    plane.reload(configFor(control, { mirror: ALL, next }).replaceAll('"next"', '"other"'));
    expect(compared(plane)).toEqual([0]);
  });

  it('says nothing of a candidate that closed an idle connection just then', async () => {
    const control = await answering();
    const seen = new Set<number>();
    const candidate = await rig.upstream(({ connection, socket }: Received) => {
      if (seen.has(connection)) socket.resetAndDestroy();
      else socket.write(ok('{}'));
      seen.add(connection);
    });
    const plane = await started(
      configFor(control, { mirror: ALL, next: { endpoints: [candidate.endpoint] } }),
    );
    const client = rig.client(plane.port);
    for (let n = 0; n < 4; n++) {
      await answer(client.send(get()));
      await expect.poll(() => plane.plane.mirrors.views()[0]!.inFlight).toBe(0);
    }
    // Every second one meets such a connection.
    expect(plane.plane.mirrors.views()[0]).toMatchObject({
      missed: { unanswered: 2 },
      diffs: { compared: 2, paths: [] },
    });
  });

  it('takes a body for the same however it is framed', async () => {
    const control = await answering();
    const framings = [
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n',
      'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}',
      'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}',
    ];
    let next = 0;
    const candidate = await rig.upstream(({ socket }) => {
      const text = framings[next++ % framings.length]!;
      socket.write(text);
      if (text.includes('close')) socket.end();
    });
    const plane = await started(
      configFor(control, { mirror: ALL, next: { endpoints: [candidate.endpoint] } }),
    );
    const client = rig.client(plane.port);
    for (let n = 1; n <= framings.length; n++) {
      await answer(client.send(get()));
      await expect.poll(() => compared(plane)).toEqual([n]);
    }
    expect(plane.plane.mirrors.views()[0]!.diffs).toMatchObject({ hits: { candidate: 0 }, paths: [] });
  });

  it('reads the first 16 MiB of a body and not the rest', async () => {
    const mib = 1024 * 1024;
    const head = `HTTP/1.1 200 OK\r\nContent-Length: ${40 * mib}\r\n\r\n`;
    const control = await rig.upstream(({ socket, fields }) => {
      // The caller's own is another.
      if (!fields.some(([name]) => name === 'x-fairlead-mirror')) return void socket.write(ok('{}'));
      socket.write(head);
      socket.write(Buffer.alloc(40 * mib, 'a'));
    });
    const candidate = await rig.upstream(({ socket }) => {
      socket.write(head);
      socket.write(Buffer.concat([Buffer.alloc(17 * mib, 'a'), Buffer.alloc(23 * mib, 'b')]));
    });
    const plane = await started(
      configFor(control, { mirror: ALL, next: { endpoints: [candidate.endpoint] } }),
    );
    await answer(rig.client(plane.port).send(get()));
    await expect.poll(() => compared(plane), { timeout: 10_000 }).toEqual([1]);
    expect(plane.plane.mirrors.views()[0]!.diffs).toMatchObject({
      hits: { candidate: 0 },
      bytes: { control: 16 * mib, candidate: 16 * mib },
    });
    await candidate.left();
  });

  it('lets go of what is under way when the sidecar ends', async () => {
    const control = await answering();
    const candidate = await rig.upstream(() => {});
    const next = { endpoints: [candidate.endpoint] };
    const plane = await started(configFor(control, { mirror: { ...ALL, timeout: '60s' }, next }));
    await answer(rig.client(plane.port).send(get()));
    await candidate.request();
    plane.close();
    await candidate.left();
    await expect.poll(() => plane.plane.mirrors.views()[0]!.inFlight).toBe(0);
    expect(compared(plane)).toEqual([0]);
  });

  it.skipIf(!hasOpenssl)('reaches endpoints over TLS, as the requests do', async () => {
    const control = await answering();
    const { certificate, key } = certificates.server;
    const names: unknown[] = [];
    const server = createServer(
      { cert: readFileSync(certificate), key: readFileSync(key) },
      (request, response) => {
        names.push(request.headers['x-experiment']);
        response.end('{}');
      },
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    rig.also(() => {
      server.closeAllConnections();
      server.close();
    });
    const endpoint = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const next = { endpoints: [endpoint], tls: { ca: certificates.authority.certificate } };
    const plane = await started(configFor(control, { mirror: ALL, next }));
    const client = rig.client(plane.port);
    for (let n = 0; n < 3; n++) await answer(client.send(get()));
    await expect.poll(() => compared(plane)).toEqual([3]);
    expect(names).toEqual(Array(3).fill('ranking=candidate'));
    expect(plane.plane.mirrors.views()[0]!.diffs.paths.map(({ path }) => path)).toEqual([]);
  });
});
