/**
 * Writing to sockets in bursts. Under load, one turn of the event loop reads from many sockets; what that makes to be
 * sent is held and sent when the turn is over, upstreams first. The kernel and the peers then wake up once for many
 * messages: 1 to 2 us less a request at saturation. With few sends a turn it costs more than it saves, so it is
 * used only while it pays, and looked at again each tick. Nothing is held beyond the turn it was written in.
 */
import type { Socket } from 'node:net';
import { Outcome, type WriteHandle, writeDirectly, writeHandle } from './direct-writes.ts';
import type { Piece } from './relay.ts';
import { giveBack } from './slab.ts';

/** Sends a turn from which on holding them back pays. */
const WORTHWHILE_SENDS = 4;
/** Turns that a trial lasts. */
const TRIAL_TURNS = 8;
/** Held for one socket; what is more is sent at once. */
const HELD_MAX_BYTES = 65_536;

/** The sends of one turn of the event loop, over all sockets. */
export class Burst {
  isHolding = false;
  #turns = 0;
  #sends = 0;
  #isScheduled = false;
  #upstreams: Writer[] = [];
  #downstreams: Writer[] = [];

  /** `writer` holds something; called once for it until it is flushed. */
  add(writer: Writer): void {
    if (writer.isUpstream) this.#upstreams.push(writer);
    else this.#downstreams.push(writer);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#flush);
  }

  /** Each tick: give holding back a trial, or go on with it. */
  tick(): void {
    this.isHolding = true;
    this.#turns = 0;
    this.#sends = 0;
  }

  readonly #flush = (): void => {
    this.#isScheduled = false;
    this.#turns++;
    this.#sends += this.#upstreams.length + this.#downstreams.length;
    this.#upstreams = flushAll(this.#upstreams);
    this.#downstreams = flushAll(this.#downstreams);
    if (this.#turns === TRIAL_TURNS && this.#sends < TRIAL_TURNS * WORTHWHILE_SENDS) this.isHolding = false;
  };
}

/** Flushes and answers the emptied list. What flushing causes to be written goes into a list of its own. */
function flushAll(writers: Writer[]): Writer[] {
  for (const writer of writers) writer.flush();
  writers.length = 0;
  return writers;
}

/**
 * The sending side of one socket. All that is written to it goes through here, so while no stream was needed, nothing
 * of the socket has to be looked at.
 */
export class Writer {
  readonly isUpstream: boolean;
  readonly #socket: Socket;
  readonly #burst: Burst;
  readonly #isDirect: boolean;
  /** Null: not yet known, or never, and everything goes by the stream. */
  #handle: WriteHandle | null = null;
  #held = '';
  /** The rest of a direct write waits for the peer. */
  #isWaiting = false;
  /** Something was written by the stream, which may not have sent it all. */
  #isStreamUsed = false;

  /** `isDirect`: see `direct-writes.ts`. */
  constructor(socket: Socket, burst: Burst, isUpstream: boolean, isDirect: boolean) {
    this.#socket = socket;
    this.#burst = burst;
    this.isUpstream = isUpstream;
    this.#isDirect = isDirect;
  }

  /** Answers false when the peer does not take it all: wait for the socket's 'drain'. */
  write(piece: Piece): boolean {
    if (typeof piece === 'string' && this.#burst.isHolding) return this.#hold(piece);
    this.flush();
    if (typeof piece === 'string') return this.#send(piece);
    this.#isStreamUsed = true;
    // A write above the high-water mark answers false also when the kernel took all of it.
    return (this.#socket.write(piece) && !this.#isWaiting) || this.isSent;
  }

  /** The peer does not take what was written to it. */
  get isClogged(): boolean {
    return this.#isWaiting || (this.#isStreamUsed && this.#socket.writableNeedDrain);
  }

  /** Nothing that was written waits in this process. */
  get isSent(): boolean {
    return (
      this.#held === '' && !this.#isWaiting && (!this.#isStreamUsed || this.#socket.writableLength === 0)
    );
  }

  /**
   * Writes a head and the first piece of its body in one system call: two cost as much as the rest of the request.
   * Answers like `write`.
   */
  writeTogether(head: string, piece: Piece | null): boolean {
    if (piece === null) return head === '' || this.write(head);
    if (typeof piece === 'string') return this.write(head + piece);
    if (head === '') return this.write(piece);
    const text = this.#held + head;
    this.#held = '';
    this.#isStreamUsed = true;
    this.#socket.cork();
    this.#socket.write(text, 'latin1');
    const isTaken = this.#socket.write(piece);
    this.#socket.uncork();
    return (isTaken && !this.#isWaiting) || this.isSent;
  }

  /** The caller needs `piece`, which was written last, no more: its memory is used again if it is sent. */
  release(piece: Piece | null): void {
    if (piece !== null && typeof piece !== 'string' && this.isSent) giveBack(piece);
  }

  /** Close the sending side behind what was written. */
  end(): void {
    this.flush();
    this.#socket.end();
  }

  /** Send what is held. */
  flush(): void {
    if (this.#held === '') return;
    const text = this.#held;
    this.#held = '';
    this.#send(text);
  }

  #hold(text: string): boolean {
    if (this.#held === '') this.#burst.add(this);
    this.#held += text;
    if (this.#held.length > HELD_MAX_BYTES) this.flush();
    return !this.isClogged;
  }

  #send(text: string): boolean {
    const handle = this.#handle ?? this.#find();
    if (handle !== null && !this.#isWaiting && (!this.#isStreamUsed || this.#isStreamEmpty())) {
      const outcome = writeDirectly(handle, text, this.#socket);
      if (outcome === Outcome.sent) return true;
      if (outcome === Outcome.waiting) return this.#wait();
    }
    if (this.#socket.destroyed) return false;
    this.#isStreamUsed = true;
    return this.#socket.write(text, 'latin1') && !this.#isWaiting;
  }

  #find(): WriteHandle | null {
    if (this.#isDirect) this.#handle = writeHandle(this.#socket);
    return this.#handle;
  }

  /** Whether the stream has sent all that it got, and waits for nobody. */
  #isStreamEmpty(): boolean {
    const { writableLength, writableNeedDrain } = this.#socket;
    if (writableLength === 0) this.#isStreamUsed = writableNeedDrain;
    return writableLength === 0;
  }

  /** The stream knows nothing of what waits, so it gets an empty piece behind it that is written when it is. */
  #wait(): false {
    this.#isWaiting = true;
    this.#isStreamUsed = true;
    this.#socket.write('', 'latin1', this.#onTaken);
    return false;
  }

  readonly #onTaken = (error?: Error | null): void => {
    this.#isWaiting = false;
    // The stream says so itself when it holds back more.
    if (!error && !this.#socket.writableNeedDrain) this.#socket.emit('drain');
  };
}
