/**
 * After a 101: bytes both ways, unread, with backpressure and half-close, until both sides have ended. Ends by itself
 * when neither side has sent anything for a time, at its maximum age, at a drain, and when the experiment that
 * led it to its variant is killed: then in an orderly way, so that a client can come back. A WebSocket's peers get a
 * Close frame and a moment for theirs; of any other protocol the end of the stream is all that is known.
 *
 * As a request it was settled at the switch (`settle.ts`): a tunnel's length says nothing about its upstream.
 */
import type { Snapshot } from '../config/snapshot.ts';
import type { Head } from '../http1/head.ts';
import type { TunnelCause, TunnelSeries } from '../telemetry/tunnel-series.ts';
import { deadline } from './deadlines.ts';
import type { Downstream } from './downstream.ts';
import type { Exchange } from './exchange.ts';
import type { Rest } from './recovery.ts';
import { upgradeHead } from './response-head.ts';
import { settleSwitch, tunnelSeries } from './settle.ts';
import { TunnelFlow } from './tunnel-flow.ts';
import type { UpstreamConnection, UpstreamUser } from './upstream.ts';
import { FrameFollower, isWebSocket } from './websocket.ts';

/**
 * How long peers have for each step of an orderly end: to finish the frame under way and answer a Close frame; then,
 * with the stream ended, to take what is on its way to them and end their own. After the second they are cut off.
 */
const CLOSE_STEP_MS = 5000;

/** Of a masking key (RFC 6455 section 5.3). */
const MASK_BYTES = 4;

/** `open`: bytes pass. `closing`: asked to go. `ended`: nothing more is sent to either side. */
type State = 'open' | 'closing' | 'ended';

/** The upstream answered 101. `rest` is what came behind the head. */
export function switchProtocols(exchange: Exchange, head: Head, { bytes, at, end }: Rest): void {
  const { request, requestBody, attempt } = exchange;
  if (!requestBody.isDone || !request.hasAskedFor(head.header('upgrade')))
    return exchange.malformed('The upstream switched protocols unasked, or did not say to which.');
  exchange.response.status = 101;
  exchange.phase = 'tunnel';
  exchange.tunnel = new Tunnel(exchange, attempt.connection!, isWebSocket(head));
  attempt.connection = null;
  exchange.tunnel.begin(upgradeHead(exchange, head), bytes, at, end);
}

export class Tunnel implements UpstreamUser {
  /** What ended it, or began to; null: nothing yet. */
  cause: TunnelCause | null = null;
  readonly #exchange: Exchange;
  readonly #downstream: Downstream;
  readonly #connection: UpstreamConnection;
  readonly #in: TunnelFlow;
  readonly #out: TunnelFlow;
  readonly #series: readonly TunnelSeries[];
  readonly #startedMs: number;
  readonly #idleMs: number;
  readonly #expiresMs: number;
  #state: State = 'open';
  /** The client's connection is gone: nobody is left to pass anything to. */
  #isOver = false;

  /**
   * Settles the exchange's request, at the switch, and takes its connection over. `hasFrames`: it carries frames of
   * RFC 6455.
   */
  constructor(exchange: Exchange, connection: UpstreamConnection, hasFrames: boolean) {
    settleSwitch(exchange);
    const { downstream, plane } = exchange;
    const { tunnelIdleMs, tunnelMaxMs } = exchange.plan.snapshot.timeouts;
    this.#exchange = exchange;
    this.#downstream = downstream;
    this.#connection = connection;
    const frames = (isMasked: boolean) => (hasFrames ? new FrameFollower(isMasked) : null);
    this.#in = new TunnelFlow(connection.writer, frames(true), plane.random.hex(MASK_BYTES));
    this.#out = new TunnelFlow(downstream.writer, frames(false), null);
    this.#series = tunnelSeries(exchange);
    for (const series of this.#series) series.active++;
    this.#startedMs = plane.clock.now();
    this.#idleMs = tunnelIdleMs;
    this.#expiresMs = deadline(this.#startedMs, tunnelMaxMs);
    connection.attach(this);
    this.#touch();
  }

  /** Passed on from the client. */
  get bytesIn(): number {
    return this.#in.bytes;
  }

  /** Passed on to the client, behind the 101. */
  get bytesOut(): number {
    return this.#out.bytes;
  }

  /** Tell the client, and pass on what came right behind the 101: bytes [start, end) of a shared buffer. */
  begin(head: string, bytes: Buffer, start: number, end: number): void {
    if (!this.#downstream.writer.write(head)) this.#connection.pause();
    if (start < end) this.#fromUpstream(Buffer.from(bytes.subarray(start, end)));
    this.#downstream.pump();
    if (this.#downstream.isEnded) this.clientEnded();
    // The rules may have changed since the request.
    this.heed(this.#exchange.plane.plan.snapshot);
  }

  /** Bytes from the client, in a buffer that is not written to again. */
  toUpstream(bytes: Buffer): void {
    const before = this.#in.bytes;
    if (!this.#in.pass(bytes)) this.#downstream.pause();
    for (const series of this.#series) series.receivedBytes += this.#in.bytes - before;
    this.#passed(this.#in, 'client');
  }

  clientDrained(): void {
    this.#connection.resume();
  }

  clientEnded(): void {
    this.cause ??= 'client';
    this.#in.end();
  }

  /** Other rules are in force: a variant that was killed, or has lost, gives its tunnels up: their clients come back. */
  heed(snapshot: Snapshot): void {
    const { participations, count } = this.#exchange.decision;
    for (let i = 0; i < count; i++) {
      const { assignment, served } = participations[i]!;
      if (!assignment!.isIncluded) continue;
      const experiment = snapshot.experiments.get(assignment!.experiment.name);
      if (experiment === undefined) continue;
      const { status, fallback, winner } = experiment;
      const { name } = served!.variant;
      if (status === 'killed' && name !== fallback.name) this.close('killed');
      if (status === 'concluded' && name !== (winner ?? fallback).name) this.close('concluded');
    }
  }

  /** Ends the tunnel in an orderly way, in no more than two steps of CLOSE_STEP_MS. Only the first call counts. */
  close(cause: TunnelCause): void {
    if (this.#state !== 'open') return;
    this.cause ??= cause;
    this.#state = 'closing';
    this.#touch();
    // Peers that are closing already need no more than to be waited for.
    if (!this.#in.frames?.hasClose && !this.#out.frames?.hasClose) {
      this.#out.close();
      this.#in.close();
    }
    // What is dropped from now on need not wait for anybody.
    if (this.#out.isClosed) this.#connection.resume();
    if (this.#in.isClosed) this.#downstream.resume();
    this.#endIfAgreed();
  }

  /** The time is up for what the tunnel waits for. */
  onDeadline(nowMs: number): void {
    if (this.#state === 'open') return this.close(nowMs >= this.#expiresMs ? 'max-age' : 'idle');
    if (this.#state === 'closing') return this.#end();
    this.#connection.destroy();
    this.#downstream.destroy();
  }

  /** The client's connection is gone. */
  destroy(): void {
    this.cause ??= 'client-reset';
    this.#isOver = true;
    const { plane } = this.#exchange;
    for (const series of this.#series) series.end(this.cause, plane.clock.now() - this.#startedMs);
    const isFinished = this.#in.isEnded && this.#out.isEnded;
    if (this.#state === 'open' && !isFinished) return this.#connection.destroy();
    // The client said its last, which may still be on its way to the upstream.
    this.#in.end();
    this.#connection.resume();
    const limitMs = this.#state === 'open' ? this.#idleMs : CLOSE_STEP_MS;
    this.#connection.deadlineMs = deadline(plane.deadlines.nowMs, limitMs);
    this.#connection.socket.unref();
  }

  upstreamConnected(): void {}

  upstreamData(bytes: Buffer, length: number): void {
    if (!this.#isOver) this.#fromUpstream(Buffer.from(bytes.subarray(0, length)));
  }

  upstreamEnded(): void {
    this.cause ??= 'upstream';
    this.#out.end();
  }

  upstreamFailed(_code: string, error: unknown): void {
    if (this.#isOver) return;
    this.cause ??= error === null ? 'upstream' : 'upstream-reset';
    // The client was asked to go, and goes in its own time.
    if (this.#state !== 'open') this.#end();
    else if (error !== null) this.#downstream.destroy();
    // Both sides have ended, and the client's last bytes are still on their way to it.
    else this.#downstream.destroySoon();
  }

  upstreamDrained(): void {
    if (!this.#isOver) this.#downstream.resume();
  }

  #fromUpstream(bytes: Buffer): void {
    const before = this.#out.bytes;
    if (!this.#out.pass(bytes)) this.#connection.pause();
    for (const series of this.#series) series.sentBytes += this.#out.bytes - before;
    this.#passed(this.#out, 'upstream');
  }

  #passed(flow: TunnelFlow, sender: TunnelCause): void {
    if (this.#state !== 'open') return this.#endIfAgreed();
    if (this.cause === null && flow.frames?.hasClose) this.cause = sender;
    this.#touch();
  }

  /** Each side that has sent and been sent a Close frame has nothing more to say. */
  #endIfAgreed(): void {
    if (this.#out.isClosed && this.#in.frames?.isClosed) this.#out.end();
    if (this.#in.isClosed && this.#out.frames?.isClosed) this.#in.end();
    if (this.#state === 'closing' && this.#in.isEnded && this.#out.isEnded) this.#end();
  }

  #end(): void {
    this.#state = 'ended';
    this.#in.end();
    this.#out.end();
    // Each is read on, for its own end.
    this.#connection.resume();
    this.#downstream.resume();
    this.#touch();
  }

  #touch(): void {
    const { nowMs } = this.#downstream.plane.deadlines;
    this.#downstream.deadlineMs =
      this.#state === 'open'
        ? Math.min(deadline(nowMs, this.#idleMs), this.#expiresMs)
        : nowMs + CLOSE_STEP_MS;
  }
}
