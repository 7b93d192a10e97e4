/**
 * Lines that wait to be written, as UTF-8 in large buffers: text that is put together only when it is written would
 * have to survive until then as thousands of small parts. Order is kept; nothing is dropped here.
 */

/** A batch, unless one line is longer. */
export const BATCH_BYTES = 65_536;
/** Of one UTF-16 unit. */
const UTF8_MAX_BYTES = 3;

export class LineQueue {
  /** Waiting and not taken. */
  bytes = 0;
  /** Full, oldest first. */
  #batches: Buffer[] = [];
  #filling: Buffer | null = null;
  #filled = 0;
  /** A buffer that was written and is free again. */
  #spare: Buffer | null = null;

  add(line: string): void {
    const most = line.length * UTF8_MAX_BYTES;
    if (this.#filling === null || this.#filled + most > this.#filling.length) this.#begin(most);
    const written = this.#filling!.write(line, this.#filled);
    this.#filled += written;
    this.bytes += written;
  }

  /** The oldest batch, which is the caller's until it gives it back; null when nothing waits. */
  take(): Buffer | null {
    if (this.#batches.length === 0) this.#seal();
    const batch = this.#batches.shift() ?? null;
    this.bytes -= batch?.length ?? 0;
    return batch;
  }

  /** A batch, or any part of it, that is not needed any more. */
  giveBack({ buffer }: Buffer): void {
    if (buffer.byteLength === BATCH_BYTES) this.#spare ??= Buffer.from(buffer);
  }

  #begin(most: number): void {
    this.#seal();
    if (most > BATCH_BYTES) this.#filling = Buffer.allocUnsafeSlow(most);
    else {
      this.#filling = this.#spare ?? Buffer.allocUnsafeSlow(BATCH_BYTES);
      this.#spare = null;
    }
  }

  #seal(): void {
    if (this.#filling === null) return;
    if (this.#filled > 0) this.#batches.push(this.#filling.subarray(0, this.#filled));
    this.#filling = null;
    this.#filled = 0;
  }
}
