/** The one memory of contexts of a data plane: kept over reloads unless its settings change. */
import type { Random } from '../base/clock.ts';
import { type MemorySettings, TraceMemory } from '../propagation/memory.ts';
import type { ContextMetrics } from '../telemetry/context-metrics.ts';

export class ContextMemory {
  readonly #random: Random;
  #settings: MemorySettings | null = null;
  #memory: TraceMemory | null = null;

  constructor(metrics: ContextMetrics, random: Random) {
    this.#random = random;
    metrics.setMemorySource(() => {
      const memory = this.#memory;
      return memory === null ? null : { events: { ...memory.counts }, ids: memory.size, bytes: memory.bytes };
    });
  }

  /** The memory for these settings; null: none. With other settings than before it begins anew. */
  of(settings: MemorySettings | null): TraceMemory | null {
    if (settings === null) this.#memory = null;
    else if (this.#memory === null || !isSame(settings, this.#settings!))
      this.#memory = new TraceMemory(settings, Math.floor(this.#random.next() * 2 ** 32));
    this.#settings = settings;
    return this.#memory;
  }
}

function isSame(one: MemorySettings, other: MemorySettings): boolean {
  return one.entriesMax === other.entriesMax && one.bytesMax === other.bytesMax && one.ttlMs === other.ttlMs;
}
