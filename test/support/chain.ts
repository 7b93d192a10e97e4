/**
 * Three services in a row, each with a sidecar of its own: `front` is called by users and calls `middle`, which calls
 * `back`. The services are plain node:http servers that forward only the fields they are told to. `back` answers which of
 * its two versions was called.
 */
import { Agent, createServer, type IncomingHttpHeaders, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startPlane, type TestPlane } from './plane.ts';

export type ServiceName = 'front' | 'middle' | 'back';

export interface Chain {
  readonly planes: Readonly<Record<ServiceName, TestPlane>>;
  /** A user's request to the first sidecar. */
  ask(headers: Readonly<Record<string, string>>): Promise<ChainAnswer>;
  close(): Promise<void>;
}

export interface ChainAnswer {
  readonly status: number;
  /** `v1` or `v2` for each service on the way, as the versions themselves say: `front=v2,middle=v2,back=v2`. */
  readonly body: string;
}

export interface ChainOptions {
  /** Fields that a service copies from a request to the calls it makes for it. */
  readonly forwarded: Readonly<Record<'front' | 'middle', readonly string[]>>;
  /** How long a service takes before it calls the next one, in milliseconds, by the request's `x-user-id`. */
  readonly workMs?: (userId: string) => number;
  readonly propagation?: object;
}

/** Every service has the experiment; its two versions are two servers. */
export async function startChain(options: ChainOptions): Promise<Chain> {
  const agent = new Agent({ keepAlive: true, maxSockets: 200 });
  const servers: Server[] = [];
  const planes: Partial<Record<ServiceName, TestPlane>> = {};
  const start = async (name: ServiceName, next: ServiceName | null): Promise<void> => {
    const versions: string[] = [];
    for (const version of ['v1', 'v2']) {
      const server = createServer((incoming, answer) => {
        const own = `${name}=${version}`;
        if (next === null) return void answer.end(own);
        const userId = String(incoming.headers['x-user-id'] ?? incoming.headers['x-who'] ?? '');
        const headers = pick(incoming.headers, options.forwarded[name as 'front' | 'middle']);
        setTimeout(() => {
          const port = planes[name]!.portOf('outbound');
          get(agent, port, { ...headers, host: `${next}.internal` }).then(
            ({ body, status }) => answer.writeHead(status).end(`${own},${body}`),
            () => answer.writeHead(500).end(own),
          );
        }, options.workMs?.(userId) ?? 0);
      });
      servers.push(server);
      versions.push(`127.0.0.1:${await listen(server)}`);
    }
    planes[name] = await startPlane(configOf(name, versions, next, planes, options.propagation ?? {}));
  };
  await start('back', null);
  await start('middle', 'back');
  await start('front', 'middle');
  const started = planes as Record<ServiceName, TestPlane>;
  return {
    planes: started,
    ask: (headers) => get(agent, started.front.portOf('inbound'), headers),
    async close() {
      agent.destroy();
      for (const plane of Object.values(started)) await plane.close();
      for (const server of servers) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  };
}

function configOf(
  name: ServiceName,
  [v1, v2]: readonly string[],
  next: ServiceName | null,
  planes: Partial<Record<ServiceName, TestPlane>>,
  propagation: object,
): string {
  const calls = next === null ? {} : { [next]: `127.0.0.1:${planes[next]!.portOf('inbound')}` };
  const route = {
    name: `to-${next}`,
    direction: 'outbound',
    match: { host: `${next}.internal` },
    upstream: next,
  };
  return JSON.stringify({
    version: 1,
    service: name,
    listeners: [
      { name: 'inbound', address: '127.0.0.1:0', direction: 'inbound' },
      { name: 'outbound', address: '127.0.0.1:0', direction: 'outbound' },
    ],
    // A crowd at once on a busy machine.
    timeouts: { connect: '20s' },
    upstreams: { v1, v2, ...calls },
    routes: [
      { name: 'all', match: { path: '/*' }, upstream: 'v1', experiments: ['checkout'] },
      ...(next === null ? [] : [route]),
    ],
    experiments: {
      checkout: {
        // Only the first service sees the user, so the others cannot split by themselves the same way.
        unit: [{ header: 'x-user-id' }],
        salt: `checkout-${name}`,
        variants: {
          control: { weight: '50%', upstream: 'v1' },
          candidate: { weight: '50%', upstream: 'v2' },
        },
      },
    },
    propagation,
  });
}

function pick(headers: IncomingHttpHeaders, names: readonly string[]): Record<string, string> {
  const picked: Record<string, string> = {};
  for (const name of names) {
    const value = headers[name];
    if (typeof value === 'string') picked[name] = value;
  }
  return picked;
}

function get(agent: Agent, port: number, headers: Readonly<Record<string, string>>): Promise<ChainAnswer> {
  return new Promise((resolve, reject) => {
    const asked = request({ agent, port, host: '127.0.0.1', path: '/', headers }, (answer) => {
      let body = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => {
        body += chunk;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body }));
      answer.on('error', reject);
    });
    asked.on('error', reject);
    asked.end();
  });
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}
