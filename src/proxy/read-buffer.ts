/**
 * What sockets read into. Nearly all share one buffer: no allocation per read, but the bytes are gone after the call
 * they were handed over in. A connection that moves a large body gets a buffer of its own for that time: what is read
 * into it can be written as it is, because it is read into again only when the other socket has sent everything.
 */

/** All reads of all sockets that move no large body. */
const SHARED_BYTES = 65_536;
const shared = Buffer.allocUnsafeSlow(SHARED_BYTES);

/** A body from this length on is worth a buffer of its own. */
export const LARGE_BODY_BYTES = 262_144;
const OWN_BYTES = 262_144;
/** Connections that have one at a time: 3 MiB together. The others share, and copy. */
const OWN_MAX = 12;

/**
 * Smallest piece of a buffer of one's own that is written without a copy: from a socket's high-water mark on, a write
 * is always followed by 'drain', which says that the buffer is free again.
 */
const VIEW_MIN_BYTES = 65_536;

/** The buffers for large bodies: made when first needed, lent and given back. */
export class LargeBuffers {
  readonly #free: Buffer[] = [];
  readonly #max: number;
  #lent = 0;

  /** `max` 0: there are none to take. */
  constructor(max = OWN_MAX) {
    this.#max = max;
  }

  /** Null when all are lent. */
  take(): Buffer | null {
    if (this.#lent >= this.#max) return null;
    this.#lent++;
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(OWN_BYTES);
  }

  /** `isFree`: nobody writes from it or reads into it any more. Otherwise it is left to the garbage collector. */
  giveBack(buffer: Buffer, isFree: boolean): void {
    this.#lent--;
    if (isFree) this.#free.push(buffer);
  }
}

/** For TLS, which hands over no more than a record of 16 KiB at a time. */
export const NO_LARGE_BUFFERS = new LargeBuffers(0);

/** What one socket reads into. */
export class ReadBuffer {
  readonly #buffers: LargeBuffers;
  #own: Buffer | null = null;
  /** What the socket reads into; null: it has not been told. */
  inUse: Buffer | null = null;

  constructor(buffers: LargeBuffers) {
    this.#buffers = buffers;
  }

  /** From how many bytes on a piece of what is read may be written as it is; Infinity: never. */
  get viewMinBytes(): number {
    return this.#own !== null && this.#own === this.inUse ? VIEW_MIN_BYTES : Number.POSITIVE_INFINITY;
  }

  /** A large body is moved. */
  get isLarge(): boolean {
    return this.#own !== null;
  }

  /** What the socket is to read into from now on, asked after every read; null: what it has. */
  next(): Buffer | null {
    const wanted = this.#own ?? shared;
    if (wanted === this.inUse) return null;
    this.inUse = wanted;
    return wanted;
  }

  /** As `next`, and never null: for a socket that tries several addresses, which has another handle for each. */
  always(): Buffer {
    this.inUse = this.#own ?? shared;
    return this.inUse;
  }

  /** A large body is coming in. */
  enlarge(): void {
    this.#own ??= this.#buffers.take();
  }

  /** `isFree`: called while the socket hands over what it read, and everything written from the buffer is sent. */
  shrink(isFree: boolean): void {
    if (this.#own === null) return;
    this.#buffers.giveBack(this.#own, isFree);
    this.#own = null;
  }
}
