/**
 * The taps of one worker: what they see waits here until it is sent to the primary. Bounded: what the primary does not
 * take in time is counted and not kept.
 */
import type { OpenTap, Tapping, TapRecord } from '../telemetry/tap.ts';
import type { Tapped, ToPrimary, ToWorker } from './messages.ts';

/** Of one tap, between two flushes: more than its rate lets through in a second. */
const RECORDS_MAX = 200;

interface Tap {
  readonly open: OpenTap;
  records: TapRecord[];
  dropped: number;
}

export class RemoteTaps {
  readonly #tapping: Tapping;
  readonly #send: (message: ToPrimary, done: () => void) => void;
  readonly #taps = new Map<number, Tap>();
  #isSending = false;

  /** @param tapping opens a tap on this worker's requests */
  constructor(tapping: Tapping, send: (message: ToPrimary, done: () => void) => void) {
    this.#tapping = tapping;
    this.#send = send;
  }

  /** These and no others, from now on. */
  follow(taps: (ToWorker & { kind: 'taps' })['taps']): void {
    for (const [id, { open }] of this.#taps) {
      if (taps.some((one) => one.id === id)) continue;
      open.close();
      this.#taps.delete(id);
    }
    for (const { id, query } of taps) {
      if (this.#taps.has(id)) continue;
      const tap: Tap = {
        open: this.#tapping(query, (record) => {
          if (tap.records.length < RECORDS_MAX) tap.records.push(record);
          else tap.dropped++;
        }),
        records: [],
        dropped: 0,
      };
      this.#taps.set(id, tap);
    }
  }

  /** Sends what there is; to be called now and then. */
  flush(): void {
    if (this.#taps.size === 0 || this.#isSending) return;
    const taps: Tapped[] = [];
    for (const [id, tap] of this.#taps) {
      const dropped = tap.dropped + tap.open.takeDropped();
      if (dropped === 0 && tap.records.length === 0) continue;
      taps.push({ id, records: tap.records, dropped });
      tap.records = [];
      tap.dropped = 0;
    }
    if (taps.length === 0) return;
    this.#isSending = true;
    this.#send({ kind: 'tapped', taps }, () => {
      this.#isSending = false;
    });
  }
}
