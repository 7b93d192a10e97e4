/**
 * What a careful engineer writes in an afternoon: node:http in front, undici's `dispatch` behind (its fastest
 * call), hop-by-hop fields removed, backpressure kept. `node bench/proxies/undici.ts PORT`
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type Dispatcher, Pool } from 'undici';
import { CANDIDATE_PORT, CONTROL_PORT, split } from './split.ts';

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
const pools = new Map(
  [CONTROL_PORT, CANDIDATE_PORT].map((port) => [
    port,
    new Pool(`http://127.0.0.1:${port}`, { connections: 128, pipelining: 1 }),
  ]),
);

createServer((request, response) => {
  const { variant, port } = split(request.headers['x-user-id'] as string | undefined);
  const hasBody = request.headers['content-length'] !== undefined || 'transfer-encoding' in request.headers;
  pools.get(port)?.dispatch(
    {
      path: request.url ?? '/',
      method: request.method as Dispatcher.HttpMethod,
      headers: forwardedFields(request, variant),
      body: hasBody ? request : null,
    },
    new Answer(response),
  );
}).listen(Number(process.argv[2]), '127.0.0.1');

function forwardedFields(request: IncomingMessage, variant: string): string[] {
  const fields: string[] = [];
  const raw = request.rawHeaders;
  for (let i = 0; i < raw.length; i += 2) {
    if (!HOP_BY_HOP.has(raw[i]!.toLowerCase())) fields.push(raw[i]!, raw[i + 1]!);
  }
  fields.push('x-experiment', `ranking=${variant}`, 'x-forwarded-for', request.socket.remoteAddress ?? '');
  return fields;
}

class Answer implements Dispatcher.DispatchHandler {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  onRequestStart(): void {}

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    fields: Record<string, string | string[] | undefined>,
  ): void {
    for (const name of HOP_BY_HOP) delete fields[name];
    this.#response.writeHead(status, fields);
    this.#response.on('drain', () => controller.resume());
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#response.write(chunk)) controller.pause();
  }

  onResponseEnd(): void {
    this.#response.end();
  }

  onResponseError(): void {
    if (!this.#response.headersSent) this.#response.writeHead(502);
    this.#response.end();
  }
}
