/** The request as sent so far, kept while it may have to be sent again. Bounded: past the limit it is let go. */
import type { Piece } from './relay.ts';

export class Replay {
  head = '';
  #pieces: Piece[] = [];
  #bytes = 0;
  #isKept = false;

  /** Begin with a request. `isBodyKept` false: once a body byte is sent there is no second try. */
  begin(head: string, isBodyKept: boolean): void {
    this.head = head;
    this.#pieces = EMPTY;
    this.#bytes = 0;
    this.#isKept = isBodyKept;
  }

  /** Everything sent so far is still here. */
  get isComplete(): boolean {
    return this.#isKept;
  }

  get pieces(): readonly Piece[] {
    return this.#pieces;
  }

  add(piece: Piece, maxBytes: number): void {
    if (!this.#isKept) return;
    this.#bytes += piece.length;
    if (this.#bytes > maxBytes) this.clear();
    else if (this.#pieces.length === 0) this.#pieces = [piece];
    else this.#pieces.push(piece);
  }

  /** No second try any more. */
  clear(): void {
    this.head = '';
    this.#pieces = EMPTY;
    this.#isKept = false;
  }
}

const EMPTY: Piece[] = [];
