import { createHmac, randomBytes } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { WebhookConfig } from '../../../src/config/schema-webhook.ts';
import { type Outcome, Webhooks } from '../../../src/control/webhooks.ts';
import { seededRandom } from '../../support/seeded-random.ts';

interface Letter {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Somebody who is told things: answers with the statuses given, in turn, then 204; 0: not at all. */
class Receiver {
  readonly letters: Letter[] = [];
  readonly statuses: number[] = [];
  readonly #server: Server;
  readonly #waiting: { count: number; resolve: () => void }[] = [];

  constructor() {
    this.#server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      request.on('end', () => {
        this.letters.push({ headers: request.headers, body });
        const status = this.statuses.shift() ?? 204;
        if (status !== 0) response.writeHead(status, { location: '/elsewhere' }).end();
        for (const { count, resolve } of this.#waiting) if (this.letters.length >= count) resolve();
      });
    });
  }

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook/s3cret`;
  }

  /** Until so many have come in all. */
  async received(count: number): Promise<readonly Letter[]> {
    if (this.letters.length < count)
      await new Promise<void>((resolve) => this.#waiting.push({ count, resolve }));
    return this.letters;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

let receiver: Receiver;
let webhooks: Webhooks;
let outcomes: Outcome[];
let problems: string[];
let hook: WebhookConfig;

beforeEach(async () => {
  receiver = new Receiver();
  outcomes = [];
  problems = [];
  webhooks = new Webhooks({
    clock: { now: () => 0, wallMs: () => Date.UTC(2026, 10, 21, 12, 0, 0) },
    random: { ...seededRandom(1), hex: (bytes) => randomBytes(bytes).toString('hex') },
    onOutcome: (_webhook, outcome) => outcomes.push(outcome),
    onProblem: (sentence) => problems.push(sentence),
    waitMs: 1,
  });
  hook = {
    name: 'chat',
    url: await receiver.open(),
    events: ['breaker.opened', 'breaker.closed'],
    secret: 'a shared secret',
    timeout: 30_000,
  };
  webhooks.configure([hook]);
});
afterEach(async () => {
  await webhooks.close(0);
  receiver.close();
});

const opened = (number = 1) => webhooks.tell({ event: 'breaker.opened', data: { number } });

describe('a webhook', () => {
  test('is told what happened, and can tell who says it and when', async () => {
    opened();
    const [letter] = await receiver.received(1);
    const { headers, body } = letter!;
    expect(JSON.parse(body)).toEqual({
      type: 'breaker.opened',
      timestamp: '2026-11-21T12:00:00.000Z',
      data: { number: 1 },
    });
    expect(headers['content-type']).toBe('application/json');
    expect(headers['webhook-timestamp']).toBe('1795262400');
    const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
    const signature = createHmac('sha256', 'a shared secret').update(signed).digest('base64');
    expect(headers['webhook-signature']).toBe(`v1,${signature}`);
    await webhooks.close(15_000);
    expect(outcomes).toEqual(['delivered']);
  });

  test('signs with the bytes of a secret that standardwebhooks.com gave out', async () => {
    const key = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64');
    webhooks.configure([{ ...hook, secret: `whsec_${key.toString('base64')}` }]);
    opened();
    const { headers, body } = (await receiver.received(1))[0]!;
    const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
    expect(headers['webhook-signature']).toBe(
      `v1,${createHmac('sha256', key).update(signed).digest('base64')}`,
    );
  });

  test('is told only of the events that it wants', async () => {
    webhooks.tell({ event: 'experiment.killed', data: {} });
    webhooks.tell({ event: 'breaker.closed', data: {} });
    const letters = await receiver.received(1);
    await webhooks.close(15_000);
    expect(letters.map(({ body }) => (JSON.parse(body) as { type: string }).type)).toEqual([
      'breaker.closed',
    ]);
  });

  test('that fails is told again, with the same id, and in order', async () => {
    receiver.statuses.push(503, 429, 204);
    opened(1);
    opened(2);
    const letters = await receiver.received(4);
    await webhooks.close(15_000);
    const said = letters.map(({ body }) => (JSON.parse(body) as { data: { number: number } }).data.number);
    expect(said).toEqual([1, 1, 1, 2]);
    const ids = letters.map(({ headers }) => headers['webhook-id']);
    expect(new Set(ids.slice(0, 3)).size).toBe(1);
    expect(ids[3]).not.toBe(ids[0]);
    expect(outcomes).toEqual(['retried', 'retried', 'delivered', 'delivered']);
  });

  test('that refuses is not asked again, nor followed elsewhere', async () => {
    receiver.statuses.push(404, 302);
    opened(1);
    opened(2);
    opened(3);
    await receiver.received(3);
    await webhooks.close(15_000);
    expect(outcomes).toEqual(['failed', 'failed', 'delivered']);
    expect(problems).toEqual(['the webhook chat took no news: it answered 404']);
  });

  test('that never works is given up after eight attempts, and the next news is tried', async () => {
    receiver.statuses.push(...Array.from({ length: 8 }, () => 500));
    opened(1);
    opened(2);
    await receiver.received(9);
    await webhooks.close(15_000);
    expect(outcomes).toEqual([...Array.from({ length: 7 }, () => 'retried'), 'failed', 'delivered']);
  });

  test('that does not answer is given up in time', async () => {
    webhooks.configure([{ ...hook, timeout: 250 }]);
    receiver.statuses.push(0, 204);
    opened();
    await receiver.received(2);
    await webhooks.close(15_000);
    // On a busy machine an answer may be late as well.
    expect(outcomes[0]).toBe('retried');
    expect(outcomes.at(-1)).toBe('delivered');
  });

  test('that is not there is a problem whose sentence has neither its URL nor its secret', async () => {
    // Nobody has this port, and nobody gets it by asking for a free one.
    webhooks.configure([{ ...hook, url: 'http://127.0.0.1:2/hook/s3cret' }]);
    opened();
    await webhooks.close(15_000);
    expect(outcomes.at(-1)).toBe('failed');
    expect(problems).toEqual(['the webhook chat took no news: it could not be reached (ECONNREFUSED)']);
  });

  test('that takes nothing keeps the last hundred, and the one under way', async () => {
    receiver.statuses.push(0);
    for (let number = 1; number <= 150; number++) opened(number);
    expect(outcomes).toEqual(Array.from({ length: 50 }, () => 'dropped'));
    await receiver.received(1);
    await webhooks.close(10);
    expect(outcomes.filter((outcome) => outcome === 'failed')).toHaveLength(100);
  });

  test('that is gone from the rules is told nothing more', async () => {
    receiver.statuses.push(0);
    opened(1);
    await receiver.received(1);
    opened(2);
    webhooks.configure([]);
    expect(outcomes).toEqual(['failed', 'failed']);
    opened(3);
    await webhooks.close(15_000);
    expect(receiver.letters).toHaveLength(1);
  });
});
