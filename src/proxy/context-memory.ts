/**
 * The memory of contexts of a data plane: one, kept over reloads unless its settings change. Where several processes
 * carry the traffic of one sidecar, a request and the calls for it may come to different ones: then each tells the
 * others what it stores, and hears what they have before it looks something up.
 */
import type { Clock, Random } from '../base/clock.ts';
import { type Join, type MemorySettings, TraceMemory } from '../propagation/memory.ts';
import type { ContextMetrics } from '../telemetry/context-metrics.ts';

/** The other processes. What was told before a byte of the request went on is heard by every call for it. */
export interface OtherMemories {
  tell(traceparent: string, requestId: string, text: string): void;
  /** What the others have told since the last time. False: some of it is lost. */
  hear(take: (traceparent: string, requestId: string, text: string | null) => void): boolean;
}

/** The memory, as requests and calls need it. */
export type Contexts = Pick<TraceMemory, 'store' | 'find' | 'hasCarried'>;

export class ContextMemory implements Contexts {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #others: OtherMemories | null;
  #settings: MemorySettings | null = null;
  #memory: TraceMemory | null = null;

  constructor(
    { clock, random }: { clock: Clock; random: Random },
    metrics: ContextMetrics,
    others: OtherMemories | null,
  ) {
    this.#clock = clock;
    this.#random = random;
    this.#others = others;
    metrics.setMemorySource(() => {
      const memory = this.#memory;
      return memory === null ? null : { events: { ...memory.counts }, ids: memory.size, bytes: memory.bytes };
    });
  }

  /** What remembers by these settings; null: nothing does. With other settings than before it begins anew. */
  of(settings: MemorySettings | null): Contexts | null {
    if (settings === null) this.#memory = null;
    else if (this.#memory === null || !isSame(settings, this.#settings!))
      this.#memory = new TraceMemory(settings, Math.floor(this.#random.next() * 2 ** 32));
    this.#settings = settings;
    return this.#others === null ? this.#memory : this.#memory && this;
  }

  store(traceparent: string, requestId: string, text: string, nowMs: number): void {
    this.#memory?.store(traceparent, requestId, text, nowMs);
    this.#others!.tell(traceparent, requestId, text);
  }

  find(traceparent: string, requestId: string, nowMs: number): Join {
    this.hear();
    return this.#memory!.find(traceparent, requestId, nowMs);
  }

  hasCarried(nowMs: number): boolean {
    return this.#memory!.hasCarried(nowMs);
  }

  /** Hears what the others have told; to be called now and then, since they wait for nobody. */
  hear(): void {
    const memory = this.#memory;
    if (this.#others === null || memory === null) return;
    const nowMs = this.#clock.now();
    const isComplete = this.#others.hear((traceparent, requestId, text) =>
      memory.learn(traceparent, requestId, text, nowMs),
    );
    // An id that is one user's here may have been another's in what is lost.
    if (!isComplete) memory.clear(nowMs);
  }
}

function isSame(one: MemorySettings, other: MemorySettings): boolean {
  return one.entriesMax === other.entriesMax && one.bytesMax === other.bytesMax && one.ttlMs === other.ttlMs;
}
