/**
 * Streams of events (server-sent events, as the HTML standard has them) to those who watch. Each is bounded: of a reader
 * that does not read nothing is kept, it is cut. Never a source of events itself.
 */
import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AdminError } from './problem.ts';

/** Open at one time, whoever reads them. */
const STREAMS_MAX = 32;
/** What a reader may leave behind when there is a new event; little memory, even for all of them. */
const UNREAD_MAX_BYTES = 256 * 1024;
/** Proxies cut what says nothing for a minute, some for half of one. */
const HEARTBEAT_MS = 15_000;
/** How long a client waits before it connects again. */
const RETRY_MS = 2_000;
/** A stop is not held up for longer by readers. */
const CLOSE_MS = 250;

/** One reader. */
export interface EventStream {
  /** One event; `text` is one line. Nothing happens when the reader is gone. */
  send(event: string, text: string): void;
}

export interface EventStreamsOptions {
  readonly streamsMax?: number;
  readonly heartbeatMs?: number;
}

export class EventStreams {
  readonly #streamsMax: number;
  readonly #heartbeatMs: number;
  readonly #open = new Set<ServerResponse>();
  #heart: NodeJS.Timeout | null = null;

  constructor({ streamsMax = STREAMS_MAX, heartbeatMs = HEARTBEAT_MS }: EventStreamsOptions = {}) {
    this.#streamsMax = streamsMax;
    this.#heartbeatMs = heartbeatMs;
  }

  /** How many are read. */
  get size(): number {
    return this.#open.size;
  }

  /**
   * Answers a request with a stream.
   *
   * @param begin is given the stream and returns what to do when the reader is gone, once
   * @throws AdminError when there are too many
   */
  answer(
    request: FastifyRequest,
    reply: FastifyReply,
    begin: (stream: EventStream) => () => void,
  ): FastifyReply {
    if (this.#open.size >= this.#streamsMax) throw tooMany(reply, this.#streamsMax);
    reply.headers(HEADERS);
    if (request.method === 'HEAD') return reply.send();
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, reply.getHeaders() as Record<string, string>);
    raw.write(`retry: ${RETRY_MS}\n\n`);
    this.#open.add(raw);
    this.#heart ??= setInterval(() => this.#beat(), this.#heartbeatMs).unref();
    const end = begin({ send: (event, text) => write(raw, `event: ${event}\ndata: ${text}\n\n`) });
    raw.once('close', () => {
      this.#open.delete(raw);
      if (this.#open.size === 0) this.#stopHeart();
      end();
    });
    return reply;
  }

  /** Ends all of them; resolves when that is said, or cannot be soon. */
  async close(): Promise<void> {
    const ended = Array.from(
      this.#open,
      (raw) => new Promise<void>((resolve) => raw.once('close', () => resolve()).end()),
    );
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_MS);
    });
    await Promise.race([Promise.all(ended), late]);
    clearTimeout(timer);
    for (const raw of this.#open) if (raw.writableEnded) raw.destroy();
  }

  #beat(): void {
    for (const raw of this.#open) write(raw, ':\n\n');
  }

  #stopHeart(): void {
    if (this.#heart !== null) clearInterval(this.#heart);
    this.#heart = null;
  }
}

const HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  // nginx would keep events until it has enough of them.
  'x-accel-buffering': 'no',
};

function write(raw: ServerResponse, text: string): void {
  if (raw.writableEnded || raw.destroyed) return;
  // One event may be larger than that, and is no reader's fault.
  if (raw.writableLength > UNREAD_MAX_BYTES) raw.destroy();
  else raw.write(text);
}

function tooMany(reply: FastifyReply, streamsMax: number): AdminError {
  reply.header('retry-after', '10');
  return new AdminError('streams_exceeded', `${streamsMax} streams are open, and there are no more.`, {
    hint: 'close one, or read the resources from time to time',
  });
}
