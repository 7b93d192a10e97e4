/**
 * One direction of a tunnel: what one peer sends, on its way to the other. Passes bytes on unread; of a WebSocket it
 * knows where frames end, so that it can close in an orderly way: a Close frame between two frames of the sender,
 * and nothing behind it. Never holds bytes back.
 */
import { type FrameFollower, goingAwayFrame } from './websocket.ts';
import type { Writer } from './writer.ts';

export class TunnelFlow {
  /** Null: no WebSocket, or none that follows the rules. */
  readonly frames: FrameFollower | null;
  /** Passed on so far. */
  bytes = 0;
  /** The receiver was told that nothing follows: by the end of the stream. */
  isEnded = false;
  /** The receiver was told by a Close frame of ours; the sender is listened to for its own. */
  isClosed = false;
  #isClosing = false;
  readonly #writer: Writer;
  readonly #mask: string | null;

  /** `writer` leads to the receiver. `mask`: see `goingAwayFrame`. */
  constructor(writer: Writer, frames: FrameFollower | null, mask: string | null) {
    this.#writer = writer;
    this.frames = frames;
    this.#mask = mask;
  }

  /** The sender's bytes; nobody else changes them. False: the receiver does not take them all, wait for its drain. */
  pass(bytes: Buffer): boolean {
    const { frames } = this;
    if (frames !== null && this.#isClosing) return this.#passRest(frames, bytes);
    frames?.follow(bytes, 0, bytes.length);
    return this.#write(bytes);
  }

  /**
   * Ask the receiver to go: by a Close frame behind the frame that is under way, or by the end of the stream when there
   * are no frames. Not for senders whose own Close frame has begun.
   */
  close(): void {
    const { frames } = this;
    if (frames === null || frames.isLost) return this.end();
    this.#isClosing = true;
    this.#closeAtBoundary(frames);
  }

  /** The end of the stream behind what was passed. */
  end(): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.#writer.end();
  }

  #passRest(frames: FrameFollower, bytes: Buffer): boolean {
    const end = bytes.length;
    const boundary = this.isClosed ? 0 : frames.followToBoundary(bytes, 0, end);
    const isTaken = boundary === 0 || this.#write(bytes.subarray(0, boundary));
    if (frames.isLost) this.end();
    else this.#closeAtBoundary(frames);
    frames.follow(bytes, boundary, end);
    return isTaken;
  }

  #write(bytes: Buffer): boolean {
    if (this.isEnded) return true;
    this.bytes += bytes.length;
    return this.#writer.write(bytes);
  }

  #closeAtBoundary(frames: FrameFollower): void {
    if (!frames.isAtBoundary || this.isClosed || this.isEnded) return;
    this.isClosed = true;
    this.#writer.write(goingAwayFrame(this.#mask));
  }
}
