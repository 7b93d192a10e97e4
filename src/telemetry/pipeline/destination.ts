/** Where spooled events go: what every kind of place has to be able to do, and what it can answer. */

/** What became of a batch. `problem` is one sentence's end without secrets, ids and contents: `it answered 503`. */
export type Verdict =
  /** It has them: they are not sent again. */
  | { readonly kind: 'taken' }
  /** Not now. `waitMs`: it asked for so long. */
  | { readonly kind: 'later'; readonly problem: string; readonly waitMs?: number }
  /** Never, as they are: they are lost to it. */
  | { readonly kind: 'refused'; readonly problem: string }
  /** Too much at once. */
  | { readonly kind: 'too-large' };

export interface Destination {
  /**
   * Sends events, each the JSON of a CloudEvent; all or, as far as is known, none of them are taken. Never rejects.
   * Ends soon after `signal` is aborted, and within a time of its own.
   */
  send(events: readonly Buffer[], signal: AbortSignal): Promise<Verdict>;
  /** Lets go of what it holds. Never rejects. */
  close(): Promise<void>;
}

export const TAKEN: Verdict = { kind: 'taken' };
