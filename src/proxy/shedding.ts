/**
 * What is given up while the sidecar has too much to do, the least important first: measures how late the event loop
 * is and how much memory is in use, and says for each request whether it is to be shed. `resilience/load-signal.ts`
 * finds out how much. Costs nothing but a clock on the tick that there is anyway, and a look at the memory once a second.
 */
import { totalmem } from 'node:os';
import { getHeapStatistics } from 'node:v8';
import { Level, type LoadSettings, LoadSignal, SHED, type Shed } from '../resilience/load-signal.ts';
import type { SheddingView } from '../resilience/overload-view.ts';
import type { Log } from '../telemetry/log.ts';
import type { Counter, Metrics } from '../telemetry/metrics.ts';
import { TICK_MS } from './deadlines.ts';

/** Looking takes some ten microseconds, and memory does not change much faster. */
const MEMORY_EVERY_MS = 1000;

export class Shedding {
  /** From 0, nothing is shed, to 5; see `Level`. */
  level = 0;
  readonly #log: Log;
  readonly #signal: LoadSignal;
  readonly #counters: Readonly<Record<Shed, Counter>>;
  #settings: LoadSettings;
  #tickMs: number | null = null;
  #memory = 0;
  #memoryDueMs = 0;
  /** What of a request is left over when shares of requests are shed, for ordinary and for protected ones. */
  readonly #owed = { ordinary: 0, protected: 0 };

  constructor(settings: LoadSettings, metrics: Metrics, log: Log) {
    this.#settings = settings;
    this.#signal = new LoadSignal(settings);
    this.#log = log;
    const counter = (what: Shed) => metrics.overload.shed(what);
    this.#counters = {
      mirror: counter('mirror'),
      exposure: counter('exposure'),
      candidate: counter('candidate'),
      ordinary: counter('ordinary'),
      protected: counter('protected'),
    };
  }

  /** Whether this is given up now, and counts it if so. For requests see `shedsRequest`. */
  sheds(what: 'mirror' | 'exposure' | 'candidate'): boolean {
    if (this.level < Level[what]) return false;
    this.#counters[what].value++;
    return true;
  }

  /** Whether this request is given up, and counts it if so: of those that come in, just the share that it should be. */
  shedsRequest(isProtected: boolean): boolean {
    if (this.level < Level.ordinary) return false;
    const what = isProtected ? 'protected' : 'ordinary';
    const owed = this.#owed[what] + this.#signal.share(isProtected);
    this.#owed[what] = owed >= 1 ? owed - 1 : owed;
    if (owed < 1) return false;
    this.#counters[what].value++;
    return true;
  }

  /** Every `TICK_MS`, or as late as it gets. */
  tick(nowMs: number): void {
    const lateMs = this.#tickMs === null ? 0 : Math.max(0, nowMs - this.#tickMs - TICK_MS);
    this.#tickMs = nowMs;
    if (nowMs >= this.#memoryDueMs) {
      this.#memory = memoryRatio(this.#settings);
      this.#memoryDueMs = nowMs + MEMORY_EVERY_MS;
    }
    this.#signal.tick(lateMs, this.#memory, nowMs);
    const before = this.level;
    this.level = this.#signal.level;
    if (this.level !== before) this.#say(before, this.level);
  }

  reconfigure(settings: LoadSettings): void {
    this.#settings = settings;
    this.#memoryDueMs = 0;
    this.#signal.reconfigure(settings);
  }

  view(): SheddingView {
    const { delayMs, memory, reason } = this.#signal;
    return {
      level: this.level,
      upTo: SHED[this.level - 1] ?? null,
      eventLoopDelayMs: Math.round(delayMs * 10) / 10,
      memoryRatio: memory === 0 ? null : Math.round(memory * 1000) / 1000,
      reason,
    };
  }

  #say(from: number, to: number): void {
    const { reason } = this.#signal;
    const what = to === 0 ? 'nothing is shed' : `shed: ${SHED.slice(0, to).join(', ')}`;
    const sentence = `overload: level ${from} -> ${to}, ${what}${reason === '' ? '' : `; ${reason}`}`;
    if (to > from) this.#log.warn({ overload: this.view() }, sentence);
    else this.#log.info({ overload: this.view() }, sentence);
  }
}

/** What is in use, as a share of the limit that is nearest; 0 where there is none. */
function memoryRatio({ memoryBytes, memoryRatio, heapRatio }: LoadSettings): number {
  let ratio = 0;
  if (memoryBytes !== null) ratio = process.memoryUsage.rss() / memoryBytes;
  if (memoryRatio !== null)
    ratio = Math.max(ratio, process.memoryUsage.rss() / (machineBytes() * memoryRatio));
  if (heapRatio !== null) {
    const { used_heap_size: used, heap_size_limit: most } = getHeapStatistics();
    ratio = Math.max(ratio, used / (most * heapRatio));
  }
  return ratio;
}

/** What this process may have: its control group's limit, or all that the machine has. */
function machineBytes(): number {
  const total = totalmem();
  const constrained = process.constrainedMemory();
  // 0 and absurd numbers stand for no limit.
  return constrained > 0 && constrained < total ? constrained : total;
}
