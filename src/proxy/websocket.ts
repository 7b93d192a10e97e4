/**
 * Where one WebSocket frame ends and the next begins (RFC 6455 section 5.2), in one direction of a tunnel, so that a
 * frame of our own can be put between two of theirs. Reads the 2 to 10 bytes of each frame's head and steps over the
 * mask and the payload: what they hold, and what extensions made of it, is nobody's business here. Never holds,
 * changes or refuses a byte; what turns out to be no frame is not followed any further.
 */
import type { Head } from '../http1/head.ts';

const FIN = 0x80;
const MASKED = 0x80;
const OPCODE_BITS = 0x0f;
const LENGTH_BITS = 0x7f;
const MASK_BYTES = 4;

/** Section 5.2: continuation, text, binary, close, ping, pong; the rest is reserved. */
const OPCODES: ReadonlySet<number> = new Set([0x0, 0x1, 0x2, 0x8, 0x9, 0xa]);
const FIRST_CONTROL_OPCODE = 0x8;
const CLOSE_OPCODE = 0x8;

/** Up to this the length is in the second byte itself, and a control frame's must be. */
const SHORT_LENGTH_MAX = 125;
const LENGTH_IN_2_BYTES = 126;

/** Section 7.4.1: "going away". */
const GOING_AWAY = 1001;

/** Whether this 101 switches to WebSocket. */
export function isWebSocket(head: Head): boolean {
  return head.header('upgrade')!.toLowerCase() === 'websocket';
}

export class FrameFollower {
  /** The bytes are no frames of this direction. */
  isLost = false;
  /** A Close frame has begun; its sender says nothing behind it. */
  hasClose = false;
  readonly #isMasked: boolean;
  /** Bytes of the present frame's head that were read; 0: between two frames, or in what the head frames. */
  #headBytes = 0;
  /** Bytes still to be read of an extended length. */
  #lengthBytes = 0;
  #length = 0;
  #isControl = false;
  /** Bytes of mask and payload still to come. */
  #remaining = 0;

  /** `isMasked`: frames of a client (section 5.1); a server's are not masked. */
  constructor(isMasked: boolean) {
    this.#isMasked = isMasked;
  }

  /** All that was followed is whole frames. */
  get isAtBoundary(): boolean {
    return this.#remaining === 0 && this.#headBytes === 0 && !this.isLost;
  }

  /** The sender's Close frame is here in full. */
  get isClosed(): boolean {
    return this.hasClose && this.isAtBoundary;
  }

  /** Steps over bytes [start, end). */
  follow(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end && !this.isLost && !this.isClosed) at = this.#step(bytes, at, end);
  }

  /** Steps up to the next boundary, which may be where it is already; answers where that is, or `end` without one. */
  followToBoundary(bytes: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end && !this.isLost && !this.isAtBoundary) at = this.#step(bytes, at, end);
    return this.isLost ? end : at;
  }

  /** Over one byte of a head, or over all there is of what it frames. */
  #step(bytes: Buffer, at: number, end: number): number {
    if (this.#remaining > 0) {
      const taken = Math.min(this.#remaining, end - at);
      this.#remaining -= taken;
      return at + taken;
    }
    this.#readHead(bytes[at]!);
    return at + 1;
  }

  #readHead(byte: number): void {
    if (this.#headBytes === 0) this.#readFirst(byte);
    else if (this.#headBytes === 1) this.#readSecond(byte);
    else {
      this.#length = this.#length * 256 + byte;
      this.#lengthBytes--;
    }
    this.#headBytes++;
    if (this.#headBytes > 1 && this.#lengthBytes === 0) this.#endHead();
  }

  #readFirst(byte: number): void {
    const opcode = byte & OPCODE_BITS;
    this.#isControl = opcode >= FIRST_CONTROL_OPCODE;
    // Section 5.5: control frames are never fragmented. The reserved bits are the extensions'.
    if (!OPCODES.has(opcode) || (this.#isControl && (byte & FIN) === 0)) this.isLost = true;
    if (opcode === CLOSE_OPCODE) this.hasClose = true;
  }

  #readSecond(byte: number): void {
    const length = byte & LENGTH_BITS;
    const isMasked = (byte & MASKED) !== 0;
    if (isMasked !== this.#isMasked || (this.#isControl && length > SHORT_LENGTH_MAX)) this.isLost = true;
    this.#lengthBytes = length <= SHORT_LENGTH_MAX ? 0 : length === LENGTH_IN_2_BYTES ? 2 : 8;
    this.#length = this.#lengthBytes === 0 ? length : 0;
  }

  #endHead(): void {
    if (!Number.isSafeInteger(this.#length)) this.isLost = true;
    this.#remaining = this.#length + (this.#isMasked ? MASK_BYTES : 0);
    this.#headBytes = 0;
  }
}

/** A Close frame "going away". `mask`: 8 hex digits for a frame to a server (section 5.3); null to a client. */
export function goingAwayFrame(mask: string | null): Buffer {
  const payload = Buffer.from([GOING_AWAY >> 8, GOING_AWAY & 0xff]);
  const first = FIN | CLOSE_OPCODE;
  if (mask === null) return Buffer.from([first, payload.length, ...payload]);
  const key = Buffer.from(mask, 'hex');
  const masked = payload.map((byte, index) => byte ^ key[index]!);
  return Buffer.from([first, MASKED | payload.length, ...key, ...masked]);
}
