/** `workers: 2`: a request comes to one process and the calls for it to another, and the variant stays all the same. */
import { Agent, createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { useWorkers, workersConfig } from '../support/workers.ts';

const rig = useWorkers();
const USERS = 400;

function listen(server: Server): Promise<number> {
  rig.closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

/** Every call has a connection of its own, which the kernel gives to any of the workers. */
function get(port: number, headers: Record<string, string>): Promise<string> {
  return new Promise((resolve, reject) => {
    const agent = new Agent({ keepAlive: false });
    const asked = request({ agent, port, host: '127.0.0.1', headers }, (answer) => {
      let body = '';
      answer.on('data', (chunk: Buffer) => {
        body += chunk.toString('latin1');
      });
      answer.on('end', () => resolve(body));
    });
    asked.on('error', reject);
    asked.end();
  });
}

it.skipIf(process.platform !== 'linux')(
  'joins every call to its request, whichever workers they come to',
  async () => {
    let outbound = 0;
    // The callee says what the call carries; the service forwards nothing but traceparent, and says what it got.
    const callee = await listen(
      createServer((incoming, answer) => answer.end(String(incoming.headers['x-experiment']))),
    );
    const service = await listen(
      createServer((incoming, answer) => {
        const own = String(incoming.headers['x-experiment']);
        get(outbound, { traceparent: String(incoming.headers.traceparent), host: 'callee' }).then(
          (carried) => answer.end(`${own} ${carried}`),
          (error: Error) => answer.end(error.message),
        );
      }),
    );
    const sidecar = await rig.start(() => {
      const more = `
listeners:
  - { name: inbound, address: "127.0.0.1:0", direction: inbound }
  - { name: outbound, address: "127.0.0.1:0", direction: outbound }
`;
      return workersConfig({ control: service, candidate: service }, more)
        .replace('upstreams:', `upstreams:\n  callee: "127.0.0.1:${callee}"`)
        .replace(
          /routes: .*/,
          `routes:
  - { name: api, match: { path: /* }, upstream: v1, experiments: [ranking] }
  - { name: calls, direction: outbound, match: { host: callee }, upstream: callee }`,
        )
        .replace('weight: 90%', 'weight: 50%')
        .replace('weight: 10%', 'weight: 50%');
    });
    outbound = sidecar.ports.outbound!;
    const answers = await Promise.all(
      Array.from({ length: USERS }, (_, user) =>
        get(sidecar.ports.inbound!, { 'x-user-id': `user-${user}` }),
      ),
    );
    const variants = new Map<string, number>();
    for (const answer of answers) variants.set(answer, (variants.get(answer) ?? 0) + 1);
    expect([...variants.keys()].sort()).toEqual([
      'ranking=candidate ranking=candidate',
      'ranking=control ranking=control',
    ]);
    await sidecar.counts('fairlead_context_total{', USERS);
    // `check` takes it for a sidecar that counts.
    expect(await sidecar.metric('fairlead_context_memory_ids ')).toBeGreaterThan(USERS);
    expect(await sidecar.page()).toMatch(
      new RegExp(`fairlead_context_total\\{.*how="traceparent".*\\} ${USERS}\n`),
    );
  },
);
