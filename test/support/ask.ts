/** A client of a sidecar as an application would be one: it keeps connections, reads whole answers, and tells what it got. */
import { Agent, type IncomingMessage, request } from 'node:http';

/** What came of a request. */
export interface Asked {
  /** 0: there was no answer. */
  readonly status: number;
  readonly body: string;
  /** The code of a problem that the sidecar answered, the system's of a connection that broke; '' for none. */
  readonly code: string;
  /** The answer is there to its last byte. */
  readonly isComplete: boolean;
  readonly ms: number;
}

export interface AskOptions {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Given up after this, with the code ETIMEDOUT. */
  readonly timeoutMs?: number;
}

export class Asker {
  readonly port: number;
  readonly #agent: Agent;

  constructor(port: number, connections = 16) {
    this.port = port;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  /** Never rejects: a broken connection is a result. */
  ask({ method = 'GET', path = '/', headers = {}, body, timeoutMs }: AskOptions = {}): Promise<Asked> {
    const startedMs = performance.now();
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    return new Promise((resolve) => {
      const done = (result: Omit<Asked, 'ms'>) => resolve({ ...result, ms: performance.now() - startedMs });
      const sent = request(
        {
          host: '127.0.0.1',
          port: this.port,
          agent: this.#agent,
          method,
          path,
          headers: { ...length, ...headers },
        },
        (response) => read(response, done),
      );
      if (timeoutMs !== undefined) {
        const late = Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' });
        const timer = setTimeout(() => sent.destroy(late), timeoutMs);
        sent.once('close', () => clearTimeout(timer));
      }
      sent.on('error', (error: NodeJS.ErrnoException) =>
        done({ status: 0, body: '', code: error.code ?? 'error', isComplete: false }),
      );
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function read(response: IncomingMessage, done: (result: Omit<Asked, 'ms'>) => void): void {
  const { statusCode: status = 0 } = response;
  let body = '';
  response.setEncoding('latin1');
  response.on('data', (chunk: string) => {
    body += chunk;
  });
  response.on('error', () => {});
  response.on('close', () => {
    const isProblem = response.headers['content-type'] === 'application/problem+json';
    const code = response.complete && isProblem ? (JSON.parse(body) as { code: string }).code : '';
    done({ status, body, code, isComplete: response.complete });
  });
}
