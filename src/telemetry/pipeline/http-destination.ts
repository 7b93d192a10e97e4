/** CloudEvents by HTTP, in batches: `application/cloudevents-batch+json` (CloudEvents 1.0, HTTP binding, section 3.3). */
import type { Destination, Verdict } from './destination.ts';
import { HttpPost, type HttpPostOptions } from './http-post.ts';

const CONTENT_TYPE = 'application/cloudevents-batch+json; charset=utf-8';
const COMMA = Buffer.from(',');
const OPEN = Buffer.from('[');
const CLOSE = Buffer.from(']');

export class HttpDestination implements Destination {
  readonly #post: HttpPost;

  constructor(options: HttpPostOptions) {
    this.#post = new HttpPost(options);
  }

  send(events: readonly Buffer[], signal: AbortSignal): Promise<Verdict> {
    const parts = events.flatMap((event, index) => (index === 0 ? [event] : [COMMA, event]));
    return this.#post.send(Buffer.concat([OPEN, ...parts, CLOSE]), CONTENT_TYPE, signal);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
