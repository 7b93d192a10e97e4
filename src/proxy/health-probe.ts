/**
 * One health check of one endpoint: a connection of its own, and with `http` one request on it. Carries nothing of
 * an experiment, and says by its User-Agent what it is. Never rejects, and keeps no process alive.
 */
import { type IncomingMessage, request as send } from 'node:http';
import { connect, type Socket } from 'node:net';
import { formatAddress } from '../config/address.ts';
import type { HealthSettings } from '../config/compile-health.ts';
import { type Endpoint, endpointOf } from './endpoint.ts';
import type { TlsClient } from './tls-client.ts';

/** For whoever reads the log of an upstream. */
const USER_AGENT = 'fairlead-health';
const HEAD_MAX_BYTES = 16_384;

/** Null: passed. Else what was wrong, in a few words, and nothing of what was received but a status. */
export type Verdict = string | null;

/** Checks an endpoint as its traffic would reach it, but for `settings.port`. */
export function probe(endpoint: Endpoint, tls: TlsClient | null, settings: HealthSettings): Promise<Verdict> {
  const { http, timeoutMs } = settings;
  const checked = alone(endpoint, settings.port);
  return new Promise((resolve) => {
    const socket = tls === null ? connect(checked.target) : tls.connect(checked, null);
    socket.unref();
    const end = (verdict: Verdict): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(verdict);
    };
    const timer = setTimeout(() => end(`no answer within ${timeoutMs} ms`), timeoutMs);
    timer.unref();
    const failed = (error: NodeJS.ErrnoException): void => end(reasonOf(checked, tls, error));
    socket.on('error', failed);
    if (http === null) {
      socket.once(tls === null ? 'connect' : 'secureConnect', () => end(null));
      return;
    }
    ask(socket, { path: http.path, host: http.host ?? hostOf(checked) })
      .on('error', failed)
      .on('response', (response: IncomingMessage) => {
        const status = response.statusCode ?? 0;
        const isGood = http.statuses.some(([lowest, highest]) => status >= lowest && status <= highest);
        resolve(isGood ? null : `it answered ${status}`);
        // The rest is taken as long as a check may last: an upstream should not find its answer reset.
        response.on('close', () => end(null));
        response.resume();
      });
  });
}

function ask(socket: Socket, { path, host }: { path: string; host: string }) {
  const headers = { host, 'user-agent': USER_AGENT, accept: '*/*', connection: 'close' };
  const options = { createConnection: () => socket, path, headers, maxHeaderSize: HEAD_MAX_BYTES };
  const request = send(options);
  request.end();
  return request;
}

/**
 * The endpoint at the port that is checked, and by its own address: that a connection can be made with another one says
 * nothing of it. Only a name that is one endpoint is well if any of its addresses is.
 */
function alone(endpoint: Endpoint, port: number | null): Endpoint {
  const { id, address } = endpoint;
  if (address.kind === 'unix') return endpoint;
  const others = id === formatAddress(address) ? [] : endpoint.others;
  if (port === null || address.port === port) return endpointOf({ ...endpoint, others });
  // Sessions of TLS are remembered by the id, and another port is another server.
  return endpointOf({ ...endpoint, others, id: `${id} at ${port}`, address: { ...address, port } });
}

function hostOf({ name, address }: Endpoint): string {
  if (address.kind === 'unix') return 'localhost';
  return formatAddress({ ...address, host: name === '' ? address.host : name.replace(/\.$/, '') });
}

/** Of what went wrong: the words of TLS for its own, else the code of the system. */
function reasonOf(endpoint: Endpoint, tls: TlsClient | null, error: NodeJS.ErrnoException): string {
  const failure = tls?.failure(endpoint, error, true) ?? null;
  return failure?.message.replace(/\.$/, '') ?? `it could not be asked: ${error.code ?? 'unknown'}`;
}
