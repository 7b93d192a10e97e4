/** What is shown as it happens, with `workers: 2`: numbers of both, and the requests of both. */
import { afterEach, describe, expect, it } from 'vitest';
import { EventReader } from '../support/events.ts';
import { ask, candidateRequest, PLAIN, type Sidecar, useWorkers, workersConfig } from '../support/workers.ts';

const rig = useWorkers();
const readers: EventReader[] = [];
afterEach(() => {
  for (const reader of readers.splice(0)) reader.close();
});

async function open(sidecar: Sidecar, path: string): Promise<EventReader> {
  const reader = await EventReader.open(`http://127.0.0.1:${sidecar.ports.admin}${path}`);
  readers.push(reader);
  return reader;
}

interface Stats {
  readonly experiments: readonly { readonly variants: readonly { readonly requests: number }[] }[];
}

const requestsOf = ({ experiments }: Stats): number =>
  experiments[0]!.variants.reduce((sum, { requests }) => sum + requests, 0);

describe.skipIf(process.platform !== 'linux')('two workers', () => {
  it('are added up, and what one has counted is not lost with it', async () => {
    const sidecar = await rig.start();
    const clients = await sidecar.clientsOfEach(1);
    const askEach = async () => {
      for (const [client] of clients.values())
        expect(await ask(client!, candidateRequest())).toBe('candidate');
    };
    await askEach();
    const stats = async () => (await sidecar.get('/v1/stats')) as Stats;
    await expect.poll(async () => requestsOf(await stats()), { timeout: 10_000 }).toBe(2);
    await askEach();
    await expect.poll(async () => requestsOf(await stats()), { timeout: 10_000 }).toBe(4);
    await sidecar.replaceWorker();
    expect(requestsOf(await stats())).toBe(4);
  });

  it('show the requests of both to a tap, also those of a worker that came later', async () => {
    const sidecar = await rig.start((ports) => workersConfig(ports, 'accessLog: { enabled: false }'));
    const clients = await sidecar.clientsOfEach(1);
    const tap = await open(sidecar, '/v1/tap?variant=candidate&status=200&rate=100');
    const requests = () => tap.events.filter(({ event }) => event === 'request');
    // The workers hear of it a moment later.
    const show = async (ofEach: Awaited<ReturnType<Sidecar['clientsOfEach']>>) => {
      for (const [client] of ofEach.values()) {
        const { length } = requests();
        await expect
          .poll(
            async () => {
              expect(await ask(client!, candidateRequest())).toBe('candidate');
              await ask(client!, PLAIN);
              return requests().length;
            },
            { timeout: 10_000 },
          )
          .toBeGreaterThan(length);
      }
    };
    await show(clients);
    await sidecar.replaceWorker();
    await show(await sidecar.clientsOfEach(1));
    for (const { data } of requests())
      expect(data).toMatchObject({
        status: 200,
        outcome: 'ok',
        experiments: [{ name: 'ranking', assigned: 'candidate', served: 'candidate', reason: 'override' }],
      });
  });

  it('tell the stream when a breaker that they share moves', async () => {
    const sidecar = await rig.start((ports) => workersConfig(ports, 'drain: { delay: 0s, timeout: 1s }'));
    const reader = await open(sidecar, '/v1/events/stream');
    await reader.first('hello');
    await sidecar.trip('10s');
    expect(await reader.first('breaker')).toMatchObject({
      name: 'api/ranking/candidate',
      to: 'open',
      cause: 'forced',
    });
    expect(await reader.first('audit')).toMatchObject({ action: 'trip' });
    sidecar.child.kill('SIGTERM');
    await reader.until(() => reader.isEnded, 20_000);
    expect(reader.isComplete).toBe(true);
  });
});
