/**
 * News for webhooks: JSON by POST, signed as standardwebhooks.com has it, each webhook in the order of the news. What
 * is not taken is tried again with growing waits, and given up in the end; when more comes in than goes out, the oldest
 * goes. Never waited for: nothing that it does can hold up or fail a request. No secret is in any sentence.
 */
import { createHmac } from 'node:crypto';
import type { Clock, Random } from '../base/clock.ts';
import type { WebhookConfig, WebhookEvent } from '../config/schema-webhook.ts';

/** Of a webhook that takes nothing this much is kept. */
const QUEUE_MAX = 100;
/** The first, and again after about 1, 2, 4, ... seconds: what is not taken after two minutes is old. */
const ATTEMPTS_MAX = 8;
const WAIT_MS = 1_000;
const WAIT_MAX_MS = 60_000;
/** Another 4xx than these says that it would never be taken. */
const LATER = new Set([408, 425, 429]);

export interface News {
  readonly event: WebhookEvent;
  /** What is told beside the event and the time. */
  readonly data: Readonly<Record<string, unknown>>;
}

export interface WebhooksOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** `delivered`, `retried`, `failed` (given up) or `dropped`. Must not throw. */
  readonly onOutcome: (webhook: string, outcome: Outcome) => void;
  readonly onProblem: (sentence: string) => void;
  /** Between attempts; a test has its own. */
  readonly waitMs?: number;
}

export type Outcome = 'delivered' | 'retried' | 'failed' | 'dropped';

/** One message, signed when it is sent. */
export interface Letter {
  /** The same for what is the same: a receiver takes it once. */
  readonly id: string;
  readonly body: string;
}

export class Webhooks {
  readonly #options: WebhooksOptions;
  #mailboxes = new Map<string, Mailbox>();

  constructor(options: WebhooksOptions) {
    this.#options = options;
  }

  /** These from now on. One whose name stays goes on with what it has not delivered. */
  configure(webhooks: readonly WebhookConfig[]): void {
    const before = this.#mailboxes;
    this.#mailboxes = new Map();
    for (const webhook of webhooks) {
      const mailbox = before.get(webhook.name) ?? new Mailbox(webhook, this.#options);
      mailbox.webhook = webhook;
      this.#mailboxes.set(webhook.name, mailbox);
      before.delete(webhook.name);
    }
    for (const mailbox of before.values()) mailbox.close();
  }

  /** Returns at once. */
  tell({ event, data }: News): void {
    const { clock, random } = this.#options;
    const timestamp = new Date(clock.wallMs()).toISOString();
    for (const mailbox of this.#mailboxes.values()) {
      if (!mailbox.webhook.events.includes(event)) continue;
      const body = JSON.stringify({ type: event, timestamp, data });
      mailbox.put({ id: `msg_${random.hex(12)}`, body });
    }
  }

  /** Tells one webhook, whatever its events are. Returns at once; `id` is the same for the same news. */
  tellOne(name: string, letter: Letter): void {
    this.#mailboxes.get(name)?.put(letter);
  }

  /** Asks one webhook, once: null when it agrees (2xx), or what it did instead, in words. Never rejects. */
  async ask(name: string, letter: Letter): Promise<string | null> {
    const mailbox = this.#mailboxes.get(name);
    if (mailbox === undefined) return 'is not there';
    return (await mailbox.attempt(letter)).problem;
  }

  /** Resolves when nothing is left to deliver, or after `graceMs`, when the rest is given up. */
  async close(graceMs: number): Promise<void> {
    const mailboxes = [...this.#mailboxes.values()];
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([Promise.all(mailboxes.map((mailbox) => mailbox.emptied)), late]);
    clearTimeout(timer);
    for (const mailbox of mailboxes) mailbox.close();
  }
}

/** What one webhook has still to be told. */
class Mailbox {
  webhook: WebhookConfig;
  /** Resolves when nothing is left. */
  emptied: Promise<void> = Promise.resolve();
  readonly #options: WebhooksOptions;
  readonly #letters: Letter[] = [];
  readonly #closing = new AbortController();
  #isDelivering = false;
  #isFailing = false;

  constructor(webhook: WebhookConfig, options: WebhooksOptions) {
    this.webhook = webhook;
    this.#options = options;
  }

  put(letter: Letter): void {
    if (this.#closing.signal.aborted) return;
    this.#letters.push(letter);
    // The first is on its way.
    if (this.#letters.length > QUEUE_MAX) {
      this.#letters.splice(1, 1);
      this.#count('dropped');
    }
    if (!this.#isDelivering) this.emptied = this.#deliverAll();
  }

  /** What is left is given up. */
  close(): void {
    this.#closing.abort();
    for (const _ of this.#letters.splice(0)) this.#count('failed');
  }

  async #deliverAll(): Promise<void> {
    this.#isDelivering = true;
    for (let letter = this.#letters[0]; letter !== undefined; letter = this.#letters[0]) {
      const problem = await this.#deliver(letter);
      if (this.#closing.signal.aborted) break;
      this.#letters.shift();
      this.#count(problem === null ? 'delivered' : 'failed');
      this.#report(problem);
    }
    this.#isDelivering = false;
  }

  /** Why it was not taken, or null. */
  async #deliver(letter: Letter): Promise<string | null> {
    for (let attempt = 1; ; attempt++) {
      const { problem, isFinal } = await this.attempt(letter);
      if (problem === null || isFinal || attempt === ATTEMPTS_MAX) return problem;
      this.#count('retried');
      await this.#wait(attempt);
      if (this.#closing.signal.aborted) return problem;
    }
  }

  /** Sends it once. */
  async attempt({ id, body }: Letter): Promise<{ problem: string | null; isFinal: boolean }> {
    const { url, secret = '', timeout } = this.webhook;
    const seconds = String(Math.floor(this.#options.clock.wallMs() / 1000));
    try {
      const response = await fetch(url, {
        method: 'POST',
        redirect: 'manual',
        headers: {
          'content-type': 'application/json',
          'user-agent': 'fairlead',
          'webhook-id': id,
          'idempotency-key': id,
          'webhook-timestamp': seconds,
          'webhook-signature': sign(secret, `${id}.${seconds}.${body}`),
        },
        body,
        signal: AbortSignal.any([AbortSignal.timeout(timeout), this.#closing.signal]),
      });
      // What it says beside the status is of no interest, however it ends.
      await response.body?.cancel().catch(() => undefined);
      const { status } = response;
      if (status >= 200 && status < 300) return { problem: null, isFinal: true };
      return { problem: `answered ${status}`, isFinal: status < 500 && !LATER.has(status) };
    } catch (error) {
      return { problem: whyOf(error), isFinal: false };
    }
  }

  /** Ends early when the mailbox is closed. */
  async #wait(attempt: number): Promise<void> {
    const { random, waitMs = WAIT_MS } = this.#options;
    const baseMs = Math.min(WAIT_MAX_MS, waitMs * 2 ** (attempt - 1));
    const { signal } = this.#closing;
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, baseMs * (1 + 0.5 * random.next()));
      signal.addEventListener('abort', done);
    });
  }

  /** The first failure in a row is said, and that it is over. */
  #report(problem: string | null): void {
    const { name } = this.webhook;
    if (problem !== null && !this.#isFailing)
      this.#options.onProblem(`the webhook ${name} took no news: it ${problem}`);
    this.#isFailing = problem !== null;
  }

  #count(outcome: Outcome): void {
    this.#options.onOutcome(this.webhook.name, outcome);
  }
}

/** A secret of the form that standardwebhooks.com gives out is decoded; any other is its own bytes. */
function sign(secret: string, signed: string): string {
  const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice('whsec_'.length), 'base64') : secret;
  return `v1,${createHmac('sha256', key).update(signed).digest('base64')}`;
}

/** By its code alone: a message may hold the URL. */
function whyOf(error: unknown): string {
  if (error instanceof DOMException && error.name === 'TimeoutError') return 'gave no answer in time';
  const cause = error instanceof Error ? error.cause : null;
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : 'failed';
  return `could not be reached (${code})`;
}
