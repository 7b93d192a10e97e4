/**
 * The life of one request, top to bottom: start, choose, connect, send, receive, retry or answer, relay, settle.
 * READ THIS FIRST. One object per downstream connection, used for one request after another; no object, closure or
 * timer is made per request. `downstream.ts` feeds it what the client sends, `upstream.ts` what the upstream sends.
 *
 * Invariants: the plan (and so the Snapshot) is taken once, so a reload never changes the rules of a request under
 * way; assignments are made once, so a retry or a breaker changes the target and never the variant; `settle` runs
 * exactly once; a response that has begun is finished or visibly broken off, never ended early.
 */
import { type ErrorCode, ProxyError } from '../base/error.ts';
import { Body, Framing, responseFraming } from '../http1/framing.ts';
import type { Head } from '../http1/head.ts';
import { isIdempotent } from '../resilience/retry.ts';
import { answerLocally } from './answer.ts';
import { Attempt } from './attempt.ts';
import type { DataPlane } from './data-plane.ts';
import { Decision } from './decision.ts';
import { recordDecision } from './decision-record.ts';
import type { Downstream } from './downstream.ts';
import { Expiry, isSilenceOfUpstream } from './expiry.ts';
import type { Plan } from './plan.ts';
import { LARGE_BODY_BYTES } from './read-buffer.ts';
import { enterBudgets, passOver, recoverFrom } from './recovery.ts';
import { BodyRelay, type Piece } from './relay.ts';
import { RequestFacts } from './request-facts.ts';
import { requestHead } from './request-head.ts';
import { ResponseFacts } from './response-facts.ts';
import { informationalHead, responseHead } from './response-head.ts';
import { type ResponseHandler, ResponseReader } from './response-reader.ts';
import { countIn, markAnswered, markSending, markSent, markStreaming, settle } from './settle.ts';
import { switchProtocols, type Tunnel } from './tunnel.ts';
import type { UpstreamUser } from './upstream.ts';

/** `connecting`: no connection yet, or the next one is put off. `waiting`: for the response head. `relaying`: its body. `tunnel`: after a 101. */
export type Phase = 'idle' | 'connecting' | 'waiting' | 'relaying' | 'tunnel';

export class Exchange implements UpstreamUser, ResponseHandler {
  readonly plane: DataPlane;
  readonly downstream: Downstream;
  readonly decision: Decision;
  phase: Phase = 'idle';
  plan: Plan;
  readonly request = new RequestFacts();
  readonly requestBody = new BodyRelay();
  readonly response = new ResponseFacts();
  readonly responseBody = new BodyRelay();
  error: ErrorCode | null = null;
  readonly attempt: Attempt;
  readonly expiry = new Expiry(this);
  tunnel: Tunnel | null = null;
  #isPausedByClient = false;
  readonly #reader: ResponseReader;

  constructor(plane: DataPlane, downstream: Downstream) {
    this.plane = plane;
    this.downstream = downstream;
    this.plan = plane.plan;
    this.attempt = new Attempt(this);
    this.#reader = new ResponseReader(plane.responseHead, this);
    this.decision = new Decision(plane.inquiry, downstream);
  }

  get isActive(): boolean {
    return this.phase !== 'idle';
  }

  // ---- Start: the head is parsed and its framing known -------------------------------------------------------

  /** Begin with a request. `head` is valid during this call only. */
  start(head: Head, framing: Framing): void {
    const { plane, request } = this;
    this.plan = plane.plan;
    request.read(head, plane.clock.now());
    this.attempt.reset();
    this.decision.reset();
    this.#isPausedByClient = false;
    this.#clear();
    this.requestBody.begin(framing, framing.kind === Body.chunked, this.plan.requestChunks);
    if (this.plan.isTooLarge(framing.length)) return this.#refuse('body_too_large');
    const route = this.plan.match(this.downstream.direction, head);
    if (route === null) return this.#refuse('route_not_found');
    this.expiry.begin(head, route);
    const refusal = this.decision.decide(route, head, this.plan, request.startedMs) ?? this.expiry.refusal;
    if (refusal !== null) return this.#refuse(refusal);
    const { isDone } = this.requestBody;
    const text = requestHead(this, head, framing);
    if (route.mirror !== null) route.mirror.consider(this, text);
    this.attempt.hashKey = this.decision.hashKey();
    this.attempt.prepare(text, isDone || isIdempotent(request.method), this.expiry);
    if (plane.decisions !== null) recordDecision(plane.decisions, this, null);
    if (plane.faults !== null) this.attempt.faults = plane.faults.for(head, this.decision);
    countIn(this);
    if (isDone) request.completeMs = request.startedMs;
    else markSending(this);
    if (route.isBudgeted) enterBudgets(this);
    this.#connect();
  }

  /** `start` threw, which is a fault of ours: this request ends, the others go on. */
  startFailed(): void {
    this.decision.cancel(this.request.startedMs);
    this.decision.reset();
    this.#refuse('internal');
  }

  #refuse(code: ErrorCode): void {
    if (this.plane.decisions !== null) recordDecision(this.plane.decisions, this, code);
    countIn(this);
    this.fail(code);
  }

  /** No attempt has come to anything yet. */
  #clear(): void {
    this.phase = 'connecting';
    this.error = null;
    this.response.reset();
    this.responseBody.begin(NO_BODY, false, this.plan.responseChunks);
    this.#reader.reset();
  }

  // ---- Connect ------------------------------------------------------------------------------------------------

  #connect(): void {
    const { attempt } = this;
    this.phase = 'connecting';
    if (this.decision.group!.isAsking && this.expiry.mayAsk()) return this.expiry.putOff(ASKING_MS);
    if (this.requestBody.isDone) this.expiry.beginTry();
    if (!attempt.connect(this.decision.group!))
      return this.#failed(attempt.pool === null ? 'upstream_unresolved' : 'overloaded');
    if (attempt.connection?.isConnected === true) this.#connected();
    // The connection keeps its own time.
    else this.expiry.arm(0);
  }

  upstreamConnected(): void {
    // It may be the connection before this one that held the client back.
    this.downstream.resume();
    this.#connected();
    // The downstream held the body back until there was somewhere to send it.
    if (this.phase === 'waiting') this.downstream.pump();
  }

  #connected(): void {
    this.phase = 'waiting';
    if (this.attempt.hasReplay) this.#sent(this.attempt.resend());
    else if (this.requestBody.isDone) this.flushHead();
    const { firstByteMs, stallMs } = this.decision.route!.timeouts;
    this.expiry.arm(this.requestBody.isDone ? firstByteMs : stallMs);
  }

  // ---- Send: the head, and the body as it comes -----------------------------------------------------------------

  /** May the client's body bytes be handed over? */
  get canTakeBody(): boolean {
    return this.phase === 'waiting' || this.phase === 'relaying';
  }

  /** Send the head now, when no body byte is there to go with it. */
  flushHead(): void {
    if (!this.attempt.isHeadSent) this.#sent(this.attempt.sendHead());
  }

  /** Body bytes [start, end) from the client; answers up to where they belong to this request. */
  takeBody(bytes: Buffer, start: number, end: number, viewMinBytes: number): number {
    const body = this.requestBody;
    const piece = body.take(bytes, start, end, viewMinBytes);
    if (body.failure !== null) {
      this.fail('chunk_malformed', body.failure);
      return end;
    }
    if (this.plan.isTooLarge(body.bytes)) {
      this.fail('body_too_large');
      return end;
    }
    const { replayMaxBytes } = this.plan.snapshot.limits;
    if (piece !== null) this.#sent(this.attempt.sendBody(piece, replayMaxBytes));
    else this.flushHead();
    if (body.isDone) markSent(this, this.plane.clock.now());
    else if (body.remaining >= LARGE_BODY_BYTES && this.attempt.isFinal) this.downstream.enlargeReads();
    this.expiry.armForBody();
    return body.consumedTo;
  }

  #sent(isTaken: boolean): void {
    if (this.request.sentMs < 0) this.request.sentMs = this.plane.clock.now();
    if (!isTaken && !this.requestBody.isDone) this.downstream.pause();
  }

  upstreamDrained(): void {
    if (!this.requestBody.isDone) this.downstream.resume();
  }

  // ---- Receive --------------------------------------------------------------------------------------------------

  upstreamData(bytes: Buffer, length: number): void {
    if (this.phase === 'relaying') return this.#relay(bytes, 0, length, '');
    if (this.request.firstByteMs < 0) this.request.firstByteMs = this.plane.clock.now();
    this.#reader.read(bytes, length, this.plan.snapshot.limits);
  }

  malformed(detail: string): void {
    this.attempt.destroy();
    this.#failed('upstream_malformed', detail);
  }

  /** RFC 9110 section 15.2: passed on, but never to an HTTP/1.0 client. */
  informational(head: Head): void {
    // 100 says nothing of the answer, and may be said again by another upstream.
    if (head.status !== 100) this.attempt.commit();
    if (this.request.versionMinor === 1) this.downstream.writer.write(informationalHead(head));
  }

  begin(head: Head, bytes: Buffer, at: number, end: number): void {
    const framing = this.plane.responseFraming;
    if (!responseFraming(head, this.request.method, framing)) return this.malformed(framing.failureDetail);
    const { isStreaming } = this.decision.route!;
    this.attempt.answered(head.status, isStreaming ? -1 : this.request.completeMs);
    if (head.status === 101) return switchProtocols(this, head, { bytes, at, end });
    const { response } = this;
    response.read(head, framing, this.request, !this.requestBody.isDone || this.downstream.isLast);
    response.mark(this.decision.route!.fieldRules, head);
    if (head.status >= 400) {
      const delayMs = passOver(this, head, framing, { bytes, at, end });
      if (delayMs >= 0) return this.#again(delayMs);
    }
    this.attempt.commit();
    this.expiry.endTry();
    this.responseBody.begin(framing, response.isChunked, this.plan.responseChunks);
    if (isStreaming) markStreaming(this, this.plane.clock.now());
    if (framing.kind === Body.length && framing.length >= LARGE_BODY_BYTES)
      this.attempt.connection!.reads.enlarge();
    this.phase = 'relaying';
    this.#relay(bytes, at, end, responseHead(this, head, framing, response.isClose));
  }

  // ---- Relay ----------------------------------------------------------------------------------------------------

  /** Response body bytes [start, end). In front `text`, a head or ''; null: that of the plane, just as it came. */
  #relay(bytes: Buffer, start: number, end: number, text: string | null): void {
    const from = text === null ? this.plane.responseHead.start : start;
    const body = this.responseBody;
    let piece: Piece | null = null;
    let at = start;
    if (body.isDone || start === end) piece = from < start ? bytes.latin1Slice(from, start) : null;
    else {
      piece = body.take(bytes, start, end, this.attempt.connection!.reads.viewMinBytes, from);
      at = body.consumedTo;
      if (body.failure !== null) {
        // With its head still here, the response has not begun.
        if (text !== '') this.phase = 'waiting';
        return this.fail('upstream_malformed', body.failure);
      }
    }
    // Surplus bytes would be taken for the answer to somebody else's request.
    if (at < end) this.response.isUpstreamReusable = false;
    const { writer } = this.downstream;
    if (!writer.writeTogether(text ?? '', piece) && !body.isDone) this.#pauseForClient();
    writer.release(piece);
    if (body.isDone) this.#finish();
    else this.expiry.arm(this.decision.route!.timeouts.stallMs);
  }

  /** From here on it is the client that takes its time: the upstream's latency is what it was. */
  #pauseForClient(): void {
    this.attempt.connection!.pause();
    if (!this.#isPausedByClient) markAnswered(this, this.plane.clock.now());
    this.#isPausedByClient = true;
  }

  /** The client has taken what was written. */
  clientDrained(): void {
    if (this.tunnel !== null) return this.tunnel.clientDrained();
    if (this.phase !== 'relaying') return;
    this.attempt.connection?.resume();
    this.expiry.arm(this.decision.route!.timeouts.stallMs);
  }

  #finish(): void {
    const { isUpstreamReusable, upstreamIdleMs, isClose } = this.response;
    const isReusable = isUpstreamReusable && this.requestBody.isDone;
    this.attempt.release(isReusable, upstreamIdleMs, this.downstream.writer);
    this.#settle();
    this.downstream.exchangeDone(isClose);
  }

  // ---- The upstream ends or fails -------------------------------------------------------------------------------

  upstreamEnded(): void {
    if (this.phase === 'relaying' && this.responseBody.isUntilClose) {
      const last = this.responseBody.finish();
      if (last !== null) this.downstream.writer.write(last);
      return this.#finish();
    }
    this.attempt.connection?.destroy();
    this.upstreamFailed('upstream_reset', null);
  }

  upstreamFailed(code: ErrorCode, cause: unknown): void {
    if (this.phase === 'relaying') return this.#breakOff('upstream_aborted');
    this.attempt.connection = null;
    this.#failed(code, cause instanceof ProxyError ? cause.message : undefined);
  }

  /** The attempt failed, and the client has nothing of an answer: another attempt, or the error. */
  #failed(code: ErrorCode, detail?: string): void {
    this.error = code;
    this.attempt.failed(code);
    const delayMs = recoverFrom(this, code);
    if (delayMs < 0) this.fail(code, detail);
    else this.#again(delayMs);
  }

  /** Send it once more, to whom the decision says now. */
  #again(delayMs: number): void {
    this.#clear();
    this.request.firstByteMs = -1;
    if (delayMs > 0) return this.expiry.putOff(delayMs);
    this.connectAgain();
  }

  /** The wait before another attempt is over. */
  connectAgain(): void {
    this.#connect();
    // It may be the connection before this one that held the client back.
    if (this.phase !== 'waiting' || this.requestBody.isDone) return;
    this.downstream.resume();
    this.downstream.pump();
  }

  /** The response has begun and cannot be finished: truncation must look like truncation. */
  #breakOff(code: ErrorCode): void {
    this.error = code;
    this.attempt.failed(code);
    this.attempt.destroy();
    this.downstream.destroy();
    this.#settle();
  }

  // ---- Answers of our own ---------------------------------------------------------------------------------------

  /** Answer the request ourselves, and settle it. Only before a response has begun. */
  fail(code: ErrorCode, detail?: string): void {
    this.error = code;
    this.attempt.destroy();
    if (this.phase === 'relaying') return this.#breakOff(code);
    if (code !== 'breaker_open' && this.attempt.count === 0) this.decision.cancel(this.request.startedMs);
    const isClose = answerLocally(this, code, detail);
    this.#settle();
    this.downstream.exchangeDone(isClose);
  }

  /** The client is gone: let the upstream go too. */
  abort(): void {
    if (this.phase === 'idle') return;
    if (this.tunnel === null) this.error = this.plane.isCutting ? 'drain_timeout' : 'client_aborted';
    this.tunnel?.destroy();
    this.attempt.destroy();
    this.#settle();
  }

  /** The client closed its sending side. Answers whether this exchange goes on. */
  clientEnded(): boolean {
    if (this.tunnel !== null) {
      this.tunnel.clientEnded();
      return true;
    }
    if (!this.requestBody.isDone) return false;
    this.expiry.hurry();
    return true;
  }

  /** Time is up for whatever this exchange is waiting for. */
  onDeadline(nowMs: number): void {
    if (this.tunnel !== null) return this.tunnel.onDeadline(nowMs);
    const code = this.expiry.codeAt(nowMs);
    if (code === null) return this.downstream.destroy();
    if (!isSilenceOfUpstream(code)) return this.fail(code);
    if (this.expiry.isExtended(nowMs, code)) return;
    this.attempt.destroy();
    this.#failed(code);
  }

  // ---- Settle: exactly once -------------------------------------------------------------------------------------

  #settle(): void {
    if (this.phase === 'idle') return;
    this.phase = 'idle';
    this.expiry.end();
    this.attempt.commit();
    settle(this);
    this.request.forget();
    this.tunnel = null;
  }
}

/** How soon it is looked again whether the first answer of DNS has come. */
const ASKING_MS = 20;

const NO_BODY: Framing = new Framing();
