/** What workers share beside the traffic: stdout, unix sockets, ports and certificates; and one process without them. */
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { connect as tlsConnect } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { fairlead } from '../support/process.ts';
import { hasOpenssl, useCertificates } from '../support/tls.ts';
import { candidateRequest, load, useWorkers, workersConfig } from '../support/workers.ts';

const rig = useWorkers();

describe.skipIf(process.platform !== 'linux')('what workers share', () => {
  it('writes whole lines to stdout, one for each request', async () => {
    const sidecar = await rig.start((ports) => workersConfig(ports, 'accessLog: { enabled: true }'));
    let out = '';
    sidecar.child.stdout!.on('data', (chunk) => {
      out += chunk;
    });
    const clients = await sidecar.clientsOfEach(4);
    const loads = [...clients.values()].flat().map((client) => load(client, candidateRequest()));
    await expect
      .poll(() => loads.every(({ result }) => result.answered > 200), { timeout: 20_000 })
      .toBe(true);
    let answered = loads.length;
    for (const one of loads) answered += (await one.stop()).answered;
    sidecar.child.kill('SIGTERM');
    expect(await sidecar.exited).toBe(0);
    const lines = out.trim().split('\n');
    for (const line of lines) expect(JSON.parse(line)).toMatchObject({ msg: 'request', status: 200 });
    expect(lines.length).toBeGreaterThanOrEqual(answered);
  });

  it('serves a unix socket from both, half-closing clients too', async () => {
    const sidecar = await rig.start((ports, folder) => {
      const local = `{ name: local, address: "unix:${folder}/local.sock" }`;
      return workersConfig(ports, `listeners: [{ name: inbound, address: "127.0.0.1:0" }, ${local}]`);
    });
    const answers = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const socket = connect({ path: `${sidecar.cwd}/local.sock`, allowHalfOpen: true });
        let text = '';
        socket.on('data', (chunk) => {
          text += chunk;
        });
        socket.end('GET /slow/50 HTTP/1.1\r\nHost: a\r\n\r\n');
        await new Promise((resolve) => socket.on('close', resolve));
        return text;
      }),
    );
    for (const text of answers) expect(text).toMatch(/^HTTP\/1\.1 200[\s\S]*control$/);
    // The clients see the end of their connections before the workers do.
    await expect.poll(() => sidecar.page()).toContain('fairlead_downstream_connections{listener="local"} 0');
    sidecar.child.kill('SIGTERM');
    expect(await sidecar.exited).toBe(0);
  });

  it('is not a port that another sidecar has: that one would get part of the requests', async () => {
    const sidecar = await rig.start();
    const taken = `listeners: [{ name: inbound, address: "127.0.0.1:${sidecar.ports.inbound}" }]`;
    await writeFile(
      join(sidecar.cwd, 'taken.yaml'),
      workersConfig({ control: 1, candidate: 2 }, `${taken}\nx-other: 1`),
    );
    const refused = fairlead(['run', '-c', 'taken.yaml'], sidecar.cwd);
    expect(await refused.exited).toBe(78);
    expect(refused.log()).toContain('EADDRINUSE');
  });
});

describe.skipIf(process.platform !== 'linux' || !hasOpenssl)('TLS with workers', () => {
  const certificates = useCertificates();

  it('a renewed certificate is shown by all of them, and is on the page', async () => {
    const issued = certificates.authority.issue('first', { days: 10 });
    const sidecar = await rig.start((ports) => {
      const tls = `{ certificate: "${issued.certificate}", key: "${issued.key}" }`;
      return workersConfig(ports, `listeners: [{ name: inbound, address: "127.0.0.1:0", tls: ${tls} }]`);
    });
    const expiry = () => sidecar.metric('fairlead_certificate_expiry_timestamp_seconds{');
    const before = await expiry();
    /** How many of 16 new connections are shown a certificate that ends when the page says. */
    const shown = async (): Promise<number> => {
      const ends = await expiry();
      const seen = await Promise.all(
        Array.from({ length: 16 }, async () => {
          const socket = tlsConnect({
            port: sidecar.ports.inbound!,
            servername: 'localhost',
            ca: certificates.authority.pem,
          });
          await once(socket, 'secureConnect');
          const { valid_to } = socket.getPeerCertificate();
          socket.destroy();
          return Date.parse(valid_to) / 1000;
        }),
      );
      return seen.filter((end) => end === ends).length;
    };
    expect(await shown()).toBe(16);
    certificates.authority.issue('first', { days: 20 });
    await expect.poll(expiry, { timeout: 20_000 }).toBeGreaterThan(before);
    await expect.poll(shown, { timeout: 20_000 }).toBe(16);
  });
});

describe.skipIf(process.platform !== 'linux')('workers: 1', () => {
  it('is one process that serves, with nothing of workers on its page', async () => {
    const sidecar = await rig.start((ports) => workersConfig(ports, '', 1));
    const { pid } = sidecar.child;
    expect(await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).toBe('');
    expect(await sidecar.workers()).toEqual([]);
    const page = await sidecar.page();
    expect(page).not.toMatch(/^fairlead_worker/m);
    expect(page).toMatch(/^process_resident_memory_bytes \d+$/m);
  });
});
