/**
 * Sticky assignments: what an experiment gave a client before is given again when its unit has changed, as when
 * somebody logs in. Pure.
 *
 * Everything that is drawn is kept: the candidate, the control, and that a unit is not enrolled. Were only the
 * candidate kept, everybody else would be drawn again at each visit until they have it, and a share of 10 % would
 * creep up to 100 %. What is not enrolled is kept with its slot of the traffic gate, so that more traffic still
 * enrols more clients, and each of them once.
 */
import type { Experiment, Variant } from './model.ts';

/** Where the client keeps it: a cookie, or a header that it sends back. Header names are lower case. */
export interface StickyPlace {
  readonly kind: 'cookie' | 'header';
  readonly name: string;
}

export interface StickySettings {
  readonly place: StickyPlace;
  readonly ttlMs: number;
  /** Of the assignments that are made now. */
  readonly bucketVersion: number;
  /** Older assignments are not kept: they are drawn anew. */
  readonly minBucketVersion: number;
}

/** What was given out. */
export interface StickyEntry {
  readonly experiment: string;
  /** Null: it was not enrolled, and `enrolSlot` says why. */
  readonly variant: string | null;
  readonly bucketVersion: number;
  /** Seconds since the epoch. */
  readonly issuedS: number;
  /** Slot of the traffic gate in [0, 1,000,000]; 0 with a variant. */
  readonly enrolSlot: number;
}

/** What is given again. */
export interface Kept {
  /** Null: the traffic gate had this slot for it. */
  readonly variant: Variant | null;
  readonly enrolSlot: number;
}

/** Why an entry is not kept. */
export type NotKept = 'expired' | 'old-version' | 'unknown-variant' | 'no-weight';

/** Where assignment asks for what the client had. */
export interface Sticky {
  /** Null: nothing that counts. */
  kept(experiment: Experiment): Kept | null;
}

/**
 * Is an entry kept? A variant that has no weight any more keeps nobody: a weight of 0 means that nobody gets it.
 * @param wallMs milliseconds since the epoch
 */
export function judge(
  experiment: Experiment,
  settings: StickySettings,
  entry: StickyEntry,
  wallMs: number,
): Kept | NotKept {
  if (entry.issuedS * 1000 + settings.ttlMs <= wallMs) return 'expired';
  if (entry.bucketVersion < settings.minBucketVersion) return 'old-version';
  if (entry.variant === null) return { variant: null, enrolSlot: entry.enrolSlot };
  for (const variant of experiment.variants) {
    if (variant.name !== entry.variant) continue;
    return variant.weightPpm === 0 ? 'no-weight' : { variant, enrolSlot: 0 };
  }
  return 'unknown-variant';
}

/** Half of the time is over: it is given out again, so that who comes back keeps it. */
export function isRenewalDue(settings: StickySettings, entry: StickyEntry, wallMs: number): boolean {
  return entry.issuedS * 1000 + settings.ttlMs / 2 <= wallMs;
}
