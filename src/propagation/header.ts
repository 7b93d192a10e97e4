/**
 * What a request carries about experiments, from `x-experiment` (RFC 9651 dictionary) and from our baggage
 * members, and how it is written for the next hop. The field goes before the baggage.
 *
 * A malformed field is ignored whole (RFC 9651 section 4.2). Members about experiments that are not known here
 * are passed on as they were received, in their order, before ours. Whether the sender is to be trusted is not
 * decided here.
 */
import { parseDictionary, serialiseMember } from '../base/dictionary.ts';
import { type NamedVariant, readBaggage } from './baggage.ts';

/** Bounds of what is kept and passed on; whole members beyond them are dropped from the end. */
export const CARRIED_MEMBERS_MAX = 64;
export const CARRIED_BYTES_MAX = 8192;

/** One carried experiment. */
export interface CarriedMember {
  readonly name: string;
  /** Null when the value is not a token or a string: nothing we understand, still passed on. */
  readonly variant: string | null;
  /** The member as received, or as we would write it when it came by baggage. */
  readonly raw: string;
}

type CarriedFacts = Pick<Carried, 'isMalformed' | 'isBaggageMalformed' | 'isTruncated' | 'isFromField'>;

/** What one request carries. Immutable. */
export class Carried {
  readonly members: readonly CarriedMember[];
  /** The experiment field was there and no dictionary. */
  readonly isMalformed: boolean;
  /** Members of ours in the baggage were left out. */
  readonly isBaggageMalformed: boolean;
  /** Members were dropped for a bound. */
  readonly isTruncated: boolean;
  /** The experiment field names some of them; else all are the baggage's. */
  readonly isFromField: boolean;

  constructor(members: readonly CarriedMember[], facts: CarriedFacts) {
    this.members = members;
    this.isMalformed = facts.isMalformed;
    this.isBaggageMalformed = facts.isBaggageMalformed;
    this.isTruncated = facts.isTruncated;
    this.isFromField = facts.isFromField;
  }

  /** Name of the variant carried for an experiment, or null. */
  carried(name: string): string | null {
    const { members } = this;
    for (let i = 0; i < members.length; i++) {
      if (members[i]!.name === name) return members[i]!.variant;
    }
    return null;
  }
}

/** Read both fields; null when they carry nothing and nothing is wrong with them. Repeated fields: joined by ", ". */
export function readCarried(experimentHeader: string | null, baggage: string | null): Carried | null {
  if (experimentHeader === null && baggage === null) return null;
  const dictionary = experimentHeader === null ? [] : parseDictionary(experimentHeader);
  const members: CarriedMember[] = [];
  for (const { key, value, raw } of dictionary ?? []) members.push({ name: key, variant: value, raw });
  const malformed: string[] = [];
  if (baggage !== null) addBaggage(members, readBaggage(baggage, malformed));
  const count = countWithin(members);
  const isTruncated = count < members.length;
  if (isTruncated) members.length = count;
  const isMalformed = dictionary === null;
  const isBaggageMalformed = malformed.length > 0;
  if (members.length === 0 && !isMalformed && !isBaggageMalformed) return null;
  const isFromField = dictionary !== null && dictionary.length > 0;
  return new Carried(members, { isMalformed, isBaggageMalformed, isTruncated, isFromField });
}

/**
 * The experiment field for the next hop: what is carried about other experiments first and untouched, then
 * `assignments`. '' when there is nothing to say. Carried members make room for assignments, never the reverse;
 * an experiment whose name cannot be a dictionary key is left out.
 */
export function writeExperimentHeader(carried: Carried | null, assignments: readonly NamedVariant[]): string {
  let ours = '';
  for (let i = 0; i < assignments.length; i++) {
    const member = serialiseMember(assignments[i]!.name, assignments[i]!.variant);
    if (member !== null) ours = ours === '' ? member : `${ours}, ${member}`;
  }
  if (carried === null) return ours;
  let others = '';
  let room = CARRIED_MEMBERS_MAX - assignments.length;
  for (const { name, raw } of carried.members) {
    if (assignments.some((assignment) => assignment.name === name)) continue;
    if (room <= 0 || others.length + raw.length + ours.length + 4 > CARRIED_BYTES_MAX) break;
    others = others === '' ? raw : `${others}, ${raw}`;
    room--;
  }
  return others === '' || ours === '' ? others + ours : `${others}, ${ours}`;
}

/** Baggage speaks for the experiments that the field does not name; of a repeated member the last counts. */
function addBaggage(members: CarriedMember[], baggage: readonly NamedVariant[]): void {
  const fromField = members.length;
  for (const { name, variant } of baggage) {
    const raw = serialiseMember(name, variant);
    const at = members.findIndex((member) => member.name === name);
    if (raw === null || (at >= 0 && at < fromField)) continue;
    if (at >= 0) members[at] = { name, variant, raw };
    else members.push({ name, variant, raw });
  }
}

/** How many members fit the bounds, written one after the other with ", " between them. */
function countWithin(members: readonly CarriedMember[]): number {
  let bytes = -2;
  for (let i = 0; i < members.length; i++) {
    bytes += members[i]!.raw.length + 2;
    if (i === CARRIED_MEMBERS_MAX || bytes > CARRIED_BYTES_MAX) return i;
  }
  return members.length;
}
