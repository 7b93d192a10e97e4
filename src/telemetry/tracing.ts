/**
 * Spans of sampled requests, sent by OTLP in batches, off the request path. Never waited for: in memory is a bounded
 * number, and what does not fit or is not taken is dropped and counted.
 */
import type { Clock, Random } from '../base/clock.ts';
import { continuedSpan, rootSpan, type Span, sampleThreshold } from '../propagation/span.ts';
import type { Log } from './log.ts';
import {
  type AttributeValue,
  attributesOf,
  EVALUATION,
  type Evaluation,
  evaluationAttributes,
  type Resource,
  spansOf,
  unixNano,
} from './otlp.ts';
import { HttpPost, type HttpPostOptions } from './pipeline/http-post.ts';
import type { Counter } from './series.ts';

/** Some 4 MB: what 1 % of 10,000 requests a second make in 40 seconds. */
const QUEUE_MAX = 4096;
const BATCH_SPANS = 512;
const BATCH_MS = 1000;
/** A batch that was not taken so often is dropped. */
const ATTEMPTS_MAX = 4;
const WAIT_MS = 1000;
const WAIT_MAX_MS = 30_000;
/** Of the OTLP `Span`: its kinds, and the status of one that failed. */
const KINDS = { server: 2, client: 3 } as const;
const STATUS_ERROR = 2;

/** A request that is over, as its span tells it. */
export interface SpanFacts {
  /** server: a request that we were asked; client: one of the service, to others. */
  readonly kind: keyof typeof KINDS;
  readonly name: string;
  /** Milliseconds since the epoch, with a fraction. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  readonly isError: boolean;
  /** What was assigned, all of it at the start. */
  readonly evaluations: readonly Evaluation[];
}

export interface TracingOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly resource: Resource;
  readonly post: HttpPostOptions;
  readonly samplePpm: number;
  readonly sent: Counter;
  readonly dropped: Counter;
  readonly batchMs?: number;
  readonly waitMs?: number;
}

interface Ended {
  readonly span: Span;
  readonly facts: SpanFacts;
}

export class Tracing {
  readonly #options: TracingOptions;
  readonly #post: HttpPost;
  readonly #threshold: string | null;
  readonly #newSpanId: () => string;
  readonly #closing = new AbortController();
  #queue: Ended[] = [];
  #timer: NodeJS.Timeout | null = null;
  #sending: Promise<void> | null = null;
  #isFailing = false;

  constructor(options: TracingOptions) {
    this.#options = options;
    this.#post = new HttpPost(options.post);
    this.#threshold = sampleThreshold(options.samplePpm);
    this.#newSpanId = () => options.random.hex(8);
  }

  /**
   * The span of a request that begins, or null: it is not recorded.
   * @param traceparent valid, or '' for a request that has and gets none
   * @param isFresh it was made here
   */
  begin(traceparent: string, isFresh: boolean): Span | null {
    if (isFresh) return rootSpan(traceparent, this.#threshold);
    return traceparent === '' ? null : continuedSpan(traceparent, this.#newSpanId);
  }

  /** Of a request that is over. */
  end(span: Span, facts: SpanFacts): void {
    if (this.#queue.length >= QUEUE_MAX) {
      this.#options.dropped.value++;
      return;
    }
    this.#queue.push({ span, facts });
    if (this.#sending !== null) return;
    if (this.#queue.length >= BATCH_SPANS) this.#send();
    else if (this.#timer === null) {
      this.#timer = setTimeout(() => this.#send(), this.#options.batchMs ?? BATCH_MS);
      this.#timer.unref();
    }
  }

  /** Sends what there is, within the time of one attempt. Never rejects. */
  async close(): Promise<void> {
    const late = setTimeout(() => this.#closing.abort(), this.#options.post.timeoutMs);
    this.#isClosing = true;
    this.#send();
    await this.#sending;
    clearTimeout(late);
  }

  #isClosing = false;

  #send(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = null;
    });
  }

  async #sendAll(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, BATCH_SPANS);
      const isTaken = await this.#deliver(bodyOf(this.#options.resource, batch));
      this.#options[isTaken ? 'sent' : 'dropped'].value += batch.length;
    }
  }

  async #deliver(body: Buffer): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      const verdict = await this.#post.send(body, 'application/json', this.#closing.signal);
      if (verdict.kind === 'taken') {
        this.#tell(null);
        return true;
      }
      this.#tell(verdict.kind === 'too-large' ? 'a batch is too large for it' : verdict.problem);
      if (verdict.kind !== 'later' || attempt === ATTEMPTS_MAX || this.#isClosing) return false;
      const baseMs = (this.#options.waitMs ?? WAIT_MS) * 2 ** (attempt - 1);
      const waitMs = Math.min(WAIT_MAX_MS, Math.max(baseMs, verdict.waitMs ?? 0));
      await pause(waitMs * (1 + 0.5 * this.#options.random.next()));
    }
  }

  /** The first of a row of failures is said, and that it is over. */
  #tell(problem: string | null): void {
    if (this.#isFailing === (problem !== null)) return;
    this.#isFailing = problem !== null;
    const sentence = problem === null ? 'spans are taken again' : `spans are not taken: ${problem}`;
    this.#options.log.warn({ sink: 'tracing' }, `tracing: ${sentence}`);
  }
}

function bodyOf(resource: Resource, batch: readonly Ended[]): Buffer {
  return Buffer.from(JSON.stringify(spansOf(resource, batch.map(spanOf))));
}

function spanOf({ span, facts }: Ended): object {
  const startTimeUnixNano = unixNano(facts.startMs);
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    ...(span.parentId === null ? {} : { parentSpanId: span.parentId }),
    name: facts.name,
    kind: KINDS[facts.kind],
    startTimeUnixNano,
    endTimeUnixNano: unixNano(facts.endMs),
    attributes: attributesOf(facts.attributes),
    events: facts.evaluations.map((evaluation) => ({
      timeUnixNano: startTimeUnixNano,
      name: EVALUATION,
      attributes: attributesOf(evaluationAttributes(evaluation)),
    })),
    ...(facts.isError ? { status: { code: STATUS_ERROR } } : {}),
  };
}

function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, delayMs).unref();
  });
}
