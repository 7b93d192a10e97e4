/** The made-up users of the demo against a service and an admin API that count them. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { startDemoTraffic } from '../../../src/cli/demo-traffic.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function open(onRequest: (request: IncomingMessage, body: string) => number | null): Promise<string> {
  const server: Server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      const status = onRequest(request, body);
      if (status !== null)
        response.writeHead(status, { 'x-fairlead-variant': 'ranking=candidate' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function start(sidecarUrl: string, adminUrl: string): void {
  const random = seededRandom(7);
  const settings = { token: 'demo-token', random, everyMs: 1, patienceMs: 60_000, onEnd: () => {} };
  closing.push(startDemoTraffic({ ...settings, sidecarUrl, adminUrl }));
}

test('many users search, and what some of them buy is posted with the token', async () => {
  const users = new Set<unknown>();
  const posted: { authorization: unknown; events: { unit: string }[] }[] = [];
  const sidecar = await open(({ url, headers }) => {
    expect(url).toBe('/api/search');
    users.add(headers['x-user-id']);
    return 200;
  });
  const admin = await open(({ url, headers }, body) => {
    expect(url).toBe('/v1/events');
    posted.push({ authorization: headers.authorization, ...JSON.parse(body) });
    return 202;
  });
  start(sidecar, admin);
  await expect.poll(() => posted.length, { timeout: 15_000 }).toBeGreaterThan(0);
  await expect.poll(() => users.size, { timeout: 15_000 }).toBeGreaterThan(20);
  const [{ authorization, events }] = posted as [(typeof posted)[0]];
  expect(authorization).toBe('Bearer demo-token');
  expect(events[0]).toEqual({
    experiment: 'ranking',
    metric: 'conversion',
    unit: expect.any(String),
    value: 1,
  });
  expect(users.has(events[0]!.unit)).toBe(true);
});

test('a service that hangs or is gone ends nothing, and no more than 200 wait for it', async () => {
  let waiting = 0;
  const sidecar = await open(() => {
    waiting++;
    return null;
  });
  start(sidecar, 'http://127.0.0.1:1');
  start('http://127.0.0.1:1', 'http://127.0.0.1:1');
  await expect.poll(() => waiting, { timeout: 20_000 }).toBe(200);
  // As long as it takes for twenty more, and not as long as users are patient.
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(waiting).toBe(200);
});
