/**
 * The way of exposures from this process to the places that want them: one spool, and a courier for each sink. Of one
 * process of a sidecar: with workers that is the primary.
 */
import type { Clock, Random } from '../../base/clock.ts';
import type { Log } from '../log.ts';
import type { ProcessCounters } from '../series.ts';
import { Courier } from './courier.ts';
import type { Destination } from './destination.ts';
import { FileDestination } from './file-destination.ts';
import { HttpDestination } from './http-destination.ts';
import type { HttpPostOptions } from './http-post.ts';
import { KafkaDestination, type KafkaOptions } from './kafka-destination.ts';
import { LossWatch, lossSentence } from './loss.ts';
import { OtlpDestination } from './otlp-destination.ts';
import { Spool, type SpoolSettings } from './spool.ts';

export type SinkSettings = { readonly name: string; readonly batchEvents: number } & (
  | { readonly kind: 'file'; readonly file: string }
  | ({ readonly kind: 'http' | 'otlp' } & HttpPostOptions)
  | ({ readonly kind: 'kafka' } & KafkaOptions)
);

export interface PipelineOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly counters: Pick<ProcessCounters, 'exposuresDropped'>;
  readonly service: string;
  readonly version: string;
  readonly spool: SpoolSettings;
  readonly sinks: readonly SinkSettings[];
  readonly lossLimitPpm: number;
}

/** What there is to see of a pipeline. */
export interface PipelineView {
  /** In memory, not on the disk yet. */
  readonly queuedEvents: number;
  readonly queuedBytes: number;
  readonly spooledBytes: number;
  readonly sinks: readonly SinkView[];
}

export interface SinkView {
  readonly name: string;
  readonly isFailing: boolean;
  readonly sent: number;
  readonly failures: number;
  /** Events that it never gets, by why. */
  readonly lost: { readonly full: number; readonly refused: number; readonly broken: number };
  readonly backlogBytes: number;
  readonly oldestAgeMs: number;
}

/** Of what is sent at once, unless one event is larger. */
const BATCH_MAX_BYTES = 512 * 1024;
/** At the end, for what is on its way. */
const GRACE_MS = 2000;
const POLL_MS = 20;

export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #spool: Spool;
  readonly #couriers: readonly Courier[];
  /** What an analysis asks whether it can go by the exposures. */
  readonly loss: LossWatch;
  #received = 0;
  /** Lost by workers before they could tell, by worker. */
  readonly #lostBefore = new Map<number, number>();

  constructor(options: PipelineOptions) {
    const { clock, random, log, counters, sinks } = options;
    this.#options = options;
    const warn = (sentence: string) => log.warn({ sink: 'exposures' }, `exposures: ${sentence}`);
    this.#spool = new Spool({
      ...options.spool,
      readers: sinks.map(({ name }) => name),
      dropped: counters.exposuresDropped,
      onProblem: warn,
    });
    this.#couriers = this.#spool.readers.map((reader, index) => {
      const sink = sinks[index]!;
      const limits = { eventsMax: sink.batchEvents, bytesMax: BATCH_MAX_BYTES };
      return new Courier(reader, this.#destinationOf(sink), { clock, random, limits, onProblem: warn });
    });
    this.loss = new LossWatch({
      clock,
      limitPpm: options.lossLimitPpm,
      read: () => this.#stages(),
      onChange: (change) => warn(lossSentence(change)),
    });
  }

  /** Takes an event as one line. False: dropped and counted. */
  write(line: string): boolean {
    this.#received++;
    return this.#spool.write(line);
  }

  /** Takes the lines of a worker, which says how many it has lost so far. */
  writeAll(worker: number, lines: string, lost: number): void {
    this.#lostBefore.set(worker, lost);
    for (let at = 0; at < lines.length; ) {
      const end = lines.indexOf('\n', at) + 1;
      this.write(lines.slice(at, end));
      at = end;
    }
  }

  view(): PipelineView {
    const nowMs = this.#options.clock.wallMs();
    return {
      queuedEvents: this.#spool.queuedEvents,
      queuedBytes: this.#spool.queuedBytes,
      spooledBytes: this.#spool.bytes,
      sinks: this.#couriers.map((courier) => ({
        name: courier.name,
        isFailing: courier.isFailing,
        sent: courier.sent,
        failures: courier.failures,
        lost: { full: courier.droppedBySpool, refused: courier.refused, broken: courier.broken },
        backlogBytes: courier.backlogBytes,
        oldestAgeMs: courier.oldestAgeMs(nowMs),
      })),
    };
  }

  /** Accepts what is in memory, gives sinks that take events a moment for the rest, and lets go. Never rejects. */
  async close(): Promise<void> {
    this.loss.close();
    await this.#spool.flush();
    const untilMs = this.#options.clock.now() + GRACE_MS;
    const isBusy = () => this.#couriers.some(({ isFailing, backlogBytes }) => !isFailing && backlogBytes > 0);
    while (isBusy() && this.#options.clock.now() < untilMs)
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    await Promise.all(this.#couriers.map((courier) => courier.close()));
    await this.#spool.close();
  }

  #stages() {
    const lostBefore = [...this.#lostBefore.values()].reduce((sum, lost) => sum + lost, 0);
    const dropped = this.#options.counters.exposuresDropped.value;
    return [
      { stage: '', kept: this.#received - dropped, lost: lostBefore + dropped },
      ...this.#couriers.map(({ name, sent, lost }) => ({ stage: name, kept: sent, lost })),
    ];
  }

  #destinationOf(sink: SinkSettings): Destination {
    const { service, version } = this.#options;
    switch (sink.kind) {
      case 'file':
        return new FileDestination(sink.file);
      case 'http':
        return new HttpDestination(sink);
      case 'otlp':
        return new OtlpDestination(sink, { service, version });
      case 'kafka':
        return new KafkaDestination(sink);
    }
  }
}
