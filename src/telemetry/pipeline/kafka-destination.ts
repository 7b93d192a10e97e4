/**
 * CloudEvents in a Kafka topic (Kafka binding, structured mode), acknowledged by all replicas. The unit is the key, so
 * that what is known of one is in one partition, in order. The client is loaded when the first events are sent.
 */
import type { Producer, ProducerOptions } from '@platformatic/kafka';
import { type Destination, TAKEN, type Verdict } from './destination.ts';

export interface KafkaOptions {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly isTls: boolean;
  /** Null: nobody asks who we are. */
  readonly sasl: { readonly mechanism: string; readonly username: string; readonly password: string } | null;
  /** Of one attempt. */
  readonly timeoutMs: number;
}

type OurProducer = Producer<string, Buffer, string, string>;

const HEADERS = { 'content-type': 'application/cloudevents+json; charset=utf-8' };
/** Codes of the protocol that say that these very bytes will never be taken. */
const TOO_LARGE = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']);

export class KafkaDestination implements Destination {
  readonly #options: KafkaOptions;
  #producer: OurProducer | null = null;

  constructor(options: KafkaOptions) {
    this.#options = options;
  }

  async send(events: readonly Buffer[], signal: AbortSignal): Promise<Verdict> {
    const { topic, timeoutMs } = this.#options;
    const deadline = AbortSignal.any([AbortSignal.timeout(timeoutMs), signal]);
    try {
      const producer = await this.#open();
      const messages = events.map((event) => ({ topic, key: keyOf(event), value: event, headers: HEADERS }));
      await orAborted(producer.send({ messages, acks: -1 }), deadline);
      return TAKEN;
    } catch (error) {
      const codes = codesOf(error);
      if (codes.some((code) => TOO_LARGE.has(code))) return { kind: 'too-large' };
      // What a broken connection leaves in a client is not worth knowing.
      await this.close();
      return { kind: 'later', problem: `the brokers did not take them (${codes[0] ?? 'failed'})` };
    }
  }

  async close(): Promise<void> {
    const producer = this.#producer;
    this.#producer = null;
    if (producer === null) return;
    await orAborted(producer.close(true), AbortSignal.timeout(this.#options.timeoutMs)).catch(() => {});
  }

  async #open(): Promise<OurProducer> {
    if (this.#producer !== null) return this.#producer;
    const { Producer, stringSerializer } = await import('@platformatic/kafka');
    const { brokers, isTls, sasl, timeoutMs } = this.#options;
    this.#producer = new Producer<string, Buffer, string, string>({
      clientId: 'fairlead',
      bootstrapBrokers: [...brokers],
      serializers: {
        key: stringSerializer,
        value: (value) => value,
        headerKey: stringSerializer,
        headerValue: stringSerializer,
      },
      // Again is the courier's to say, with waits of its own.
      retries: 0,
      // Whether they may be made is the brokers' to say.
      autocreateTopics: true,
      timeout: timeoutMs,
      connectTimeout: timeoutMs,
      ...(isTls ? { tls: {} } : {}),
      ...(sasl === null
        ? {}
        : { sasl: sasl as NonNullable<ProducerOptions<string, Buffer, string, string>['sasl']> }),
    });
    return this.#producer;
  }
}

/** The unit as it is on record; '' for an exposure without one. */
function keyOf(event: Buffer): string {
  const { data } = JSON.parse(event.toString()) as { data: { unit: string | null } };
  return data.unit ?? '';
}

function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(Object.assign(new Error('aborted'), { code: 'TIMEOUT' }));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

/** The codes of an error and of what it is made of, the innermost first; no message, which may say anything. */
function codesOf(error: unknown): string[] {
  if (typeof error !== 'object' || error === null) return [];
  const { code, apiId, cause, errors } = error as Record<string, unknown>;
  const inner = [cause, ...(Array.isArray(errors) ? errors : [])].flatMap(codesOf);
  return [...inner, apiId, code].filter((one): one is string => typeof one === 'string');
}
