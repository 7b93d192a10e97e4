/**
 * Follows a stream of server-sent events over fetch, so that a token can be sent with it. A stream that ends or falls
 * silent is opened again, later and later; what the sidecar does not have is asked for again only rarely.
 */
import { type Signal, signal } from '@preact/signals';
import { openStream, Problem } from './api.ts';
import { EventReader, type ServerEvent } from './sse.ts';

const RETRY_MS = 1000;
const RETRY_MAX_MS = 30_000;
/** The sidecar writes a comment every 15 s; without a byte for so long the connection is dead. */
const SILENCE_MS = 40_000;

/** `missing`: the sidecar has no such stream. `refused`: it has, and not for us. `closed`: by us. */
export type StreamState = 'opening' | 'open' | 'waiting' | 'missing' | 'refused' | 'closed';

export class Stream {
  readonly state: Signal<StreamState> = signal('opening');
  /** When it is tried again; `performance.now()` in ms, 0 unless waiting. */
  readonly retryAt: Signal<number> = signal(0);
  readonly problem: Signal<Problem | null> = signal(null);
  readonly #path: string;
  readonly #onEvent: (event: ServerEvent) => void;
  #abort = new AbortController();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #failures = 0;

  constructor(path: string, onEvent: (event: ServerEvent) => void) {
    this.#path = path;
    this.#onEvent = onEvent;
  }

  /** Opens it, now: also what waits for its next try. */
  open(): void {
    this.close();
    this.#abort = new AbortController();
    this.state.value = 'opening';
    this.retryAt.value = 0;
    void this.#follow(this.#abort);
  }

  close(): void {
    this.#abort.abort();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.state.value = 'closed';
  }

  async #follow(abort: AbortController): Promise<void> {
    let silence: ReturnType<typeof setTimeout> | undefined;
    const heard = () => {
      clearTimeout(silence);
      silence = setTimeout(() => abort.abort('silence'), SILENCE_MS);
    };
    try {
      heard();
      const body = await openStream(this.#path, abort.signal);
      this.state.value = 'open';
      this.problem.value = null;
      const reader = new EventReader();
      const decoder = new TextDecoder();
      const bytes = body.getReader();
      for (;;) {
        const { done, value } = await bytes.read();
        if (done) break;
        heard();
        this.#failures = 0;
        for (const event of reader.push(decoder.decode(value, { stream: true }))) this.#onEvent(event);
      }
    } catch (error) {
      this.problem.value = error instanceof Problem ? error : null;
    }
    clearTimeout(silence);
    // Closed on purpose, unless it was silence.
    if (abort.signal.aborted && abort.signal.reason !== 'silence') return;
    this.#wait();
  }

  #wait(): void {
    const status = this.problem.value?.status ?? 0;
    this.state.value = status === 404 ? 'missing' : status === 401 || status === 403 ? 'refused' : 'waiting';
    const isHopeless = this.state.value !== 'waiting';
    // A little by chance, so that the tabs of many people do not come back at once.
    const delayMs = isHopeless
      ? RETRY_MAX_MS
      : Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** this.#failures) * (0.75 + Math.random() / 2);
    this.#failures++;
    this.retryAt.value = performance.now() + delayMs;
    this.#timer = setTimeout(() => this.open(), delayMs);
  }
}
