/**
 * A service in a process of its own, that can be told to go bad in any way a service goes bad. `service-process.ts`
 * starts it. Answers a GET with its name, and everything else with its name and the length of the body. An `x-id` of
 * a request goes to its record, which is a file, so that what it has done is known even when it is killed.
 */
import { appendFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** `deaf`: takes connections and never reads. `flood`: a head without end. Reset in the head or in the body. */
export type Mode =
  | { readonly kind: 'ok' | 'hang' | 'deaf' | 'reset-head' | 'reset-body' | 'garbage' | 'flood' }
  | { readonly kind: 'slow'; readonly ms: number }
  | { readonly kind: 'error'; readonly status: number };

/** What it is told, and what it says: first its port, then of each new mode that it is in it. */
export type ToService = { readonly mode: Mode };
export type FromService = { readonly port: number } | { readonly mode: Mode };

const [name = '', port = '0', record = ''] = process.argv.slice(2);
const sockets = new Set<Socket>();
let mode: Mode = { kind: 'ok' };

/** Looks like nothing of HTTP. */
const GARBAGE = Buffer.from([
  0x16,
  0x03,
  0x01,
  0x00,
  0xff,
  0x00,
  0x0d,
  0x0a,
  0x0d,
  0x0a,
  ...Buffer.alloc(200, 0x80),
]);

function serve(request: IncomingMessage, response: ServerResponse): void {
  let length = 0;
  request.on('data', (chunk: Buffer) => {
    length += chunk.length;
  });
  request.on('end', () => {
    const { 'x-id': id } = request.headers;
    if (record !== '' && id !== undefined) appendFileSync(record, `${request.method} ${id}\n`);
    answer(response, request.method === 'GET' ? name : `${name} ${length}`);
  });
}

function answer(response: ServerResponse, text: string): void {
  const socket = response.socket!;
  const end = (): void => void response.end(text);
  switch (mode.kind) {
    case 'ok':
      return end();
    case 'slow':
      return void setTimeout(end, mode.ms);
    case 'error':
      response.statusCode = mode.status;
      return end();
    case 'reset-head':
      socket.write('HTTP/1.1 200 OK\r\ncontent-le', () => socket.resetAndDestroy());
      return;
    case 'reset-body':
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n${name}`, () =>
        setTimeout(() => socket.resetAndDestroy(), 10),
      );
      return;
    case 'garbage':
      socket.write(GARBAGE);
      return;
    case 'flood':
      socket.write('HTTP/1.1 200 OK\r\n');
      return flood(socket);
  }
}

/** As fast as it is read, until the connection is cut. */
function flood(socket: Socket): void {
  if (socket.destroyed) return;
  const more = `x-${'a'.repeat(100)}: ${'b'.repeat(10_000)}\r\n`;
  if (socket.write(more)) setImmediate(() => flood(socket));
  else socket.once('drain', () => flood(socket));
}

const http = createHttpServer({ keepAliveTimeout: 60_000 }, serve);
const server = createServer({ noDelay: true }, (socket) => {
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
  socket.on('error', () => {});
  if (mode.kind !== 'deaf') http.emit('connection', socket);
});

process.on('message', (told: ToService) => {
  // Connections of before would go on as they were.
  if (told.mode.kind === 'deaf' || mode.kind === 'deaf') for (const socket of sockets) socket.destroy();
  mode = told.mode;
  process.send!({ mode } satisfies FromService);
});
process.on('disconnect', () => process.exit(0));
server.listen({ port: Number(port), host: '127.0.0.1', backlog: 1024 }, () =>
  process.send!({ port: (server.address() as AddressInfo).port } satisfies FromService),
);
