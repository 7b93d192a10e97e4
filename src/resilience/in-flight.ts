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

/**
 * Calls in order of admission. `fresh` is the oldest one that `Breaker` has not yet looked at for its age. It is a part of
 * what a breaker keeps, and no object of its own, which would be a line of memory more to fetch for each call.
 */
export interface InFlight {
  oldest: Call | null;
  newest: Call | null;
  fresh: Call | null;
  count: number;
  /** That of the calls that are admitted now. */
  generation: number;
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

export function append(list: InFlight, call: Call, nowMs: number): void {
  if (call.list !== null) throw new Error('A call in flight was admitted a second time; settle it first.');
  call.list = list;
  call.generation = list.generation;
  call.admittedMs = nowMs;
  call.answeredMs = -1;
  call.isSending = false;
  call.isCounted = false;
  const newest = list.newest;
  call.older = newest;
  if (newest === null) list.oldest = call;
  else newest.newer = call;
  list.newest = call;
  if (list.fresh === null) list.fresh = call;
  list.count++;
}

/** A call that is of no state: it counts for nothing, and is out of the way of those that do. */
export function appendUncounted(list: InFlight, call: Call): void {
  if (call.list !== null) throw new Error('A call in flight was admitted a second time; settle it first.');
  call.list = list;
  call.generation = UNCOUNTED;
  // Older than any, as its place in the list says.
  call.admittedMs = Number.NEGATIVE_INFINITY;
  call.answeredMs = -1;
  call.isSending = false;
  call.isCounted = false;
  const oldest = list.oldest;
  call.newer = oldest;
  if (oldest === null) list.newest = call;
  else oldest.older = call;
  list.oldest = call;
  list.count++;
}

/** Throws unless the call is in flight here. */
export function check(list: InFlight, call: Call): void {
  if (call.list !== list)
    throw new Error('The call is not in flight here: settled already, or never admitted.');
}

export function remove(list: InFlight, call: Call): void {
  check(list, call);
  const { older, newer } = call;
  if (older === null) list.oldest = newer;
  else older.newer = newer;
  if (newer === null) list.newest = older;
  else newer.older = older;
  if (list.fresh === call) list.fresh = newer;
  call.list = null;
  call.older = null;
  call.newer = null;
  list.count--;
}

/** Mark those of `generation` that have become older than `afterMs` since last time, and answer how many. */
export function markOverdue(list: InFlight, nowMs: number, afterMs: number, generation: number): number {
  let overdue = 0;
  let call = list.fresh;
  while (call !== null && nowMs - call.admittedMs > afterMs) {
    if (call.generation === generation && isOverdue(call, afterMs)) {
      call.isCounted = true;
      overdue++;
    }
    call = call.newer;
  }
  list.fresh = call;
  return overdue;
}

/** How many calls of its generation are older than `afterMs`. Looks at those that are, and those of other generations. */
export function countOverdue(list: InFlight, nowMs: number, afterMs: number): number {
  const { generation } = list;
  let overdue = 0;
  for (let call = list.oldest; call !== null && nowMs - call.admittedMs > afterMs; call = call.newer)
    if (call.generation === generation && isOverdue(call, afterMs)) overdue++;
  return overdue;
}

/** Of the calls of its generation that began after `sinceMs` and wait for longer than `afterMs`: how many, and how long. */
export function findWaiting(list: InFlight, nowMs: number, afterMs: number, sinceMs: number): Waiting {
  const { generation } = list;
  let calls = 0;
  let forMs = 0;
  for (let call = list.oldest; call !== null && nowMs - call.admittedMs > afterMs; call = call.newer) {
    if (call.generation !== generation || call.isSending || call.answeredMs >= 0) continue;
    if (call.admittedMs <= sinceMs) continue;
    if (calls === 0) forMs = nowMs - call.admittedMs;
    calls++;
  }
  return { calls, forMs };
}

/** Start the call's clock again; it becomes the newest. */
export function restart(list: InFlight, call: Call, nowMs: number): void {
  const { generation, isCounted } = call;
  remove(list, call);
  append(list, call, nowMs);
  call.generation = generation;
  call.isCounted = isCounted;
}

/** Forget which calls were looked at and counted. */
export function rewind(list: InFlight): void {
  for (let call = list.oldest; call !== null; call = call.newer) call.isCounted = false;
  list.fresh = list.oldest;
}
