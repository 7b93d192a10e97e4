/**
 * One name that is kept resolved: asked for again when its answer has expired, at once known where it was known
 * before. What is known stays in use while nobody can be asked, so that an outage of DNS is not one of the service;
 * only an answer that the name does not exist ends it, and only when that is so for a while.
 */
import type { Random } from '../base/clock.ts';
import { openDurationMs } from '../resilience/back-off.ts';
import type { Timed } from './deadlines.ts';
import type { Answer } from './dns-client.ts';

/** After an answer that was none. */
const RETRY_MIN_MS = 1000;
const RETRY_MAX_MS = 30_000;
/** Up to this share of its time an answer is asked for early, so that not all sidecars ask at once. */
const JITTER_RATIO = 0.1;

/**
 * `asking`: for the first time. `known`: in time. `stale`: known once, and nobody can be asked now. `failed`: never
 * known, and nobody could be asked. `missing`: it does not exist.
 */
export type NameState = 'asking' | 'known' | 'stale' | 'missing' | 'failed';

/** What a name needs to know of its surroundings. */
export interface NameContext<T> {
  ask(before: T | null): Promise<Answer<T>>;
  readonly limits: { readonly minTtlMs: number; readonly maxTtlMs: number; readonly keepMissingMs: number };
  readonly random: Random;
  now(): number;
  /** It is in another state, or has another value. `cause` of a failure. */
  changed(before: NameState, cause: string): void;
}

export class DnsName<T> implements Timed {
  readonly text: string;
  /** What is in use; null: nothing is known. */
  value: T | null = null;
  state: NameState = 'asking';
  deadlineMs = Number.POSITIVE_INFINITY;
  timedIndex = -1;
  /** Answers that were none, in a row. */
  failures = 0;
  readonly #context: NameContext<T>;
  #missingSinceMs = Number.POSITIVE_INFINITY;
  #isAsking = false;
  #isAgain = false;

  constructor(text: string, context: NameContext<T>) {
    this.text = text;
    this.#context = context;
  }

  onDeadline(): void {
    this.ask();
  }

  /** Asks now; while it is being asked, once more after that. */
  ask(): void {
    this.deadlineMs = Number.POSITIVE_INFINITY;
    if (this.#isAsking) {
      this.#isAgain = true;
      return;
    }
    this.#isAsking = true;
    // A fault of ours is one of DNS: what is known stays in use.
    const asked = this.#context
      .ask(this.value)
      .catch((): Answer<T> => ({ kind: 'failed', cause: 'internal' }));
    void asked.then((answer) => {
      this.#isAsking = false;
      const isAgain = this.#isAgain;
      this.#isAgain = false;
      // Removed meanwhile: nobody waits for it.
      if (this.timedIndex < 0) return;
      if (isAgain) this.ask();
      else this.take(answer);
    });
  }

  /** What is known from now on. */
  take(answer: Answer<T>): void {
    const { limits, random } = this.#context;
    const nowMs = this.#context.now();
    const before = this.state;
    if (answer.kind === 'found') {
      this.value = answer.value;
      this.state = 'known';
      this.failures = 0;
      this.#missingSinceMs = Number.POSITIVE_INFINITY;
      const ttlMs = Math.min(Math.max(answer.ttlMs, limits.minTtlMs), limits.maxTtlMs);
      this.deadlineMs = nowMs + ttlMs * (1 - JITTER_RATIO * random.next());
    } else {
      this.#fail(answer, nowMs);
      const waitMs = openDurationMs(this.failures++, RETRY_MIN_MS, RETRY_MAX_MS, random);
      this.deadlineMs = nowMs + Math.min(waitMs, limits.maxTtlMs);
    }
    this.#context.changed(before, answer.kind === 'failed' ? answer.cause : '');
  }

  #fail(answer: Answer<T>, nowMs: number): void {
    if (answer.kind === 'missing') this.#missingSinceMs = Math.min(this.#missingSinceMs, nowMs);
    // Silence says nothing: the time that it does not exist begins anew.
    else this.#missingSinceMs = Number.POSITIVE_INFINITY;
    const isGone = nowMs - this.#missingSinceMs >= this.#context.limits.keepMissingMs;
    if (isGone || (this.value === null && answer.kind === 'missing')) {
      this.value = null;
      this.state = 'missing';
    } else {
      this.state = this.value === null ? 'failed' : 'stale';
    }
  }
}
