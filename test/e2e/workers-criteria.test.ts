/** Limits of a breaker that are judged by the calls of all workers: each alone has too few to say. */
import { describe, expect, it } from 'vitest';
import type { RawClient } from '../support/peers.ts';
import { ask, candidateRequest, PLAIN, type Sidecar, useWorkers, workersConfig } from '../support/workers.ts';

const rig = useWorkers();

async function start(breaker: string): Promise<{ sidecar: Sidecar; clients: RawClient[] }> {
  const sidecar = await rig.start((ports) =>
    workersConfig(ports).replace(
      /breaker: \{.*\}/,
      `breaker: { window: 60s, minimumRequests: 20, openFor: 60s, ${breaker} }`,
    ),
  );
  const clients = [...(await sidecar.clientsOfEach(1)).values()].map(([client]) => client!);
  return { sidecar, clients };
}

/** So many requests over each connection, one after the other. */
async function each(clients: readonly RawClient[], count: number, request: string): Promise<void> {
  const over = async (client: RawClient): Promise<void> => {
    for (let i = 0; i < count; i++) await ask(client, request);
  };
  await Promise.all(clients.map(over));
}

const CONTROL = PLAIN.replace('\r\n\r\n', '\r\nx-experiment-override: ranking=control\r\n\r\n');

describe.skipIf(process.platform !== 'linux')('workers: 2', () => {
  it('open a breaker by a quantile of the calls of both', async () => {
    const { sidecar, clients } = await start('p50: 30ms');
    await each(clients, 15, candidateRequest('/slow/60'));
    await expect.poll(async () => (await sidecar.breaker()).state, { timeout: 20_000 }).toBe('open');
    expect((await sidecar.breaker()).reason).toMatch(/^p50 > 30ms: 100% of the calls took longer/);
  });

  it('open a breaker by a quantile that is a multiple of that of the control', async () => {
    const { sidecar, clients } = await start('p50: 1.2 x control');
    await each(clients, 1, candidateRequest('/slow/60'));
    await each(clients, 30, CONTROL);
    await each(clients, 15, candidateRequest('/slow/60'));
    await expect.poll(async () => (await sidecar.breaker()).state, { timeout: 20_000 }).toBe('open');
    expect((await sidecar.breaker()).reason).toMatch(/^p50 \d+(\.\d+)?ms > 1\.2 x control's \d+(\.\d+)?ms/);
  });

  it('open a breaker by the errors of both beside those of the control', async () => {
    const { sidecar, clients } = await start('errorRate: [100%, control + 1%]');
    await each(clients, 1, candidateRequest());
    await each(clients, 30, CONTROL);
    await each(clients, 12, candidateRequest('/fail'));
    await expect.poll(async () => (await sidecar.breaker()).state, { timeout: 20_000 }).toBe('open');
    expect((await sidecar.breaker()).reason).toMatch(
      /^error rate \d+(\.\d+)?% > control's 0% \+ 1% \(\d+ of \d+ calls, of control 0 of \d+, in 60s/,
    );
  });
});
