/**
 * The story of a rollout in the page of a real sidecar: started, gone on by evidence, the candidate broken, taken back.
 * Traffic, service and sidecar are in this process.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer, get, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Sidecar, startSidecar } from '../../src/cli/serve.ts';
import { violationsOf } from './support/axe.ts';
import { hasBrowser, openBrowser, openPage } from './support/browser.ts';
import { builtPage } from './support/built.ts';

const TOKEN = 'page-token';
/** A request of another user, one after the other. */
const REQUEST_EVERY_MS = 8;
const USERS = 400;
const STORY_MS = 60_000;

describe.skipIf(!hasBrowser)('in the page of a sidecar', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-page-sidecar-'));
  const agent = new Agent({ keepAlive: true });
  let browser: Browser;
  let built: Awaited<ReturnType<typeof builtPage>>;
  let services: Server[];
  let sidecar: Sidecar;
  let traffic: NodeJS.Timeout;
  let isBroken = false;

  beforeAll(async () => {
    built = await builtPage();
    services = [await serve(() => 200), await serve(() => (isBroken ? 500 : 200))];
    const configFile = join(folder, 'fairlead.yaml');
    writeFileSync(configFile, configOf(services.map(portOf), folder));
    sidecar = await startSidecar({ configFile, environment: {}, isQuiet: true, pageFolder: built.folder });
    const inbound = addressOf(sidecar, 'inbound');
    let user = 0;
    traffic = setInterval(() => {
      const headers = { 'x-user-id': `u-${user++ % USERS}` };
      get(`${inbound}/api`, { agent, headers }, (response) => response.resume()).on('error', () => {});
    }, REQUEST_EVERY_MS);
    browser = await openBrowser();
  }, STORY_MS);
  afterAll(async () => {
    clearInterval(traffic);
    agent.destroy();
    await browser?.close();
    await sidecar?.stop();
    for (const service of services ?? []) service.close().closeAllConnections();
    built?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  test('a rollout is started, goes on by evidence, and is taken back with a reason when the candidate breaks', {
    timeout: STORY_MS,
  }, async () => {
    const { page, context, complaints, requested } = await openPage(browser, addressOf(sidecar, 'admin'));
    page.setDefaultTimeout(STORY_MS / 2);
    await page.getByText('live', { exact: true }).waitFor();
    await page.getByRole('link', { name: 'ranking' }).click();
    await page.getByText('The candidate would get 20%, 50%, 100%.').waitFor();
    // The check before the start wants to have seen a request.
    await page
      .getByText(/control [1-9][\d.]*\/s/)
      .first()
      .waitFor();
    await page.getByRole('button', { name: 'Start rollout' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('textbox', { name: 'Reason' }).fill('release 42');
    await dialog.getByLabel('Token').fill(TOKEN);
    await dialog.getByRole('button', { name: 'Start rollout' }).click();
    await page.getByText('Start the rollout of ranking: done.').waitFor();
    await page.locator('.step[aria-current="step"]', { hasText: '50%' }).waitFor();
    isBroken = true;
    await page.locator('.badge', { hasText: 'rolled back' }).waitFor();
    const reason = await page.locator('.sentence').first().textContent();
    expect(reason).toMatch(/→ 0%: .*(error rate|errors)/);
    await page.getByText('rollout roll back').waitFor();
    expect(await violationsOf(page)).toEqual([]);
    expect(complaints).toEqual([]);
    const origin = addressOf(sidecar, 'admin');
    expect(requested.filter((url) => !url.startsWith(origin) && !url.startsWith('data:'))).toEqual([]);
    await context.close();
  });

  test.each([
    ['#/upstreams', '1 of 1 get requests'],
    ['#/config', 'Changes of the rules'],
    ['#/audit', 'release 42'],
    ['#/approvals', 'Nothing waits.'],
  ])('%s shows what the sidecar has', async (hash, sentence) => {
    const { page, context, complaints } = await openPage(browser, addressOf(sidecar, 'admin'), { hash });
    await page.getByText(sentence).first().waitFor();
    expect(complaints).toEqual([]);
    await context.close();
  });

  test('requests are tapped as they pass', async () => {
    const { page, context } = await openPage(browser, addressOf(sidecar, 'admin'), { hash: '#/tap' });
    await page.getByRole('button', { name: 'Tap', exact: true }).click();
    await page.locator('.tap tbody tr').nth(3).waitFor();
    expect(await page.locator('.tap tbody tr').first().textContent()).toContain('GET api');
    await context.close();
  });
});

function configOf([control, candidate]: readonly number[], folder: string): string {
  return `
version: 1
service: shop
requireMetadata: false
listeners: [{ name: inbound, address: "127.0.0.1:0", direction: inbound }]
upstreams: { v1: "127.0.0.1:${control}", v2: "127.0.0.1:${candidate}" }
routes: [{ name: api, match: { path: /* }, upstream: v1, experiments: [ranking] }]
experiments:
  ranking:
    unit: [{ header: x-user-id }]
    variants: { control: {}, candidate: { weight: 0%, upstream: v2 } }
    breaker: { window: 2s, minimumRequests: 10, errorRate: 20% }
    analysis: {}
    rollout:
      # It is at 50% until it is taken back.
      steps: [20%, { share: 50%, bake: 1h }, 100%]
      bake: 1s
      requests: 20
      guardrails: [{ metric: errors, margin: 40% }]
admin: { address: "127.0.0.1:0", probeAddress: "127.0.0.1:0", token: ${TOKEN} }
accessLog: { enabled: false }
exposures: { enabled: false }
stateFile: ${join(folder, 'state.json')}
`;
}

async function serve(status: () => number): Promise<Server> {
  const server = createServer((_request, response) => {
    response.statusCode = status();
    response.end('hello');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

function addressOf(sidecar: Sidecar, name: string): string {
  const address = sidecar.addresses[name];
  if (address?.kind !== 'tcp') throw new Error(`${name} does not listen on a port`);
  return `http://127.0.0.1:${address.port}`;
}
