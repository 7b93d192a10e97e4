/** Node's own HTTP/1.1 parser (llhttp), strict, over an in-memory stream: the reference of the differential tests. */
import http from 'node:http';
import { type Duplex, duplexPair } from 'node:stream';

export interface NodeMessage {
  readonly method: string;
  readonly target: string;
  readonly status: number;
  readonly version: string;
  /** `Name: value`, as received. */
  readonly fields: readonly string[];
  readonly data: string;
  readonly trailers: readonly string[];
}

export interface NodeReading {
  readonly messages: readonly NodeMessage[];
  /** llhttp's code, when it refused something. */
  readonly error: string | null;
}

/** Above every limit of the messages in these tests. */
const HEADER_MAX_BYTES = 1_000_000;

/** What node:http makes of `bytes` as requests on one connection that the client then closes. */
export function readRequests(bytes: Buffer): Promise<NodeReading> {
  const messages: NodeMessage[] = [];
  let error: string | null = null;
  const server = http.createServer({
    insecureHTTPParser: false,
    maxHeaderSize: HEADER_MAX_BYTES,
    keepAliveTimeout: 0,
  });
  const onRequest = (request: http.IncomingMessage, answer: http.ServerResponse) => {
    collect(request, (message) => {
      messages.push(message);
      answer.end();
    });
  };
  for (const event of ['request', 'checkContinue', 'checkExpectation']) server.on(event, onRequest);
  return new Promise((resolve) => {
    server.on('clientError', (cause: NodeJS.ErrnoException, socket: Duplex) => {
      error = cause.code ?? 'error';
      socket.destroy();
    });
    const [client, side] = duplexPair();
    side.on('error', () => {});
    client.on('error', () => {});
    side.on('close', () => resolve({ messages, error }));
    client.resume();
    server.emit('connection', side);
    client.end(bytes);
  });
}

/** What node:http makes of `bytes` as the response to `method`, after which the connection is closed. */
export function readResponse(bytes: Buffer, method: string): Promise<NodeReading> {
  return new Promise((resolve) => {
    const [client, side] = duplexPair();
    client.on('error', () => {});
    side.on('error', () => {});
    const messages: NodeMessage[] = [];
    const request = http.request({
      method,
      path: '/',
      host: 'a',
      createConnection: () => client,
      insecureHTTPParser: false,
      maxHeaderSize: HEADER_MAX_BYTES,
    });
    request.on('error', (cause: NodeJS.ErrnoException) => {
      resolve({ messages, error: cause.code ?? 'error' });
      client.destroy();
    });
    request.on('response', (response) => {
      response.on('aborted', () => resolve({ messages, error: 'aborted' }));
      collect(response, (message) => {
        messages.push(message);
        resolve({ messages, error: null });
        client.destroy();
      });
    });
    side.resume();
    request.end();
    side.end(bytes);
  });
}

function collect(message: http.IncomingMessage, done: (message: NodeMessage) => void): void {
  let data = '';
  message.setEncoding('latin1');
  message.on('data', (piece: string) => {
    data += piece;
  });
  message.on('error', () => {});
  message.on('end', () => {
    done({
      method: message.method ?? '',
      target: message.url ?? '',
      status: message.statusCode ?? 0,
      version: message.httpVersion,
      fields: pairs(message.rawHeaders),
      data,
      trailers: pairs(message.rawTrailers),
    });
  });
}

function pairs(raw: readonly string[]): string[] {
  const lines = [];
  for (let i = 0; i < raw.length; i += 2) lines.push(`${raw[i]}: ${raw[i + 1]}`);
  return lines;
}
