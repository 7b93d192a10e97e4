/** A reader of a stream of events, over a real socket. */
import { get, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { Signal } from './rig.ts';

export interface ReadEvent {
  readonly event: string;
  readonly data: Record<string, unknown>;
}

export class EventReader {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly events: ReadEvent[] = [];
  /** Lines that say nothing: the heart. */
  beats = 0;
  isEnded = false;
  /** Ended as it should be, and not cut. */
  isComplete = false;
  readonly #answer: IncomingMessage;
  readonly #signal = new Signal();
  #text = '';

  private constructor(answer: IncomingMessage) {
    this.#answer = answer;
    this.status = answer.statusCode ?? 0;
    this.headers = answer.headers;
    answer.setEncoding('utf8');
    answer.on('data', (chunk: string) => this.#read(chunk));
    answer.on('error', () => {});
    answer.on('close', () => {
      this.isEnded = true;
      this.isComplete = answer.complete;
      this.#signal.wake();
    });
  }

  /** Resolves with the head of the answer. */
  static open(url: string, headers: Record<string, string> = {}): Promise<EventReader> {
    return new Promise((resolve, reject) => {
      get(url, { headers, agent: false }, (answer) => resolve(new EventReader(answer))).on('error', reject);
    });
  }

  /** Resolves when this holds. */
  until(condition: () => boolean, timeoutMs = 10_000): Promise<void> {
    return this.#signal.until(condition, () => JSON.stringify(this.events).slice(0, 2000), timeoutMs);
  }

  /** The first event of this kind that is like that, when it comes. */
  async first(event: string, isLike: (data: ReadEvent['data']) => boolean = () => true) {
    const find = () => this.events.find((one) => one.event === event && isLike(one.data));
    await this.until(() => find() !== undefined);
    return find()!.data;
  }

  /** What came instead of a stream. */
  async body(): Promise<Record<string, unknown>> {
    await this.until(() => this.isEnded);
    return JSON.parse(this.#text) as Record<string, unknown>;
  }

  close(): void {
    this.#answer.destroy();
  }

  #read(chunk: string): void {
    this.#text += chunk;
    if (this.headers['content-type'] !== 'text/event-stream') return;
    const blocks = this.#text.split('\n\n');
    this.#text = blocks.pop()!;
    for (const block of blocks) {
      if (block === ':') this.beats++;
      const [, event, data] = /^event: (.+)\ndata: (.+)$/.exec(block) ?? [];
      if (event !== undefined) this.events.push({ event, data: JSON.parse(data!) as ReadEvent['data'] });
    }
    this.#signal.wake();
  }
}
