/**
 * Makes whole lines of the bytes that a process writes to a pipe, so that the lines of several processes on one
 * descriptor never mix: a write to a shared pipe of more than 4 KiB may be torn.
 */

/** A line longer than this is cut; Fairlead writes none that comes near. */
const LINE_MAX_BYTES = 1024 * 1024;
const LINE_FEED = 0x0a;

export class LineRelay {
  readonly #take: (lines: string) => void;
  /** The beginning of a line, in the parts it came in. */
  #begun: Buffer[] = [];
  #begunBytes = 0;

  /** @param take is given one or more whole lines with their "\n" */
  constructor(take: (lines: string) => void) {
    this.#take = take;
  }

  receive(chunk: Buffer): void {
    const end = chunk.lastIndexOf(LINE_FEED) + 1;
    if (end > 0) {
      // Cut at line feeds, so never within a character.
      const whole = this.#begun.length === 0 ? chunk : Buffer.concat([...this.#begun, chunk]);
      this.#take(whole.toString('utf8', 0, this.#begunBytes + end));
      this.#begun = [];
      this.#begunBytes = 0;
    }
    if (end < chunk.length) {
      this.#begun.push(chunk.subarray(end));
      this.#begunBytes += chunk.length - end;
    }
    if (this.#begunBytes > LINE_MAX_BYTES) this.end();
  }

  /** Nothing more comes: what was begun is a line. */
  end(): void {
    if (this.#begunBytes > 0) this.receive(Buffer.from('\n'));
  }
}
