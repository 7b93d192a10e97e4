/**
 * Exposures: one NDJSON record that a unit was given a variant, the raw material of the analysis. The same unit,
 * experiment and variants within the window are recorded once. The unit leaves the process only as a keyed hash.
 *
 * Memory is bounded, see `RecentExposures`: forgetting early costs a duplicate record, never a lost one. Never throws.
 */
import { createHmac, createSecretKey, type KeyObject, randomInt } from 'node:crypto';
import { quote } from './json-text.ts';
import { RecentExposures } from './recent-exposures.ts';
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
  /** Where the unit was read, as `header x-user-id`; null without one. */
  readonly unitSource: string | null;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly route: string;
  readonly requestId: string;
}

/** Seeds of the hash that exposures are remembered by. */
const SEEDS = 2 ** 32;

export interface ExposuresOptions {
  readonly sink: Sink;
  readonly service: string;
  /** Key of the HMAC-SHA-256 that units are hashed with. */
  readonly key: string;
  /** How many (unit, experiment, variants) are remembered. 0: none. */
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
  /** Null: every exposure is recorded. */
  readonly #recent: RecentExposures | null;
  /** The last time that was formatted: under load most exposures share theirs with the one before. */
  #lastMs = Number.NaN;
  #lastTime = '';

  constructor(options: ExposuresOptions) {
    this.#options = options;
    this.#key = createSecretKey(Buffer.from(options.key));
    this.#service = quote(options.service);
    const { dedupeEntriesMax, dedupeMs } = options;
    const isAny = dedupeEntriesMax > 0 && dedupeMs > 0;
    this.#recent = isAny ? new RecentExposures(dedupeEntriesMax, dedupeMs, randomInt(SEEDS)) : null;
  }

  /**
   * Whether the exposure of `unit` is to be recorded: not when it was within the window before `nowMs`, which is
   * counted. True may be answered once only; the caller then records it.
   */
  isDue(experiment: string, assigned: string, served: string, unit: string | null, nowMs: number): boolean {
    if (unit === null || this.#recent === null) return true;
    if (!this.#recent.isKnown(experiment, assigned, served, unit, nowMs)) return true;
    this.#options.deduplicated.value++;
    return false;
  }

  /** Writes the exposure. Never throws. */
  record(exposure: Exposure): void {
    if (this.#options.sink.write(this.#format(exposure))) this.#options.written.value++;
  }

  /** Resolves when the records so far are written, or cannot be. */
  flush(): Promise<void> {
    return this.#options.sink.flush();
  }

  #format(exposure: Exposure): string {
    const unit = exposure.unit === null ? 'null' : `"${this.#hash(exposure.unit)}"`;
    const source = exposure.unitSource === null ? 'null' : quote(exposure.unitSource);
    const what = `"experiment":${quote(exposure.experiment)},"assigned":${quote(exposure.assigned)}`;
    const why = `"served":${quote(exposure.served)},"reason":${quote(exposure.reason)},"unit":${unit},"unit_source":${source}`;
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
