/**
 * What the requests that came in carry, by their trace id and their `x-request-id`, so that a call that the service
 * makes for one of them can be given it again. For services that forward `traceparent`, or `x-request-id`, and no more.
 *
 * An id leads to what the first request with it carried. A request with the same id that carries something else makes the
 * id ambiguous, for good: nothing but the order of events could say whose call it is, and that would be a guess. Such a
 * call gets what all those requests carry, which is right whosever it is. Told the time; bounded in entries and in bytes.
 */

import { type Carried, readCarried } from './header.ts';
import { IdTable, useText, useTraceId } from './id-table.ts';

/** How a call was found to belong to a request. `ambiguous`: to several that differ; `unknown`: to none. */
export type JoinedBy = 'traceparent' | 'request_id' | 'ambiguous' | 'unknown';

/** What a call is given, and why. */
export interface Join {
  readonly by: JoinedBy;
  /** The value for the experiment field; '' for nothing. */
  readonly text: string;
  /** `text` as it is read when it is received; null for nothing. */
  readonly carried: Carried | null;
}

export interface MemorySettings {
  /** Of each of the two kinds of id. */
  readonly entriesMax: number;
  /** Of ids and texts together. */
  readonly bytesMax: number;
  /** How long after its last request an id is joined by. */
  readonly ttlMs: number;
}

/** What the memory did, counted up from its start. */
export interface MemoryCounts {
  /** Requests that came in. */
  readonly stored: number;
  /** Calls that were given what their request carries, be it nothing. */
  readonly joined: number;
  /** Calls with an id that several requests bear which carry different things. */
  readonly ambiguous: number;
  /** Calls with an id whose time was over. */
  readonly expired: number;
  /** Ids that had to go for others before their time was over. */
  readonly evicted: number;
  /** Requests that carry too much to be kept; calls with their ids are ambiguous. */
  readonly refused: number;
}

/** A text that requests carry: most carry one of a few. */
interface Remembered {
  readonly text: string;
  readonly byTrace: Join;
  readonly byRequestId: Join;
  /** When it is what several requests that differ have in common. */
  readonly common: Join;
  /** Entries that have it. */
  uses: number;
}

/** Several that have nothing in common; what they have is the number of its text, below zero. */
const AMBIGUOUS = 0;
const NOBODY: Join = { by: 'ambiguous', text: '', carried: null };
const UNKNOWN: Join = { by: 'unknown', text: '', carried: null };
const UNKNOWN_ID = Number.NEGATIVE_INFINITY;
/** A text in memory: its characters, and about this much around them and what is read out of it. */
const TEXT_OVERHEAD_BYTES = 256;

export class TraceMemory {
  readonly #settings: MemorySettings;
  readonly #traces: IdTable;
  readonly #requestIds: IdTable;
  /** By number; number 0 is AMBIGUOUS. */
  readonly #texts: (Remembered | null)[] = [null];
  readonly #numbers = new Map<string, number>();
  readonly #free: number[] = [];
  #textBytes = 0;
  #carriedUntilMs = Number.NEGATIVE_INFINITY;
  readonly #counts = { stored: 0, joined: 0, ambiguous: 0, expired: 0, evicted: 0, refused: 0 };

  /** `seed`: any integer; with it nobody outside can look for ids that meet in a table. */
  constructor(settings: MemorySettings, seed: number) {
    this.#settings = settings;
    const release = (number: number, isLate: boolean) => this.#released(number, isLate);
    this.#traces = new IdTable(settings.entriesMax, seed, release);
    this.#requestIds = new IdTable(settings.entriesMax, ~seed, release);
  }

  get counts(): MemoryCounts {
    return this.#counts;
  }

  /** Ids that are remembered, those included whose time is over. */
  get size(): number {
    return this.#traces.size + this.#requestIds.size;
  }

  get bytes(): number {
    return this.size * IdTable.entryBytes + this.#textBytes;
  }

  /** Whether any request of the last `ttlMs` carries an experiment. */
  hasCarried(nowMs: number): boolean {
    return nowMs < this.#carriedUntilMs;
  }

  /**
   * A request came in that carries `text`, an RFC 9651 dictionary or '' for nothing. An id that is '', not valid or
   * too long is left out.
   */
  store(traceparent: string, requestId: string, text: string, nowMs: number): void {
    this.#counts.stored++;
    this.learn(traceparent, requestId, text, nowMs);
  }

  /** The same of a request that came in elsewhere; `text` null: something that is too long to be told. */
  learn(traceparent: string, requestId: string, text: string | null, nowMs: number): void {
    const untilMs = nowMs + this.#settings.ttlMs;
    if (text !== '') this.#carriedUntilMs = untilMs;
    const number = this.#numberOf(text, nowMs);
    if (useTraceId(traceparent)) this.#put(this.#traces, number, untilMs, nowMs);
    if (useText(requestId)) this.#put(this.#requestIds, number, untilMs, nowMs);
    this.#release(number);
  }

  /** Forgets all of it. */
  clear(nowMs: number): void {
    while (this.#forgetOldest(nowMs));
  }

  /**
   * What a call with these ids belongs to. The trace goes first, unless it is ambiguous and the other is not; two that lead
   * to different things are believed neither.
   */
  find(traceparent: string, requestId: string, nowMs: number): Join {
    const byTrace = useTraceId(traceparent) ? this.#look(this.#traces, nowMs) : UNKNOWN_ID;
    const byRequestId = useText(requestId) ? this.#look(this.#requestIds, nowMs) : UNKNOWN_ID;
    const number = byTrace > 0 || byRequestId === UNKNOWN_ID ? byTrace : byRequestId;
    if (number === UNKNOWN_ID) return UNKNOWN;
    const isContradiction = byTrace > 0 && byRequestId > 0 && byTrace !== byRequestId;
    if (number <= 0 || isContradiction) {
      this.#counts.ambiguous++;
      return number === AMBIGUOUS || isContradiction ? NOBODY : this.#texts[-number]!.common;
    }
    this.#counts.joined++;
    const found = this.#texts[number]!;
    return byTrace > 0 ? found.byTrace : found.byRequestId;
  }

  /** UNKNOWN_ID also when its time is over. */
  #look(table: IdTable, nowMs: number): number {
    const at = table.find();
    if (at < 0) return UNKNOWN_ID;
    if (table.untilMs(at) > nowMs) return table.number(at);
    this.#counts.expired++;
    return UNKNOWN_ID;
  }

  #put(table: IdTable, number: number, untilMs: number, nowMs: number): void {
    const at = table.find();
    if (at < 0) {
      if (number !== AMBIGUOUS) this.#texts[number]!.uses++;
      table.add(number, untilMs, nowMs);
      return;
    }
    const before = table.number(at);
    const after = before === number ? number : -this.#common(before, number);
    // Its own use of the text before it, for one of the text after it.
    if (Math.abs(after) !== Math.abs(before)) {
      if (after !== AMBIGUOUS) this.#texts[-after]!.uses++;
      this.#release(before);
    }
    table.renew(at, after, untilMs);
  }

  /** The number of the text that two have in common, not below zero. Takes no use of it. */
  #common(before: number, number: number): number {
    const one = this.#texts[Math.abs(before)]?.common.carried;
    const other = this.#texts[number]?.common.carried;
    if (!one || !other) return AMBIGUOUS;
    const text = one.members
      .filter(({ raw }) => other.members.some((member) => member.raw === raw))
      .map(({ raw }) => raw)
      .join(', ');
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    // What room there is was made for the ids of the request; and an entry that is at hand must not be made to go.
    const bytes = this.bytes + 2 * IdTable.entryBytes + bytesOf(text);
    const hasRoom = bytes <= this.#settings.bytesMax;
    return text === '' || !hasRoom ? AMBIGUOUS : this.#remember(text, 0);
  }

  /** The number of a text, with one use that is the caller's; AMBIGUOUS when it is too long to be kept. */
  #numberOf(text: string | null, nowMs: number): number {
    const known = text === null ? undefined : this.#numbers.get(text);
    if (known !== undefined) this.#texts[known]!.uses++;
    const { bytesMax } = this.#settings;
    const textBytes = known === undefined && text !== null ? bytesOf(text) : 0;
    const isTooLong = text === null || textBytes > bytesMax / 4;
    const added = 2 * IdTable.entryBytes + (isTooLong ? 0 : textBytes);
    while (this.bytes + added > bytesMax && this.#forgetOldest(nowMs));
    if (!isTooLong) return known ?? this.#remember(text, 1);
    this.#counts.refused++;
    return AMBIGUOUS;
  }

  #remember(text: string, uses: number): number {
    // A string of its own: `text` may be a part of a whole head.
    const own = Buffer.from(text, 'latin1').latin1Slice();
    const carried = own === '' ? null : readCarried(own, null);
    const number = this.#free.pop() ?? this.#texts.length;
    this.#texts[number] = {
      text: own,
      byTrace: { by: 'traceparent', text: own, carried },
      byRequestId: { by: 'request_id', text: own, carried },
      common: { by: 'ambiguous', text: own, carried },
      uses,
    };
    this.#numbers.set(own, number);
    this.#textBytes += bytesOf(own);
    return number;
  }

  /** False: there is nothing left. */
  #forgetOldest(nowMs: number): boolean {
    const isTrace = this.#traces.size >= this.#requestIds.size;
    return (isTrace ? this.#traces : this.#requestIds).forgetOldest(nowMs);
  }

  #released(number: number, isLate: boolean): void {
    if (!isLate) this.#counts.evicted++;
    this.#release(number);
  }

  #release(ofEntry: number): void {
    if (ofEntry === AMBIGUOUS) return;
    const number = Math.abs(ofEntry);
    const remembered = this.#texts[number]!;
    if (--remembered.uses > 0) return;
    this.#numbers.delete(remembered.text);
    this.#textBytes -= bytesOf(remembered.text);
    this.#texts[number] = null;
    this.#free.push(number);
  }
}

function bytesOf(text: string): number {
  return 2 * text.length + TEXT_OVERHEAD_BYTES;
}
