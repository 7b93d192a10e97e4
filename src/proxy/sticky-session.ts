/**
 * The sticky assignments of one request: what its client was given before, read when the first experiment asks, and
 * the lines of the response that give out what is new. One object for a connection, reused.
 *
 * Only what was drawn here is given out: what was forced, or carried by a caller, is somebody else's decision.
 */
import { type SetCookie, stringifySetCookie } from 'cookie';
import type { StickyIssue } from '../config/compile-sticky.ts';
import { SLOTS, slotOf } from '../experiment/bucket.ts';
import type { Assignment, Experiment, RequestAttributes } from '../experiment/model.ts';
import {
  isRenewalDue,
  judge,
  type Kept,
  type Sticky,
  type StickyEntry,
  type StickySettings,
} from '../experiment/sticky.ts';
import { STICKY_MAX_CHARS, writeSticky } from '../propagation/sticky.ts';
import type { StickyPlan } from './sticky-plan.ts';

/** What the client sent in one cookie or header. */
interface Sent {
  readonly issue: StickyIssue;
  readonly entries: readonly StickyEntry[];
  /** Why nothing counts, or null. */
  readonly problem: 'absent' | 'malformed' | 'unknown-key' | 'forged' | null;
  /** Signed with a key that is on its way out. */
  readonly isKeyOld: boolean;
}

const NOTHING: readonly StickyEntry[] = [];

export class StickySession implements Sticky {
  #plan: StickyPlan | null = null;
  #request: RequestAttributes | null = null;
  #wallMs = 0;
  /** What was asked for, usually one. */
  readonly #sent: Sent[] = [];

  /** Begin with a request; `request` can be read until the assignments are made. */
  begin(plan: StickyPlan, request: RequestAttributes): void {
    this.#plan = plan;
    this.#request = request;
    this.#wallMs = plan.clock.wallMs();
    this.#sent.length = 0;
  }

  kept(experiment: Experiment): Kept | null {
    const settings = experiment.sticky!;
    const { entries, problem } = this.#sentIn(settings);
    if (problem === 'absent') return null;
    const count = (result: Parameters<StickyPlan['counter']>[1]): null => {
      this.#plan!.counter(experiment.name, result).value++;
      return null;
    };
    if (problem !== null) return count(problem);
    const entry = entryOf(entries, experiment.name);
    if (entry === null) return count('other');
    const kept = judge(experiment, settings, entry, this.#wallMs);
    if (typeof kept === 'string') return count(kept);
    count('kept');
    return kept;
  }

  /** What `kept` answers, for the record: counts nothing. Before `fields`. */
  peek(experiment: Experiment): Kept | null {
    const settings = experiment.sticky!;
    const entry = entryOf(this.#sentIn(settings).entries, experiment.name);
    const kept = entry === null ? null : judge(experiment, settings, entry, this.#wallMs);
    return typeof kept === 'string' ? null : kept;
  }

  /** Lines of the response that give out what these assignments have that the client has not, '' for none. */
  fields(assignments: readonly Assignment[]): string {
    let fields = '';
    for (const sent of this.#sent) fields += this.#fieldsFor(sent, assignments);
    this.#sent.length = 0;
    return fields;
  }

  #fieldsFor(sent: Sent, assignments: readonly Assignment[]): string {
    const { issue, entries } = sent;
    const fresh: StickyEntry[] = [];
    for (const assignment of assignments) {
      const { sticky } = assignment.experiment;
      if (sticky === null || !isSamePlace(sticky, issue)) continue;
      const entry = this.#freshEntry(assignment, sticky, entries);
      if (entry !== null) fresh.push(entry);
    }
    if (fresh.length === 0 && !sent.isKeyOld) return '';
    for (const { experiment } of fresh) this.#plan!.counter(experiment, 'issued').value++;
    const rest = entries.filter(
      (entry) =>
        entry.issuedS * 1000 + issue.ttlMs > this.#wallMs && entryOf(fresh, entry.experiment) === null,
    );
    return this.#lineFor(issue, [...fresh, ...rest]);
  }

  /** What is to be given out for an assignment; null: nothing, or the client has it. */
  #freshEntry(
    { experiment, reason, variant, unit }: Assignment,
    settings: StickySettings,
    entries: readonly StickyEntry[],
  ): StickyEntry | null {
    if (reason !== 'split' && reason !== 'sticky' && reason !== 'not-enrolled') return null;
    const issuedS = Math.floor(this.#wallMs / 1000);
    const known = entryOf(entries, experiment.name);
    const isKept = known !== null && typeof judge(experiment, settings, known, this.#wallMs) !== 'string';
    // The version stays that of the draw, so that a later minimum still tells it from a new one.
    if (isKept && (reason === 'sticky' || (reason === 'not-enrolled' && known.variant === null)))
      return isRenewalDue(settings, known, this.#wallMs) ? { ...known, issuedS } : null;
    const isOut = reason === 'not-enrolled';
    return {
      experiment: experiment.name,
      variant: isOut ? null : variant.name,
      bucketVersion: settings.bucketVersion,
      issuedS,
      enrolSlot: isOut ? gateSlot(experiment, unit) : 0,
    };
  }

  #lineFor(issue: StickyIssue, entries: readonly StickyEntry[]): string {
    const { place } = issue;
    const key = this.#plan!.keys[0]!;
    const bare = place.kind === 'cookie' ? cookieText(issue, '').length : place.name.length;
    const text = writeSticky(entries, place.name, key, STICKY_MAX_CHARS - bare);
    if (text === null) return '';
    return place.kind === 'cookie'
      ? `set-cookie: ${cookieText(issue, text)}\r\n`
      : `${place.name}: ${text}\r\n`;
  }

  #sentIn(settings: StickySettings): Sent {
    for (const sent of this.#sent) if (isSamePlace(settings, sent.issue)) return sent;
    const sent = this.#read(this.#plan!.issueFor(settings.place));
    this.#sent.push(sent);
    return sent;
  }

  #read(issue: StickyIssue): Sent {
    const { kind, name } = issue.place;
    const text = kind === 'cookie' ? this.#request!.cookie(name) : this.#request!.header(name);
    if (text === null || text === '') return { issue, entries: NOTHING, problem: 'absent', isKeyOld: false };
    const read = this.#plan!.read(text, name);
    if (typeof read === 'string') return { issue, entries: NOTHING, problem: read, isKeyOld: false };
    return { issue, entries: read.entries, problem: null, isKeyOld: read.keyIndex > 0 };
  }
}

function isSamePlace({ place }: StickySettings, issue: StickyIssue): boolean {
  return place.name === issue.place.name && place.kind === issue.place.kind;
}

function entryOf(entries: readonly StickyEntry[], experiment: string): StickyEntry | null {
  for (const entry of entries) if (entry.experiment === experiment) return entry;
  return null;
}

/** Where the unit is in the traffic gate. Another system's algorithm has no slot that more traffic would reach. */
function gateSlot(experiment: Experiment, unit: string | null): number {
  return experiment.bucketing !== null || unit === null ? SLOTS : slotOf(experiment.salt, 'enrol', unit);
}

function cookieText({ place, ttlMs, sameSite, isSecure, path, domain }: StickyIssue, value: string): string {
  const cookie: SetCookie = {
    name: place.name,
    value,
    maxAge: Math.ceil(ttlMs / 1000),
    path,
    httpOnly: true,
    secure: isSecure,
    sameSite,
  };
  // Nothing in the text needs to be encoded.
  return stringifySetCookie(domain === null ? cookie : { ...cookie, domain }, { encode: (text) => text });
}
