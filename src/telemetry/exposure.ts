/**
 * Exposures: one JSON record that a unit was given a variant, the raw material of the analysis. The same unit,
 * experiment and variants within the window are recorded once. The unit leaves the process only as a keyed hash,
 * unless it is asked for as it is.
 *
 * Memory is bounded, see `RecentExposures`: forgetting early costs a duplicate record, never a lost one. Never throws.
 */
import { hash, randomInt } from 'node:crypto';
import { quote } from './json-text.ts';
import { RecentExposures } from './recent-exposures.ts';
import type { Counter } from './series.ts';
import { type UnitKey, UnitKeys } from './unit-keys.ts';

/** An assignment that was acted on. */
export interface Exposure {
  readonly experiment: string;
  /** How often the experiment's slots or salt have changed. */
  readonly epoch: number;
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

/** What a record looks like: the fields alone, or a CloudEvent (structured, JSON) with them as its data. */
export type ExposureFormat = 'ndjson' | 'cloudevents';

/** What the type of the events is called. */
export const EXPOSURE_TYPE = 'fairlead.exposure';

/** Of an event's id, of 64: as many bits as a UUID has. */
const ID_DIGITS = 32;

export interface ExposuresOptions {
  /** Takes a line with its "\n"; false: dropped. */
  readonly target: { write(line: string): boolean };
  readonly service: string;
  readonly format: ExposureFormat;
  /** Keys of the HMAC-SHA-256 that units are hashed with; at least one. */
  readonly unitKeys: readonly UnitKey[];
  /** Units as they are. */
  readonly isPlain: boolean;
  /** How many (unit, experiment, variants) are remembered. 0: none. */
  readonly dedupeEntriesMax: number;
  /** And for how long. 0: every exposure is recorded. */
  readonly dedupeMs: number;
  readonly written: Counter;
  readonly deduplicated: Counter;
}

export class Exposures {
  readonly #options: ExposuresOptions;
  readonly #keys: UnitKeys;
  readonly #service: string;
  /** The beginning of a CloudEvent, up to its id. */
  readonly #head: string;
  /** Null: every exposure is recorded. */
  readonly #recent: RecentExposures | null;
  /** The last time that was formatted: under load most exposures share theirs with the one before. */
  #lastMs = Number.NaN;
  #lastTime = '';

  constructor(options: ExposuresOptions) {
    this.#options = options;
    this.#keys = new UnitKeys(options.unitKeys);
    this.#service = quote(options.service);
    const source = `/fairlead/${encodeURIComponent(options.service)}`;
    this.#head = `{"specversion":"1.0","type":"${EXPOSURE_TYPE}","source":${quote(source)},"id":"`;
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
    const line = this.#options.format === 'ndjson' ? this.#line(exposure) : this.#event(exposure);
    if (this.#options.target.write(line)) this.#options.written.value++;
  }

  #line(exposure: Exposure): string {
    const facts = factsOf(exposure, this.#unitOf(exposure));
    return `{"time":"${this.#time(exposure.atMs)}","service":${this.#service},${facts}}\n`;
  }

  #event(exposure: Exposure): string {
    const unit = this.#unitOf(exposure);
    const key = this.#options.isPlain ? null : this.#keys.idAt(exposure.atMs);
    const what = `"subject":${quote(exposure.experiment)},"datacontenttype":"application/json"`;
    const more = `"epoch":${exposure.epoch},"unit_key":${key === null ? 'null' : quote(key)}`;
    const data = `{"service":${this.#service},${factsOf(exposure, unit)},${more}}`;
    return `${this.#head}${this.#id(exposure, unit)}","time":"${this.#time(exposure.atMs)}",${what},"data":${data}}\n`;
  }

  /**
   * The same for the same exposure, whoever records it and however often: of one unit, experiment, epoch and pair of
   * variants there is one in each window of the wall clock. Without a unit, or a window, the request stands for it.
   */
  #id({ experiment, epoch, assigned, served, atMs, requestId }: Exposure, unit: string | null): string {
    const { dedupeMs } = this.#options;
    const isOfUnit = unit !== null && dedupeMs > 0;
    const when = isOfUnit ? Math.floor(atMs / dedupeMs) : `${atMs} ${requestId}`;
    const parts = [this.#options.service, experiment, epoch, assigned, served, unit ?? '', when];
    return hash('sha256', parts.join('\n'), 'hex').slice(0, ID_DIGITS);
  }

  /** HMAC-SHA-256, so that nobody without the key can try ids out. */
  #unitOf({ unit, atMs }: Exposure): string | null {
    return unit === null || this.#options.isPlain ? unit : this.#keys.hash(unit, atMs);
  }

  #time(atMs: number): string {
    if (atMs !== this.#lastMs) {
      this.#lastTime = new Date(atMs).toISOString();
      this.#lastMs = atMs;
    }
    return this.#lastTime;
  }
}

/** What both formats have, as members of a JSON object. */
function factsOf(exposure: Exposure, unit: string | null): string {
  const { experiment, assigned, served, reason, unitSource, route, requestId } = exposure;
  const what = `"experiment":${quote(experiment)},"assigned":${quote(assigned)},"served":${quote(served)}`;
  const who = `"unit":${quoteOrNull(unit)},"unit_source":${quoteOrNull(unitSource)}`;
  return `${what},"reason":${quote(reason)},${who},"route":${quote(route)},"request_id":${quote(requestId)}`;
}

function quoteOrNull(text: string | null): string {
  return text === null ? 'null' : quote(text);
}
