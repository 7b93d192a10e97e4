/** A server that takes batches of CloudEvents, and remembers which. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Signal } from './rig.ts';

export interface TakenEvent {
  readonly id: string;
  readonly data: Readonly<Record<string, string | number | null>>;
}

export class EventSink {
  readonly signal = new Signal();
  /** The events by id, as they were first received. */
  readonly events = new Map<string, TakenEvent>();
  /** Received again, and whether each time with the same content. */
  repeated = 0;
  areRepetitionsSame = true;
  batches = 0;
  /** While false, whoever has something to hand over is cut off, and nothing of it is remembered. */
  isTaking = true;
  /** Decides what becomes of a batch that was received whole and remembered. */
  answer: (response: ServerResponse, batch: number) => void = (response) => response.writeHead(202).end();
  url = '';
  readonly #server = createServer((request, response) => this.#receive(request, response));

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/events`;
    return this;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  has(count: number, timeoutMs: number): Promise<void> {
    return this.signal.until(
      () => this.events.size >= count,
      () => `${this.events.size} of ${count} events`,
      timeoutMs,
    );
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    if (!this.isTaking) {
      request.destroy();
      return;
    }
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      for (const event of JSON.parse(Buffer.concat(chunks).toString()) as TakenEvent[]) this.#remember(event);
      this.answer(response, this.batches++);
      this.signal.wake();
    });
  }

  #remember(event: TakenEvent): void {
    const known = this.events.get(event.id);
    if (known === undefined) {
      this.events.set(event.id, event);
      return;
    }
    this.repeated++;
    if (JSON.stringify(known) !== JSON.stringify(event)) this.areRepetitionsSame = false;
  }
}
