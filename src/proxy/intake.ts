/**
 * Bytes received and not yet consumed. Usually empty: a whole message is parsed where it was received. What is left
 * over is copied here and grows by doubling, so a head that arrives byte by byte costs O(n), not O(n^2).
 */
const INITIAL_BYTES = 1024;
const LINE_FEED = 0x0a;

export class Intake {
  bytes: Buffer = Buffer.alloc(0);
  start = 0;
  end = 0;

  get length(): number {
    return this.end - this.start;
  }

  /** Copies bytes[start, end) behind what is here. Answers whether the new part holds a line feed. */
  append(bytes: Buffer, start: number, end: number): boolean {
    const added = end - start;
    if (this.end + added > this.bytes.length) this.#makeRoom(added);
    bytes.copy(this.bytes, this.end, start, end);
    const hasLine = this.bytes.subarray(this.end, this.end + added).indexOf(LINE_FEED) >= 0;
    this.end += added;
    return hasLine;
  }

  /** Everything before `offset` is consumed. An empty intake gives its memory back. */
  consumeTo(offset: number): void {
    this.start = offset;
    if (this.start === this.end) this.clear();
  }

  clear(): void {
    this.bytes = EMPTY;
    this.start = 0;
    this.end = 0;
  }

  #makeRoom(added: number): void {
    const length = this.length;
    const room = Buffer.allocUnsafeSlow(Math.max(INITIAL_BYTES, (length + added) * 2));
    this.bytes.copy(room, 0, this.start, this.end);
    this.bytes = room;
    this.start = 0;
    this.end = length;
  }
}

const EMPTY: Buffer = Buffer.alloc(0);

/** For all who hold nothing, which nearly all do nearly always. Nothing may be appended to it: see `ownIntake`. */
export const NO_INTAKE = new Intake();

/** `intake`, or one that may be appended to. */
export function ownIntake(intake: Intake): Intake {
  return intake === NO_INTAKE ? new Intake() : intake;
}
