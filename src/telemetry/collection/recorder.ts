/**
 * Takes down what became of each request in each experiment that is analysed, as rows of numbers, and hands them over when
 * there are many or when it is told to. Nothing is made for a request, and no more is kept than one batch: rows that
 * nobody takes are lost, and counted.
 */
import { type Delta, FACTS, Fact, Figure, NUMBERS, type Subject } from '../../analysis/collection/delta.ts';
import { MEASURES_MAX } from '../../analysis/collection/measure.ts';
import { type UnitHashKey, unitHash } from '../../analysis/collection/unit-hash.ts';
import type { Counter } from '../series.ts';

export type { Delta } from '../../analysis/collection/delta.ts';

/** Rows of a batch: adding up so many takes a quarter of a millisecond. */
export const ROWS_MAX = 512;

export interface RecorderOptions {
  /** Units are hashed with it; the same in all processes. */
  readonly key: UnitHashKey;
  /** Takes a batch, whose arrays are used again when it returns; false: it is lost. */
  readonly take: (delta: Delta) => boolean;
  /** Rows that were lost. */
  readonly dropped: Counter;
  /** Values of headers and trailers that are no number. */
  readonly malformed: Counter;
}

/** One request in one experiment; the numbers are those of `analysis/collection/delta.ts`. */
export interface Settled {
  readonly assigned: number;
  readonly served: number;
  readonly outcome: number;
  readonly reason: number;
  readonly agent: number;
  readonly listener: string;
  /** Its id; null: it has none. */
  readonly unit: string | null;
  readonly latencyMs: number;
  readonly servedMs: number;
  readonly bytes: number;
  /** By measure of the subject, NaN: none; null: there is none of any. */
  readonly values: Float64Array | null;
}

export class Recorder {
  readonly malformed: Counter;
  readonly #options: RecorderOptions;
  /** Made with the first collector. */
  #facts: Uint16Array | null = null;
  #numbers = new Float64Array(0);
  #rows = 0;
  #numbersEnd = 0;
  #subjects: Subject[] = [];
  readonly #listeners: string[] = [];
  #dropped = 0;
  /** Of the batch. */
  #batch = 1;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.malformed = options.malformed;
  }

  /** What takes down one experiment on one route. */
  collector(subject: Subject): Collector {
    if (this.#facts === null) {
      this.#facts = new Uint16Array(ROWS_MAX * FACTS);
      this.#numbers = new Float64Array(ROWS_MAX * (NUMBERS + MEASURES_MAX));
    }
    return new Collector(this, subject);
  }

  /** HOT: no allocation but for a batch that is full. */
  add(collector: Collector, settled: Settled): void {
    const facts = this.#facts!;
    const numbers = this.#numbers;
    const at = this.#rows * FACTS;
    facts[at + Fact.subject] = this.#numberOf(collector);
    facts[at + Fact.assigned] = settled.assigned;
    facts[at + Fact.served] = settled.served;
    facts[at + Fact.outcome] = settled.outcome;
    facts[at + Fact.reason] = settled.reason;
    facts[at + Fact.agent] = settled.agent;
    facts[at + Fact.listener] = this.#listenerNumber(settled.listener);
    const from = this.#numbersEnd;
    numbers[from + Figure.unit] = settled.unit === null ? 0 : unitHash(settled.unit, this.#options.key);
    numbers[from + Figure.latency] = settled.latencyMs;
    numbers[from + Figure.served] = settled.servedMs;
    numbers[from + Figure.bytes] = settled.bytes;
    const { length } = collector.subject.measures;
    for (let i = 0; i < length; i++)
      numbers[from + NUMBERS + i] = settled.values === null ? Number.NaN : settled.values[i]!;
    this.#numbersEnd = from + NUMBERS + length;
    if (++this.#rows === ROWS_MAX) this.flush();
  }

  /** Hands over what there is. */
  flush(): void {
    if (this.#rows === 0) return;
    const isTaken = this.#options.take({
      subjects: this.#subjects,
      listeners: this.#listeners,
      rows: this.#rows,
      facts: this.#facts!.subarray(0, this.#rows * FACTS),
      numbers: this.#numbers.subarray(0, this.#numbersEnd),
      dropped: this.#dropped,
    });
    if (isTaken) this.#dropped = 0;
    else {
      this.#dropped += this.#rows;
      this.#options.dropped.value += this.#rows;
    }
    this.#subjects = [];
    this.#batch++;
    this.#rows = 0;
    this.#numbersEnd = 0;
  }

  /** Of a collector's subject in this batch. */
  #numberOf(collector: Collector): number {
    if (collector.batch !== this.#batch) {
      collector.batch = this.#batch;
      collector.number = this.#subjects.push(collector.subject) - 1;
    }
    return collector.number;
  }

  /** There are as many as when it started. */
  #listenerNumber(name: string): number {
    const number = this.#listeners.indexOf(name);
    return number >= 0 ? number : this.#listeners.push(name) - 1;
  }
}

/** Of one experiment under the rules of one Snapshot, on one route. */
export class Collector {
  readonly subject: Subject;
  /** Where values are in the response, by the number of the measure. */
  readonly headers: readonly Place[];
  readonly trailers: readonly Place[];
  /** The batch in which the subject has this number. */
  batch = 0;
  number = 0;
  readonly #recorder: Recorder;

  constructor(recorder: Recorder, subject: Subject) {
    this.#recorder = recorder;
    this.subject = subject;
    this.headers = placesIn(subject, 'header');
    this.trailers = placesIn(subject, 'trailer');
  }

  add(settled: Settled): void {
    this.#recorder.add(this, settled);
  }

  /** A value was there and is no number. */
  countMalformed(): void {
    this.#recorder.malformed.value++;
  }
}

/** A field whose value is that of a measure. */
export interface Place {
  readonly measure: number;
  readonly field: string;
}

function placesIn({ measures }: Subject, source: 'header' | 'trailer'): Place[] {
  return measures.flatMap((one, measure) => (one.source === source ? [{ measure, field: one.field }] : []));
}
