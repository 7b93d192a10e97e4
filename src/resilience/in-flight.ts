/**
 * The calls in flight of one breaker, oldest first: an intrusive list, so that admitting and settling a call
 * neither allocates nor searches, and the calls that have just become too old are always in one place.
 * Never judges; it only keeps the order. Throws when a call would be listed twice or taken out twice, because a
 * breaker that loses count of its calls can neither trip nor recover.
 */

/**
 * One call in flight. Whoever makes calls owns it and may use it again after it is settled: `new Call()` once,
 * `Breaker.admit` arms it, `Breaker.settle` disarms it. The fields are the breaker's.
 */
export class Call {
  list: InFlight | null = null;
  older: Call | null = null;
  newer: Call | null = null;
  /** The breaker's generation at admission; a call of an earlier one is stale and counts for nothing. */
  generation = 0;
  admittedMs = 0;
  /** When the response head arrived in time to stop the clock; -1: not yet. */
  answeredMs = -1;
  /** The request is still on its way to the upstream: its age says nothing yet. */
  isSending = false;
  /** The breaker has counted this call before its end: as slow while closed, as a good probe while half-open. */
  isCounted = false;

  /** Whether a breaker still waits for this call's end. */
  get isArmed(): boolean {
    return this.list !== null;
  }
}

/** The generation of a call that no state of the breaker counts. */
const UNCOUNTED = -1;

/** How long the upstream has had, or took. */
export function ageOf(call: Call, nowMs: number): number {
  if (call.isSending) return 0;
  return (call.answeredMs < 0 ? nowMs : call.answeredMs) - call.admittedMs;
}

function isOverdue({ isSending, answeredMs, admittedMs }: Call, afterMs: number): boolean {
  if (isSending) return false;
  return answeredMs < 0 || answeredMs - admittedMs > afterMs;
}

/** Calls that have no answer yet, and how long the first of them has waited. */
export interface Waiting {
  readonly calls: number;
  readonly forMs: number;
}

/** Calls in order of admission. `fresh` is the oldest one that `Breaker` has not yet looked at for its age. */
export class InFlight {
  oldest: Call | null = null;
  newest: Call | null = null;
  fresh: Call | null = null;
  count = 0;

  append(call: Call, nowMs: number, generation: number): void {
    if (call.list !== null) throw new Error('A call in flight was admitted a second time; settle it first.');
    call.list = this;
    call.generation = generation;
    call.admittedMs = nowMs;
    call.answeredMs = -1;
    call.isSending = false;
    call.isCounted = false;
    const newest = this.newest;
    call.older = newest;
    if (newest === null) this.oldest = call;
    else newest.newer = call;
    this.newest = call;
    if (this.fresh === null) this.fresh = call;
    this.count++;
  }

  /** A call that is of no state: it counts for nothing, and is out of the way of those that do. */
  appendUncounted(call: Call): void {
    if (call.list !== null) throw new Error('A call in flight was admitted a second time; settle it first.');
    call.list = this;
    call.generation = UNCOUNTED;
    // Older than any, as its place in the list says.
    call.admittedMs = Number.NEGATIVE_INFINITY;
    call.answeredMs = -1;
    call.isSending = false;
    call.isCounted = false;
    const oldest = this.oldest;
    call.newer = oldest;
    if (oldest === null) this.newest = call;
    else oldest.older = call;
    this.oldest = call;
    this.count++;
  }

  /** Throws unless the call is in flight here. */
  check(call: Call): void {
    if (call.list !== this)
      throw new Error('The call is not in flight here: settled already, or never admitted.');
  }

  remove(call: Call): void {
    this.check(call);
    const { older, newer } = call;
    if (older === null) this.oldest = newer;
    else older.newer = newer;
    if (newer === null) this.newest = older;
    else newer.older = older;
    if (this.fresh === call) this.fresh = newer;
    call.list = null;
    call.older = null;
    call.newer = null;
    this.count--;
  }

  /** Mark those of `generation` that have become older than `afterMs` since last time, and answer how many. */
  age(nowMs: number, afterMs: number, generation: number): number {
    let overdue = 0;
    let call = this.fresh;
    while (call !== null && nowMs - call.admittedMs > afterMs) {
      if (call.generation === generation && isOverdue(call, afterMs)) {
        call.isCounted = true;
        overdue++;
      }
      call = call.newer;
    }
    this.fresh = call;
    return overdue;
  }

  /** How many calls of `generation` are older than `afterMs`. Looks at those that are, and those of other generations. */
  older(nowMs: number, afterMs: number, generation: number): number {
    let older = 0;
    for (let call = this.oldest; call !== null && nowMs - call.admittedMs > afterMs; call = call.newer)
      if (call.generation === generation && isOverdue(call, afterMs)) older++;
    return older;
  }

  /** Of the calls of `generation` that began after `sinceMs` and wait for longer than `afterMs`: how many, and how long. */
  waiting(nowMs: number, afterMs: number, sinceMs: number, generation: number): Waiting {
    let calls = 0;
    let forMs = 0;
    for (let call = this.oldest; call !== null && nowMs - call.admittedMs > afterMs; call = call.newer) {
      if (call.generation !== generation || call.isSending || call.answeredMs >= 0) continue;
      if (call.admittedMs <= sinceMs) continue;
      if (calls === 0) forMs = nowMs - call.admittedMs;
      calls++;
    }
    return { calls, forMs };
  }

  /** Start the call's clock again; it becomes the newest. */
  restart(call: Call, nowMs: number): void {
    const { generation, isCounted } = call;
    this.remove(call);
    this.append(call, nowMs, generation);
    call.isCounted = isCounted;
  }

  /** Forget which calls were looked at and counted. */
  rewind(): void {
    for (let call = this.oldest; call !== null; call = call.newer) call.isCounted = false;
    this.fresh = this.oldest;
  }
}
