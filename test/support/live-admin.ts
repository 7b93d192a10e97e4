/** An admin API that answers what a test says: resources as JSON, streams of events as text. For the CLI's live commands. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { API_HEADER, API_VERSION } from '../../src/admin/api-header.ts';
import type { Io } from '../../src/cli/io.ts';

export class LiveAdmin {
  /** By path without the query; what is not here is 404. A function is called for each request. */
  readonly resources: Record<string, object | (() => object)> = {};
  /** Path and query of every request. */
  readonly asked: string[] = [];
  readonly authorization: (string | undefined)[] = [];
  /** Streams that are open. */
  readonly streams: ServerResponse[] = [];
  /** Called with each stream that is opened. */
  onStream: (stream: ServerResponse) => void = () => {};
  url = '';
  readonly #server = createServer((request, response) => this.#answer(request, response));

  /** On a free port, or at a path: one that is nobody else's, also after it was closed for a while. */
  async open(path?: string): Promise<this> {
    const where = path === undefined ? { port: 0, host: '127.0.0.1' } : { path };
    await new Promise<void>((resolve) => this.#server.listen(where, resolve));
    this.url =
      path === undefined
        ? `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
        : `unix:${path}`;
    return this;
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    this.asked.push(request.url ?? '');
    this.authorization.push(request.headers.authorization);
    response.setHeader(API_HEADER, API_VERSION);
    if (pathname === '/v1/tap') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
      this.streams.push(response);
      this.onStream(response);
      return;
    }
    const found = this.resources[pathname];
    const body =
      found === undefined
        ? { code: 'not_found', detail: 'There is no such resource.' }
        : typeof found === 'function'
          ? found()
          : found;
    response.writeHead(found === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  }
}

/** What a command writes, and whether it does so on a terminal. */
export class SaidIo implements Io {
  outText = '';
  errText = '';
  readonly env: Io['env'];
  readonly isTerminal: boolean;

  constructor(env: Io['env'] = {}, isTerminal = false) {
    this.env = env;
    this.isTerminal = isTerminal;
  }

  out(text: string): void {
    this.outText += text;
  }

  err(text: string): void {
    this.errText += text;
  }
}

/** The resources of one experiment with a rollout under way, as a sidecar has them. */
export function oneExperiment(): Record<string, object> {
  const breaker = (variant: string) => ({ name: `api/ranking/${variant}`, state: 'closed', mode: 'enforce' });
  return {
    '/v1/experiments': {
      experiments: [
        {
          name: 'ranking',
          status: 'running',
          condition: null,
          variants: [
            { name: 'control', weight: '90%', breakers: [breaker('control')] },
            { name: 'candidate', weight: '10%', breakers: [breaker('candidate')] },
          ],
        },
      ],
    },
    '/v1/breakers': {
      breakers: ['control', 'candidate'].map((name) => ({ ...breaker(name), reason: 'has never opened' })),
    },
    '/v1/rollouts': { rollouts: [rolloutAt('baking', 1, '10%', 'holds at 10%: bakes for another 4 s')] },
    '/v1/results': {
      results: [
        {
          experiment: 'ranking',
          state: 'collecting',
          verdict: { kind: 'insufficient', reason: 'not enough data yet, about 3 h', etaMs: 10_800_000 },
        },
      ],
    },
    '/v1/stats': statsOf(900, 100),
    '/v1/audit': { audit: [] },
  };
}

export function rolloutAt(phase: string, step: number, share: string, reason: string): object {
  return {
    experiment: 'ranking',
    phase,
    isOver: phase === 'promoted' || phase === 'rolled-back',
    step,
    steps: [{}, {}, {}, {}],
    share,
    reason,
    since: '2026-11-21T20:15:03.000Z',
  };
}

/** Totals as given; the rates are made up. */
export function statsOf(control: number, candidate: number): object {
  const variant = (name: string, requests: number, rate: number) => ({
    ...{ name, requests, failures: 3, requestsPerSecond: rate, errorShare: 0.004, slowShare: 0 },
    ...{ p50Ms: 1.24, p90Ms: 12.4, p99Ms: 1240, inFlight: 2 },
  });
  return {
    at: '2026-11-21T20:15:04.000Z',
    intervalMs: 2000,
    experiments: [
      { name: 'ranking', variants: [variant('control', control, 45), variant('candidate', candidate, 4.96)] },
    ],
    routes: [{ name: 'api', requestsPerSecond: 49.96, errorShare: 0, p50Ms: 1.24, p99Ms: 1240 }],
  };
}
