/**
 * What a worker has collected, on its way to the primary. A message is written out while it is sent, so the arrays in it
 * can be used again; a primary that is slow to read is sent no more than it has room for.
 */
import type { Delta } from '../telemetry/collection/recorder.ts';
import type { ToPrimary } from './messages.ts';

/** Messages on their way, of at most 80 KB each. */
const SENT_MAX = 32;

export class RemoteDeltas {
  readonly #send: (message: ToPrimary, done: () => void) => void;
  #sent = 0;

  constructor(send: (message: ToPrimary, done: () => void) => void) {
    this.#send = send;
  }

  /** False: there is no room. */
  take(delta: Delta): boolean {
    if (this.#sent === SENT_MAX) return false;
    this.#sent++;
    this.#send({ kind: 'collected', delta }, () => {
      this.#sent--;
    });
    return true;
  }
}
