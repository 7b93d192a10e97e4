/** What is kept of a request after its head is gone, and when what happened to it. One object per connection, reused. */
import type { Head } from '../http1/head.ts';
import { requestIdIn, traceparentIn } from '../propagation/fresh-ids.ts';
import type { Span } from '../propagation/span.ts';

export class RequestFacts {
  method = '';
  versionMinor = 1;
  isKeepAliveAsked = true;
  isUpgradeAsked = false;
  /** The protocols asked for, lower case; empty when none was. */
  #protocols: readonly string[] = NO_PROTOCOLS;
  /** The tester wants to know why. */
  isExplainAsked = false;
  /** As received; '' for none. */
  #requestId = '';
  #traceparent = '';
  /** The lines of `FreshIds` that it was given instead, of which parts are taken when somebody asks. */
  #freshLines = '';
  #isIdFresh = false;
  #isTraceFresh = false;
  /** Ours, when it is recorded. */
  span: Span | null = null;
  /** What kind of program asks, where that is collected; a number of `AGENTS`. */
  agent = 0;
  // Times, on the monotonic clock; -1: not yet.
  startedMs = 0;
  /** Who serves it was asked to; the start, unless another one failed before. */
  beganMs = 0;
  /** The head was sent upstream. */
  sentMs = -1;
  /** The request's last byte was sent; the upstream's time begins. */
  completeMs = -1;
  firstByteMs = -1;
  /** The client began to be what the response waits for; the upstream's time is over. */
  answeredMs = -1;

  /** Begin with a request that came in at `startedMs`. */
  read(head: Head, startedMs: number): void {
    this.method = head.method;
    this.versionMinor = head.versionMinor;
    this.isKeepAliveAsked = head.versionMinor === 1 ? !head.isClose : head.isKeepAlive && !head.isClose;
    this.#protocols = head.isUpgrade && head.versionMinor === 1 ? askedProtocols(head) : NO_PROTOCOLS;
    this.isUpgradeAsked = this.#protocols.length > 0;
    this.isExplainAsked = false;
    this.#isIdFresh = false;
    this.#isTraceFresh = false;
    this.span = null;
    this.startedMs = startedMs;
    this.beganMs = startedMs;
    this.sentMs = -1;
    this.completeMs = -1;
    this.firstByteMs = -1;
    this.answeredMs = -1;
  }

  /** As received or as given by us; '' for none. */
  get requestId(): string {
    return this.#isIdFresh ? requestIdIn(this.#freshLines) : this.#requestId;
  }

  get traceparent(): string {
    return this.#isTraceFresh ? traceparentIn(this.#freshLines) : this.#traceparent;
  }

  /** The ids that came with it, or a span's; '' for none. */
  receiveIds(requestId: string, traceparent: string): void {
    this.#requestId = requestId;
    this.#traceparent = traceparent;
    this.#isTraceFresh = false;
  }

  /** It gets ids of ours for those that are missing; `lines` as `FreshIds` has them. */
  giveIds(lines: string, isId: boolean, isTrace: boolean): void {
    this.#freshLines = lines;
    this.#isIdFresh = isId;
    this.#isTraceFresh = isTrace;
  }

  /** It is over. What an idle connection kept of its ids would hold the memory of a hundred others. */
  forget(): void {
    this.receiveIds('', '');
    this.giveIds('', false, false);
  }

  /** It goes to somebody else, who has no part in the time before. */
  restart(nowMs: number, isComplete: boolean): void {
    this.beganMs = nowMs;
    this.sentMs = -1;
    this.completeMs = isComplete ? nowMs : -1;
    this.firstByteMs = -1;
    this.answeredMs = -1;
  }

  /** What was ours of the time before the head was sent; -1: it was not, or not only ours. */
  get overheadMs(): number {
    return this.sentMs < 0 || this.beganMs > this.startedMs ? -1 : this.sentMs - this.startedMs;
  }

  /** RFC 9110 section 7.8: whether all that the upstream switched to, by its Upgrade field, was asked for. */
  hasAskedFor(upgrade: string | null): boolean {
    return upgrade !== null && members(upgrade).every((protocol) => this.#protocols.includes(protocol));
  }

  /** From the request's last byte to the response's last, or to where the client held it up. */
  upstreamTimeMs(nowMs: number): number {
    if (this.completeMs < 0) return 0;
    return (this.answeredMs < 0 ? nowMs : this.answeredMs) - this.completeMs;
  }
}

const NO_PROTOCOLS: readonly string[] = [];
/** `name` or `name/version`. */
const PROTOCOL = /^[!#$%&'*+\-.^_`|~0-9a-z]+(?:\/[!#$%&'*+\-.^_`|~0-9a-z]+)?$/;

/**
 * None when the list is no list of protocols, or holds h2c, which would turn the connection into a protocol that
 * nobody here looks at: an Upgrade is passed on as a whole or not at all.
 */
function askedProtocols(head: Head): readonly string[] {
  const protocols = members(head.header('upgrade') ?? '');
  return protocols.every((protocol) => PROTOCOL.test(protocol) && !/^h2c?(?:\/|$)/.test(protocol))
    ? protocols
    : NO_PROTOCOLS;
}

function members(list: string): readonly string[] {
  return list
    .toLowerCase()
    .split(',')
    .map((member) => member.replace(/^[ \t]+|[ \t]+$/g, ''));
}
