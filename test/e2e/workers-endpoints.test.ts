/** Endpoints with `workers: 2`: checked by the primary for both, and a worker that comes later knows as much. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { DnsServer } from '../support/dns.ts';
import { ask, PLAIN, TOKEN, useWorkers } from '../support/workers.ts';

const rig = useWorkers();
const INTERVAL_MS = 200;

/** An upstream that answers requests with its name, and checks with a status that can be changed. */
async function checked(name: string) {
  const state = { status: 200, checkedMs: [] as number[], port: 0 };
  const server = createServer((request, response) => {
    if (request.headers['user-agent'] !== 'fairlead-health') return void response.end(name);
    state.checkedMs.push(performance.now());
    response.writeHead(state.status).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  state.port = (server.address() as AddressInfo).port;
  rig.closers.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return state;
}

describe.skipIf(process.platform !== 'linux')('endpoints with workers: 2', () => {
  it('are checked once and not by each, and no worker uses one that is not well', async () => {
    const [one, two] = [await checked('one'), await checked('two')];
    const dns = await new DnsServer().listen();
    rig.closers.push(() => dns.close());
    dns.set('app.test', { A: ['127.0.0.1'] }, 60);
    const sidecar = await rig.start(
      () => `
version: 1
workers: 2
dns: { servers: ["${dns.address}"] }
upstreams:
  app:
    endpoints: ["app.test:${one.port}", "app.test:${two.port}"]
    balance: roundRobin
    health: { http: { path: /health }, interval: ${INTERVAL_MS}ms, timeout: 20s, rise: 2, fall: 2 }
admin: { address: 127.0.0.1:0, probeAddress: 127.0.0.1:0, token: ${TOKEN} }
listeners: [{ name: inbound, address: "127.0.0.1:0", direction: inbound }]
accessLog: { enabled: false }
`,
    );
    await expect.poll(() => one.checkedMs.length, { timeout: 30_000 }).toBeGreaterThan(8);
    // Each gap is at least nine tenths of the interval, unless somebody else checks as well.
    const tookMs = one.checkedMs[8]! - one.checkedMs[0]!;
    expect(tookMs).toBeGreaterThan(8 * INTERVAL_MS * 0.8);
    one.status = 500;
    const healthy = () =>
      sidecar.metric(`fairlead_endpoint_healthy{upstream="app",endpoint="127.0.0.1:${one.port}"`);
    await expect.poll(healthy, { timeout: 30_000 }).toBe(0);
    // A worker may still be asking for the name, or be about to hear of the health.
    const avoidOne = async (): Promise<void> => {
      for (const [client] of (await sidecar.clientsOfEach(1)).values()) {
        const answers = async () => {
          const some: string[] = [];
          for (let i = 0; i < 4; i++) some.push(await ask(client!, PLAIN));
          return some;
        };
        await expect.poll(answers, { timeout: 30_000 }).toEqual(['two', 'two', 'two', 'two']);
      }
    };
    await avoidOne();
    await expect
      .poll(() => sidecar.get('/v1/upstreams'))
      .toMatchObject({
        upstreams: [
          {
            name: 'app',
            endpoints: [
              { id: `127.0.0.1:${one.port}`, name: 'app.test', isHealthy: false },
              { id: `127.0.0.1:${two.port}`, name: 'app.test', isHealthy: true },
            ],
            names: [
              { name: `app.test:${one.port}`, state: 'known', endpoints: 1 },
              { name: `app.test:${two.port}`, state: 'known', endpoints: 1 },
            ],
          },
        ],
      });

    await sidecar.replaceWorker();
    await avoidOne();
    expect(sidecar.log()).toContain(
      `endpoint app/127.0.0.1:${one.port}: not well: 2 checks in a row failed, the last because it answered 500`,
    );
  }, 60_000);
});
