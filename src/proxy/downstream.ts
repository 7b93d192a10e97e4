/**
 * One accepted connection: cuts what the client sends into requests, hands each to the exchange, one after another,
 * and answers what is not a request. Parks what comes too early (pipelining), bounded. Decides when the connection
 * ends: an orderly end lingers, so that a client that is still sending gets to read its answer (RFC 9112 section 9.6).
 */
import type { Socket } from 'node:net';
import type { ErrorCode } from '../base/error.ts';
import type { Direction, ListenerSettings } from '../config/snapshot.ts';
import { Field } from '../http1/field.ts';
import { requestFraming } from '../http1/framing.ts';
import { type Head, parseRequestHead } from '../http1/head.ts';
import { ForwardedLines } from '../routing/forwarded-lines.ts';
import { localAnswer } from './answer.ts';
import type { DataPlane } from './data-plane.ts';
import { deadline, type Timed } from './deadlines.ts';
import { Exchange } from './exchange.ts';
import { NO_INTAKE, ownIntake } from './intake.ts';
import type { Peer } from './peer.ts';
import { ReadBuffer } from './read-buffer.ts';
import { type Reader, readInto } from './shared-reads.ts';
import { reset } from './tls-server.ts';
import { Writer } from './writer.ts';

/** Bytes of later requests that are held while one is under way; then the socket is not read. */
const PARKED_MAX_BYTES = 65_536;
/** What may stand in front of a head (RFC 9112 section 2.2). */
const EMPTY_LINE_BYTES = 2;
/** After the last response: how long, and for how many bytes, a client may go on sending before it is cut off. */
const LINGER_MS = 2000;
const LINGER_MAX_BYTES = 1_048_576;

type State = 'open' | 'lingering' | 'closed';

export class Downstream implements Timed, Reader {
  readonly plane: DataPlane;
  readonly socket: Socket;
  /** Its `write` answers false when the client does not take it all: wait for `clientDrained`. */
  readonly writer: Writer;
  readonly direction: Direction;
  /** The name of the listener that accepted it. */
  readonly listener: string;
  readonly peer: Peer;
  readonly forwarded: ForwardedLines;
  readonly exchange: Exchange;
  deadlineMs: number;
  timedIndex = -1;
  /** The client closed its sending side. */
  isEnded = false;
  isPaused = false;
  #state: State = 'open';
  #isProcessing = false;
  /** More is parked than may be, so the socket is not read. */
  #isFull = false;
  /** The time for a head has begun: its first byte is here. */
  #isHeadTimed = false;
  #lingeredBytes = 0;
  readonly #onClosed: () => void;
  /** What came too early; nobody's while nothing did. */
  #intake = NO_INTAKE;
  readonly reads: ReadBuffer;
  /** Reads into a buffer that others read into as well. */
  readonly #isSharing: boolean;

  /** `onClosed` is called once, when the socket is gone. */
  constructor(
    plane: DataPlane,
    socket: Socket,
    peer: Peer,
    settings: ListenerSettings,
    onClosed: () => void,
  ) {
    this.plane = plane;
    this.socket = socket;
    this.direction = settings.direction;
    this.listener = settings.name;
    this.peer = peer;
    this.forwarded = new ForwardedLines(peer.address, peer.scheme);
    this.exchange = new Exchange(plane, this);
    const { nodeInternals } = plane.plan.snapshot;
    this.writer = new Writer(socket, plane.burst, false, nodeInternals);
    this.#onClosed = onClosed;
    this.reads = new ReadBuffer(plane.largeBuffers);
    this.deadlineMs = deadline(plane.clock.now(), plane.plan.snapshot.timeouts.requestHeadMs);
    plane.deadlines.add(this);
    socket.setNoDelay(true);
    this.#isSharing = nodeInternals && readInto(socket, this);
    if (!this.#isSharing) socket.on('data', (chunk: Buffer) => this.#onData(chunk, chunk.length));
    socket.on('drain', () => this.#onDrain());
    socket.on('end', () => this.#onEnd());
    // 'close' follows every error and does the work.
    socket.on('error', () => {});
    socket.on('close', () => this.#onClose());
    // A socket without a 'data' listener never tells 'end' unless it is resumed.
    socket.resume();
  }

  /** The first bytes, which were read before this object was made. */
  receive(bytes: Buffer): void {
    this.#onData(bytes, bytes.length);
  }

  /** No request after the present one: the sidecar is draining. */
  get isLast(): boolean {
    return this.plane.isDraining;
  }

  /** The client does not take what was written to it. */
  get isClogged(): boolean {
    return this.writer.isClogged;
  }

  /** Nothing is under way and no byte of a request is here. */
  get isIdle(): boolean {
    return this.#state === 'open' && !this.exchange.isActive && this.#intake.length === 0;
  }

  pause(): void {
    if (this.isPaused) return;
    this.isPaused = true;
    this.socket.pause();
  }

  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.socket.resume();
    if (this.#intake.length > 0) this.pump();
  }

  /** Cuts the connection. A response that only its end would end must not look ended: it is reset. */
  destroy(): void {
    const { phase, request } = this.exchange;
    const isEndMistakable = phase === 'relaying' && request.versionMinor === 0;
    if (isEndMistakable) reset(this.socket);
    else this.socket.destroy();
  }

  /** Closes the connection once what was written is sent. */
  destroySoon(): void {
    this.writer.flush();
    this.socket.destroySoon();
  }

  /** Go on with what is parked: there is somewhere to send it now. */
  pump(): void {
    if (this.#isProcessing) return;
    const intake = this.#intake;
    this.#process(intake.bytes, intake.start, intake.end);
  }

  /** The exchange is settled. */
  exchangeDone(isClose: boolean): void {
    if (this.#state === 'closed') return;
    if (isClose || (this.isEnded && this.#intake.length === 0)) return this.#linger();
    const { idleMs, requestHeadMs } = this.exchange.plan.snapshot.timeouts;
    this.#isHeadTimed = this.#intake.length > EMPTY_LINE_BYTES;
    this.deadlineMs = deadline(this.plane.deadlines.nowMs, this.#isHeadTimed ? requestHeadMs : idleMs);
    this.resume();
    if (!this.#isProcessing && this.#intake.length > 0) this.pump();
  }

  onDeadline(nowMs: number): void {
    if (this.exchange.isActive) this.exchange.onDeadline(nowMs);
    else if (this.#state === 'open' && this.#isHeadTimed && this.#intake.length > 0 && !this.isClogged)
      this.#refuse('request_head_timeout');
    else this.destroy();
  }

  /** A large request body is coming in. */
  enlargeReads(): void {
    if (this.#isSharing) this.reads.enlarge();
  }

  /** Bytes [0, length) of a buffer that is read into again. */
  onRead(length: number, bytes: Buffer): void {
    this.#onData(bytes, length);
    const { exchange } = this;
    if (this.reads.isLarge && (!exchange.isActive || exchange.requestBody.isDone)) {
      this.reads.shrink(exchange.attempt.connection?.writer.isSent === true);
    }
  }

  #onData(chunk: Buffer, length: number): void {
    if (this.#state === 'lingering') {
      this.#lingeredBytes += length;
      if (this.#lingeredBytes > LINGER_MAX_BYTES) this.destroy();
      return;
    }
    const intake = this.#intake;
    if (intake.length === 0) return this.#process(chunk, 0, length);
    const hasLine = intake.append(chunk, 0, length);
    const isHeadUnfinished =
      !this.exchange.isActive &&
      !hasLine &&
      this.#isHeadTimed &&
      intake.length < this.plane.plan.snapshot.limits.headMaxBytes;
    if (!isHeadUnfinished) this.pump();
  }

  #onDrain(): void {
    if (this.exchange.isActive) return this.exchange.clientDrained();
    this.resume();
    if (this.#intake.length > 0) this.pump();
  }

  /** Consume bytes [start, end) as far as possible and park the rest. */
  #process(bytes: Buffer, start: number, end: number): void {
    const { exchange } = this;
    this.#isProcessing = true;
    let at = start;
    while (this.#state === 'open') {
      if (!exchange.isActive) {
        // Answers to a client that does not read them would pile up here.
        if (this.isClogged) break;
        const after = at < end ? this.#startRequest(bytes, at, end) : 0;
        if (after === 0) break;
        at = after;
      } else if (exchange.phase === 'tunnel') {
        if (at < end) exchange.tunnel!.toUpstream(this.#lasting(bytes, at, end));
        at = end;
        break;
      } else if (exchange.requestBody.isDone || !exchange.canTakeBody) {
        break;
      } else if (at < end) {
        at = exchange.takeBody(bytes, at, end, this.#viewMinBytes(bytes));
        if (exchange.requestBody.isCrumbly) this.#giveWay();
      } else {
        exchange.flushHead();
        break;
      }
    }
    this.#isProcessing = false;
    this.#park(bytes, at, end);
    if (this.isEnded && this.#state === 'open') this.#finishEnded();
  }

  /** A socket is read up to 32 times in a row; what takes that long to read lets the others have their turn between. */
  #giveWay(): void {
    if (this.isPaused || this.exchange.requestBody.isDone) return;
    this.pause();
    setImmediate(endTurn, this);
  }

  /** It was the others' turn. Whoever cannot take more says so when it can. */
  takeTurn(): void {
    if (this.#state !== 'open' || this.#isFull) return;
    if (this.exchange.attempt.connection?.writer.isClogged !== true) this.resume();
  }

  /** No byte will come any more: what is left is half a request or half a body, unless it still waits its turn. */
  #finishEnded(): void {
    const { exchange } = this;
    if (exchange.isActive) {
      if (exchange.canTakeBody && !exchange.requestBody.isDone) this.destroy();
    } else if (!this.isClogged) this.#linger();
  }

  #lasting(bytes: Buffer, start: number, end: number): Buffer {
    const view = bytes.subarray(start, end);
    return this.#viewMinBytes(bytes) === 0 ? view : Buffer.from(view);
  }

  /** See `pieceOf`: what is parked, and what came with a 'data' event, is nobody else's. */
  #viewMinBytes(bytes: Buffer): number {
    return !this.#isSharing || bytes === this.#intake.bytes ? 0 : this.reads.viewMinBytes;
  }

  /** Parse a head and start its exchange. Answers where it ends, 0 when it is incomplete or refused. */
  #startRequest(bytes: Buffer, start: number, end: number): number {
    const { plane } = this;
    const { snapshot } = plane.plan;
    const { requestHead: head, requestFraming: framing } = plane;
    const after = parseRequestHead(head, bytes, start, end, snapshot.limits);
    if (after > 0) {
      if (!requestFraming(head, framing)) {
        this.#refuse(framing.failure!, framing.failureDetail);
      } else if (!isExpectationKnown(head)) {
        this.#refuse('expectation_failed');
      } else {
        this.#startExchange(head);
      }
      return after;
    }
    if (after < 0) this.#refuse(head.failure!, head.failureDetail);
    // The clock of the head starts with its first byte and no later byte moves it.
    else if (!this.#isHeadTimed && !isEmptyLine(bytes, start, end)) {
      this.#isHeadTimed = true;
      this.deadlineMs = deadline(plane.clock.now(), snapshot.timeouts.requestHeadMs);
    }
    return 0;
  }

  /** A fault of ours in deciding about one request must not take the others with it. */
  #startExchange(head: Head): void {
    try {
      this.exchange.start(head, this.plane.requestFraming);
    } catch (error) {
      this.plane.log.error(
        { error: (error as Error).stack },
        'a request could not be decided: this is a bug',
      );
      this.exchange.startFailed();
    }
  }

  #park(bytes: Buffer, at: number, end: number): void {
    const intake = this.#intake;
    if (this.#state !== 'open') return intake.clear();
    if (bytes === intake.bytes) intake.consumeTo(at);
    else if (at < end) {
      this.#intake = ownIntake(this.#intake);
      this.#intake.append(bytes, at, end);
    }
    const isFull = this.#intake.length > PARKED_MAX_BYTES && (this.exchange.isActive || this.isClogged);
    if (isFull) this.pause();
    // An upstream that cannot take more either says so again at the next write.
    else if (this.#isFull) this.resume();
    this.#isFull = isFull;
  }

  /** Answer what is no request, and close. */
  #refuse(code: ErrorCode, detail?: string): void {
    this.plane.metrics.localAnswers(code).value++;
    this.writer.write(localAnswer(code, null, true, detail));
    this.#linger();
  }

  #linger(): void {
    this.#state = 'lingering';
    this.#intake.clear();
    this.deadlineMs = this.plane.clock.now() + LINGER_MS;
    this.isPaused = false;
    this.socket.resume();
    this.writer.end();
  }

  #onEnd(): void {
    this.isEnded = true;
    if (this.#state !== 'open') return;
    const { exchange } = this;
    // With the upstream still connecting, the rest of the body may be parked here.
    const isBodyParked = this.#intake.length > 0 && !exchange.canTakeBody && !exchange.requestBody.isDone;
    if (!exchange.isActive) this.#linger();
    else if (!isBodyParked && !exchange.clientEnded()) this.destroy();
  }

  #onClose(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.plane.deadlines.remove(this);
    this.#intake.clear();
    this.reads.shrink(false);
    this.exchange.abort();
    this.#onClosed();
  }
}

/** So far nothing else: a client may send one behind a body and then nothing for long. */
function isEmptyLine(bytes: Buffer, start: number, end: number): boolean {
  return end - start <= EMPTY_LINE_BYTES && bytes[start] === 0x0d;
}

function endTurn(connection: Downstream): void {
  connection.takeTurn();
}

/** RFC 9110 section 10.1.1: 100-continue is the only expectation there is, and HTTP/1.0 has none. */
function isExpectationKnown(head: Head): boolean {
  if (head.first(Field.expect) < 0 || head.versionMinor === 0) return true;
  return head.header('expect')!.toLowerCase() === '100-continue';
}
