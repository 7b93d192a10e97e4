/**
 * The service of the demo: a few lines of node:http that say which version answered and what it was told about
 * experiments, and that can be made to fail, slow down or hang by POSTs to their own port. Not part of the proxy.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemRandom } from '../base/clock.ts';

export type Fault = 'none' | 'fail' | 'slow' | 'hang';

export interface DemoService {
  readonly port: number;
  fault: Fault;
  /** Requests answered, or hung, so far; controls not counted. */
  readonly requests: number;
  stop(): Promise<void>;
}

/** Over the 250 ms that config/quickstart.yaml calls slow, under anybody's patience. */
const SLOW_MS = 600;
const CONTROLS: Readonly<Record<string, Fault>> = {
  '/demo/fail': 'fail',
  '/demo/slow': 'slow',
  '/demo/hang': 'hang',
  '/demo/heal': 'none',
};

export interface DemoServiceOptions {
  readonly version: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** What an answer takes in the middle, more or less by a half; 0, the default: nothing. */
  readonly workMs?: number;
}

/** Starts one version on 127.0.0.1. Rejects when the port is taken. */
export async function startDemoService(options: DemoServiceOptions): Promise<DemoService> {
  const { version, workMs = 0 } = options;
  const timers = new Set<NodeJS.Timeout>();
  const state = { fault: 'none' as Fault, requests: 0 };
  const server = createServer((request, response) => {
    const control = CONTROLS[request.url ?? ''];
    if (control !== undefined) return changeFault(control, state, request, response);
    state.requests++;
    if (state.fault === 'hang') return;
    const status = state.fault === 'fail' ? 500 : 200;
    const delayMs = state.fault === 'slow' ? SLOW_MS : workMs * (0.5 + systemRandom.next());
    if (delayMs === 0) return answer(version, status, request, response);
    const timer = setTimeout(() => {
      timers.delete(timer);
      answer(version, status, request, response);
    }, delayMs);
    timers.add(timer);
  });
  // The proxy keeps idle connections for 4 s; a server that closes first would make it retry for nothing.
  server.keepAliveTimeout = 60_000;
  await listen(server, options.port);
  return {
    port: (server.address() as AddressInfo).port,
    get fault() {
      return state.fault;
    },
    set fault(fault) {
      state.fault = fault;
    },
    get requests() {
      return state.requests;
    },
    stop: () => {
      for (const timer of timers) clearTimeout(timer);
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function changeFault(
  fault: Fault,
  state: { fault: Fault },
  request: IncomingMessage,
  response: ServerResponse,
): void {
  if (request.method !== 'POST') {
    send(response, 405, { error: 'POST is needed' }, { allow: 'POST' });
    return;
  }
  state.fault = fault;
  send(response, 200, { fault });
}

function answer(version: string, status: number, request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  send(response, status, {
    version,
    path: request.url,
    'x-experiment': request.headers['x-experiment'] ?? null,
    baggage: request.headers.baggage ?? null,
  });
}

function send(
  response: ServerResponse,
  status: number,
  body: object,
  fields: Record<string, string> = {},
): void {
  response.statusCode = status;
  response.setHeader('content-type', 'application/json');
  for (const [name, value] of Object.entries(fields)) response.setHeader(name, value);
  response.end(`${JSON.stringify(body)}\n`);
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}
