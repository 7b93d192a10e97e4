/**
 * Exposures: one NDJSON record that a unit was given a variant, the raw material of the analysis. The same unit,
 * experiment and variants within the window are recorded once. The unit leaves the process only as a keyed hash.
 *
 * Memory is bounded: two generations of remembered exposures, the older forgotten as a whole when the newer is
 * full. Forgetting early costs a duplicate record, never a lost one. Never throws.
 */
import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { quote } from './json-text.ts';
import type { Counter } from './series.ts';
import type { Sink } from './sink.ts';

/** An assignment that was acted on. */
export interface Exposure {
  readonly experiment: string;
  readonly assigned: string;
  readonly served: string;
  readonly reason: string;
  /** The unit's id as received; null: the request has none, and every such exposure is recorded. */
  readonly unit: string | null;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly route: string;
  readonly requestId: string;
}

export interface ExposuresOptions {
  readonly sink: Sink;
  readonly service: string;
  /** Key of the HMAC-SHA-256 that units are hashed with. */
  readonly key: string;
  /** How many (unit, experiment, variants) are remembered. */
  readonly dedupeEntriesMax: number;
  /** And for how long. 0: every exposure is recorded. */
  readonly dedupeMs: number;
  readonly written: Counter;
  readonly deduplicated: Counter;
}

export class Exposures {
  readonly #options: ExposuresOptions;
  readonly #key: KeyObject;
  readonly #service: string;
  readonly #generationMax: number;
  #newer = new Map<string, number>();
  #older = new Map<string, number>();
  /** The last time that was formatted: under load most exposures share theirs with the one before. */
  #lastMs = Number.NaN;
  #lastTime = '';

  constructor(options: ExposuresOptions) {
    this.#options = options;
    this.#key = createSecretKey(Buffer.from(options.key));
    this.#service = quote(options.service);
    this.#generationMax = Math.max(1, Math.floor(options.dedupeEntriesMax / 2));
  }

  /** Writes the exposure unless it was written a short time before. Never throws. */
  record(exposure: Exposure): void {
    if (exposure.unit !== null && this.#isRemembered(exposure, exposure.unit)) {
      this.#options.deduplicated.value++;
      return;
    }
    if (this.#options.sink.write(this.#format(exposure))) this.#options.written.value++;
  }

  /** Exposures that are remembered. */
  get remembered(): number {
    return this.#newer.size + this.#older.size;
  }

  /** Resolves when the records so far are written, or cannot be. */
  flush(): Promise<void> {
    return this.#options.sink.flush();
  }

  /** Whether this exposure was recorded within the window; remembers it if not. */
  #isRemembered(exposure: Exposure, unit: string): boolean {
    const { dedupeMs } = this.#options;
    if (dedupeMs <= 0) return false;
    const key = `${exposure.experiment}\u0000${exposure.assigned}\u0000${exposure.served}\u0000${unit}`;
    const atMs = this.#newer.get(key) ?? this.#older.get(key);
    // A clock that was set back must not silence a unit for longer than the window.
    if (atMs !== undefined && Math.abs(exposure.atMs - atMs) < dedupeMs) return true;
    if (this.#newer.size >= this.#generationMax) {
      this.#older = this.#newer;
      this.#newer = new Map();
    }
    this.#newer.set(key, exposure.atMs);
    return false;
  }

  #format(exposure: Exposure): string {
    const unit = exposure.unit === null ? 'null' : `"${this.#hash(exposure.unit)}"`;
    const what = `"experiment":${quote(exposure.experiment)},"assigned":${quote(exposure.assigned)}`;
    const why = `"served":${quote(exposure.served)},"reason":${quote(exposure.reason)},"unit":${unit}`;
    const where = `"route":${quote(exposure.route)},"request_id":${quote(exposure.requestId)}`;
    return `{"time":"${this.#time(exposure.atMs)}","service":${this.#service},${what},${why},${where}}\n`;
  }

  /** HMAC-SHA-256, so that nobody without the key can try ids out. */
  #hash(unit: string): string {
    return createHmac('sha256', this.#key).update(unit).digest('hex');
  }

  #time(atMs: number): string {
    if (atMs !== this.#lastMs) {
      this.#lastTime = new Date(atMs).toISOString();
      this.#lastMs = atMs;
    }
    return this.#lastTime;
  }
}
