/** What is kept of a request after its head is gone, and when what happened to it. One object per connection, reused. */
import type { Head } from '../http1/head.ts';

export class RequestFacts {
  method = '';
  versionMinor = 1;
  isKeepAliveAsked = true;
  isUpgradeAsked = false;
  /** The tester wants to know why. */
  isExplainAsked = false;
  /** As received or as given by us; '' for none. */
  requestId = '';
  traceparent = '';
  // Times, on the monotonic clock; -1: not yet.
  startedMs = 0;
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
    this.isUpgradeAsked = head.isUpgrade && head.versionMinor === 1 && isTunnelProtocol(head);
    this.isExplainAsked = false;
    this.requestId = '';
    this.traceparent = '';
    this.startedMs = startedMs;
    this.sentMs = -1;
    this.completeMs = -1;
    this.firstByteMs = -1;
    this.answeredMs = -1;
  }

  /** From the request's last byte to the response's last, or to where the client held it up. */
  upstreamTimeMs(nowMs: number): number {
    if (this.completeMs < 0) return 0;
    return (this.answeredMs < 0 ? nowMs : this.answeredMs) - this.completeMs;
  }
}

/** h2c would turn the connection into a protocol that nobody here looks at: it is not passed on. */
function isTunnelProtocol(head: Head): boolean {
  return !/(?:^|[,\s])h2c?(?:[,\s/]|$)/i.test(head.header('upgrade') ?? 'h2c');
}
