/**
 * The experiment as the request path sees it: compiled, frozen, no I/O.
 * `config/compile.ts` makes these from the declared config and the run-time state; `assign.ts` reads them.
 */

import type { Bucketing } from './algorithms/bucketing.ts';
import type { Holdout, LayerShare } from './layer.ts';
import type { Schedule } from './lifecycle.ts';
import type { Requirement } from './prerequisite.ts';
import type { RoutingKey } from './routing-key.ts';
import type { StickySettings } from './sticky.ts';

/** Why a request got its variant. */
export type Reason =
  | 'override' // a person forced it, by header or cookie
  | 'propagated' // the caller already had one
  | 'unknown-variant' // the caller already had one, which is not here: fallback
  | 'sticky' // what this client was given before
  | 'split' // the salted hash of the unit
  | 'killed' // the experiment is killed: fallback for everyone
  | 'concluded' // the experiment is over: the winner for everyone
  | 'off' // the experiment is paused: fallback for whoever carries nothing; or a draft: fallback for everyone
  | 'not-started' // it is not yet startsAt
  | 'ended' // endsAt is past: fallback or winner for whoever carries nothing
  | 'prerequisite' // another experiment did not give the variant that this one needs
  | 'holdout' // the unit is kept out of all experiments, or of those of a layer
  | 'not-in-layer' // the unit's slot of the layer belongs to another experiment, or to none
  | 'excluded' // a health check, synthetic traffic or a bot: kept out of every experiment
  | 'no-unit' // none of the unit sources is present
  | 'not-targeted' // the targeting says no
  | 'not-enrolled'; // outside the share of traffic that the experiment takes

export type ExperimentStatus = 'draft' | 'running' | 'paused' | 'killed' | 'concluded';

/** Where the id of the randomised unit is read; the first source present wins. */
export type UnitSource =
  | { readonly kind: 'header'; readonly name: string } // lower case
  | { readonly kind: 'cookie'; readonly name: string }
  | { readonly kind: 'query'; readonly name: string }
  | { readonly kind: 'path'; readonly name: string } // of `{name}` in the route's pattern
  | { readonly kind: 'claim'; readonly pointer: string } // RFC 6901; a verified one only
  | { readonly kind: 'clientAddress'; readonly prefix4: number; readonly prefix6: number } // leading bits
  | { readonly kind: 'clientIdentity' } // of the client's verified certificate
  | { readonly kind: 'request' }; // a new unit for every request

/** What a token says of who sent the request. */
export interface Claim {
  readonly value: string | number | boolean;
  /** The token is signed by a known key and valid now. What is not verified may be anybody's invention. */
  readonly isVerified: boolean;
}

/** What assignment and targeting may read of a request. Every getter answers null for what is absent. */
export interface RequestAttributes {
  readonly method: string;
  /** The path as received, without the query. */
  readonly path: string;
  /** Field value by lower-case name; several fields are joined with ", " (RFC 9110 section 5.3). */
  header(name: string): string | null;
  cookie(name: string): string | null;
  query(name: string): string | null;
  /** What the client's verified certificate says it is. */
  readonly clientIdentity: string | null;
  /** IP address of the client as the connection (or its PROXY header) has it; null on a unix socket. */
  readonly clientAddress: string | null;
  /** What stands where the pattern of the route has `{name}`, percent-decoded. */
  pathParameter(name: string): string | null;
  /** A claim of the request's token by its RFC 6901 pointer, `/sub`; text, numbers and booleans only. */
  claim(pointer: string): Claim | null;
}

export interface Variant {
  readonly name: string;
  /** Position in `Experiment.variants`. */
  readonly index: number;
  readonly weightPpm: number;
  /** Name of the upstream this variant is sent to; null: the route's own. */
  readonly upstream: string | null;
  /** What it means to the application, for OpenFeature; null: its name. */
  readonly payload: Payload | null;
}

/** A value that JSON has, but not null. */
export type Payload = string | number | boolean | readonly unknown[] | { readonly [key: string]: unknown };

/** A compiled targeting rule; see `targeting.ts`. */
export type Condition = (request: RequestAttributes) => boolean;

/** A clause of the targeting with the sentence `explain` prints for it. All clauses must hold. */
export interface TargetingClause {
  readonly text: string;
  readonly matches: Condition;
  /** Of a rule made of rules: what it is called, and they. */
  readonly group?: { readonly name: string; readonly clauses: readonly TargetingClause[] };
}

/** Ranges of the 1,000,000 slots and the variant that owns each, in ascending order, without gaps. */
export interface SlotRange {
  /** Inclusive. */
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  /** Index of the owning variant. */
  readonly variant: number;
}

/** Who answers for an experiment on a protected route. */
export interface Approval {
  readonly approvedBy: string;
  readonly reason: string;
}

export interface Experiment {
  readonly name: string;
  readonly owner: string | null;
  readonly hypothesis: string | null;
  readonly successCriteria: string | null;
  readonly rollbackPlan: string | null;
  readonly approval: Approval | null;
  readonly salt: string;
  /** How often the slots or the salt have changed, from 1; a unit keeps its variant within an epoch. */
  readonly epoch: number;
  readonly status: ExperimentStatus;
  /** Who gets everyone when the status is `concluded`; null: nobody is named. */
  readonly winner: Variant | null;
  /** Null: no dates. */
  readonly schedule: Schedule | null;
  /** From when on it has run for longer than it should, in milliseconds since the epoch; Infinity: never. */
  readonly staleAtMs: number;
  /** All of these must have been assigned. */
  readonly requires: readonly Requirement[];
  readonly holdouts: readonly Holdout[];
  readonly layer: LayerShare | null;
  readonly unit: readonly UnitSource[];
  /** Clients keep their variant when their unit changes; null: they do not. */
  readonly sticky: StickySettings | null;
  /** Whoever carries a variant that is not here is refused, and not served the fallback. */
  readonly refusesUnknown: boolean;
  /** Share of the units that take part at all, in parts per million. */
  readonly trafficPpm: number;
  readonly targeting: readonly TargetingClause[];
  readonly variants: readonly Variant[];
  /** The safe default: gets whoever is not in the experiment, and whatever a breaker turns away. */
  readonly fallback: Variant;
  /** Of fairlead1. */
  readonly slots: readonly SlotRange[];
  /** Another system's algorithm, which then decides who takes part and with which variant; null: fairlead1. */
  readonly bucketing: Bucketing | null;
  /** Gets what `excluded` is the reason of; the fallback unless configured. */
  readonly excludedVariant: Variant;
  /** Fields of other tools that are taken for an override. */
  readonly routingKeys: readonly RoutingKey[];
  /** The field that gets the unit's bucket on its way upstream, lower case; null: none. See `bucket-number.ts`. */
  readonly bucketHeader: string | null;
}

/** The decision for one request and one experiment. Immutable; a breaker changes what is served, never this. */
export interface Assignment {
  readonly experiment: Experiment;
  readonly variant: Variant;
  readonly reason: Reason;
  /** What the reason does not say: the class of what is excluded, the tool whose routing key it was; null: nothing. */
  readonly detail: string | null;
  /** For `override`, `propagated`, `sticky`, `split`: the request is part of the experiment, an exposure is recorded. */
  readonly isIncluded: boolean;
  /** True when included, and where all are to get one variant (`killed`, `concluded`, a winner after the end). */
  readonly isCarried: boolean;
  /** The unit's id, if one was read; never logged or exported unhashed. */
  readonly unit: string | null;
  /** Where the unit was read, as `unitText` says it; null without a unit. */
  readonly unitSource: string | null;
  /** The unit's slot in [0, 1,000,000), or -1 when the split was not consulted. */
  readonly slot: number;
}
