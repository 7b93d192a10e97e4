/** What is kept of a response after its head is gone. One object per connection, reused. */
import { Body, type Framing } from '../http1/framing.ts';
import type { Head } from '../http1/head.ts';
import type { FailureRule } from '../resilience/failure-rule.ts';
import type { RequestFacts } from './request-facts.ts';
import { isSentChunked, upstreamIdleMs } from './response-head.ts';

export class ResponseFacts {
  /** Of the final response, the upstream's or our own; 0: none yet. */
  status = 0;
  /** The body goes to the client chunked. */
  isChunked = false;
  /** The client's connection ends behind this response. */
  isClose = false;
  /** The upstream's connection can serve another request, when both bodies are complete. */
  isUpstreamReusable = false;
  /** How long the upstream keeps an idle connection, as it says; Infinity: it does not. */
  upstreamIdleMs = Number.POSITIVE_INFINITY;

  /** The rules by whose fields it is a failure; null: by none. */
  markedBy: readonly FailureRule[] | null = null;

  reset(): void {
    this.status = 0;
    this.markedBy = null;
    this.isClose = false;
  }

  /** The final head is here. `isLast`: no request may follow for a reason that is not in the messages. */
  read(head: Head, framing: Framing, request: RequestFacts, isLast: boolean): void {
    this.status = head.status;
    const isFramedByClose = framing.kind === Body.untilClose;
    this.isChunked = isSentChunked(request.versionMinor, framing);
    const isEndedByClose = !this.isChunked && (isFramedByClose || framing.kind === Body.chunked);
    this.isClose = !request.isKeepAliveAsked || isEndedByClose || isLast;
    this.isUpstreamReusable =
      !isFramedByClose && (head.versionMinor === 1 ? !head.isClose : head.isKeepAlive && !head.isClose);
    this.upstreamIdleMs = upstreamIdleMs(head);
  }

  /** The final head is here, and these rules look at its fields; null: none does. */
  mark(rules: readonly FailureRule[] | null, head: Head): void {
    if (rules === null) return;
    const marked = rules.filter((rule) => rule.hasField((name) => head.header(name)));
    this.markedBy = marked.length === 0 ? null : marked;
  }
}
