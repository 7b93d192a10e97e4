/** A copy of a small request body on its way through, for whoever sends the request once more beside the caller. */
import type { Piece } from './relay.ts';

/** A longer one is not copied. */
const BODY_MAX_BYTES = 64 * 1024;

export class BodyCopy {
  readonly #taker: (pieces: readonly Piece[] | null) => void;
  #pieces: Piece[] | null = [];
  #bytes = 0;

  /** `taker` gets it when it is whole; null: it was too long. Of a request that breaks off it hears nothing. */
  constructor(taker: (pieces: readonly Piece[] | null) => void) {
    this.#taker = taker;
  }

  /** A piece as it is written, whose bytes may be overwritten later. */
  add(piece: Piece): void {
    this.#bytes += piece.length;
    if (this.#bytes > BODY_MAX_BYTES) this.#pieces = null;
    else this.#pieces?.push(typeof piece === 'string' ? piece : Buffer.from(piece));
  }

  end(): void {
    this.#taker(this.#pieces);
  }
}
