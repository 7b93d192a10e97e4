/**
 * What is decided about a request before a byte goes upstream: its assignments, what the breakers let be served, the
 * upstream, and the context it carries on. One object per downstream connection, reused; no sockets, no bytes.
 *
 * Assigned and served are kept apart: a breaker or a conflict changes what is served and never what is assigned.
 */
import type { Random } from '../base/clock.ts';
import type { ErrorCode } from '../base/error.ts';
import type { PropagationSettings } from '../config/snapshot.ts';
import { assign, type Given } from '../experiment/assign.ts';
import type { Assignment, Experiment } from '../experiment/model.ts';
import { type Overrides, parseOverride } from '../experiment/override.ts';
import type { Kept } from '../experiment/sticky.ts';
import { readUnit } from '../experiment/unit.ts';
import { Field } from '../http1/field.ts';
import type { Head } from '../http1/head.ts';
import { isBaggage, type NamedVariant, withoutMalformed, writeBaggage } from '../propagation/baggage.ts';
import { type Carried, readCarried, writeExperimentHeader } from '../propagation/header.ts';
import { Call } from '../resilience/breaker.ts';
import type { Limiter } from '../resilience/limiter.ts';
import { type Client, HeadAttributes } from '../routing/attributes.ts';
import { admit, cancel, refuse } from './admission.ts';
import { clientOf, type Peer } from './peer.ts';
import type { ExperimentPlan, FallbackCause, Plan, RoutePlan, VariantTarget } from './plan.ts';
import type { StickyPlan } from './sticky-plan.ts';
import { StickySession } from './sticky-session.ts';
import { gateFor, type TrustGate } from './trust-gate.ts';
import type { UpstreamGroup } from './upstream-group.ts';

/** One experiment's part in a request. Reused. */
export class Participation {
  plan: ExperimentPlan | null = null;
  assignment: Assignment | null = null;
  served: VariantTarget | null = null;
  cause: FallbackCause | null = null;
  /** In flight at `served.breaker`. */
  readonly call = new Call();
  /** The breaker waits for this call's outcome. */
  isAdmitted = false;
  /** The variant's limit, of which this call has a place. */
  place: Limiter | null = null;
  /** Where the experiment is analysed: by measure of its own, NaN for none; null: no value has ever come. */
  values: Float64Array | null = null;
  /** They are of this request. */
  isMeasured = false;
}

/** Where a request comes from. */
interface Sender {
  readonly peer: Peer;
  readonly listener: string;
}

const NOTHING: readonly string[] = [];
const NOBODY: readonly NamedVariant[] = [];

/**
 * What decisions are made from, which a request says while its head is there: one for all connections, since a decision
 * is made in one go, and so it stays where the processor has it at hand.
 */
export class Inquiry {
  readonly attributes: HeadAttributes;
  readonly given: { -readonly [Field in keyof Given]: Given[Field] };

  constructor(head: Head, random: Random) {
    this.attributes = new HeadAttributes(head, NOBODY_KNOWN);
    this.given = {
      request: this.attributes,
      context: null,
      overrides: null,
      random,
      wallMs: 0,
      before: NONE_BEFORE,
      sticky: null,
      excluded: null,
      ignoresRoutingKeys: false,
    };
  }
}

const NOBODY_KNOWN: Client = { identity: null, address: null };
const NONE_BEFORE: readonly Assignment[] = [];

export class Decision {
  route: RoutePlan | null = null;
  group: UpstreamGroup | null = null;
  /** The first `count` are this request's. */
  readonly participations: Participation[] = [];
  count = 0;
  /** Context lines for the upstream request, and the names of the fields they replace. */
  fields = '';
  replaced: readonly string[] = NOTHING;
  /** What goes on, as the value of the experiment field; for the memory, if there is one. */
  carriedText = '';
  /** When a breaker or a limit turns the request away: how long to stay away. */
  retryAfterMs = 0;
  /** And the limit, as a sentence; '' where there is nothing to say. */
  limit = '';
  /** The upstream's limit, of which this request has a place. */
  upstreamPlace: Limiter | null = null;
  readonly #from: Sender;
  /** The rules that the gate keeps. */
  #plan: Plan | null = null;
  /** Null: the sender is believed. */
  #gate: TrustGate | null = null;
  readonly #inquiry: Inquiry;
  readonly #client: Client;
  /** What was assigned in the order of what requires what; only where a route has such an order. */
  readonly #before: Assignment[] = [];
  #ignoresRoutingKeys = false;
  /** Made when the first route needs it. */
  #sticky: StickySession | null = null;

  constructor(inquiry: Inquiry, from: Sender) {
    this.#from = from;
    this.#inquiry = inquiry;
    this.#client = clientOf(from.peer);
  }

  /** Nothing is decided yet. */
  reset(): void {
    this.route = null;
    this.count = 0;
  }

  /** Whether the sender may ask for reasons. */
  get mayExplain(): boolean {
    return this.#gate === null || this.#gate.mayExplain;
  }

  /** What the assignments came from; valid while the head is. */
  get given(): Given {
    return this.#inquiry.given;
  }

  /** In the order in which they were made, those that others on the route require among them. */
  get assignments(): readonly Assignment[] {
    if (this.route!.order !== null) return this.#before;
    return this.participations.slice(0, this.count).map(({ assignment }) => assignment!);
  }

  /** What the client was given before, without counting that it was asked for. */
  keptFor(experiment: Experiment): Kept | null {
    const isAny = this.given.sticky !== null && experiment.sticky !== null;
    return isAny ? this.#sticky!.peek(experiment) : null;
  }

  /** Nothing of ours may go to the host of this request. */
  get isKeptIn(): boolean {
    return this.#gate?.isKeepingIn === true;
  }

  /** Decide for a request. An error: it is not to be served; see `retryAfterMs` and `limit`. */
  decide(route: RoutePlan, head: Head, plan: Plan, nowMs: number): ErrorCode | null {
    if (plan !== this.#plan) this.#adopt(plan);
    const { propagation } = plan.snapshot;
    const gate = this.#gate;
    this.route = route;
    this.group = route.group;
    this.count = 0;
    this.fields = '';
    this.replaced = NOTHING;
    this.carriedText = '';
    const { calls, admission } = route;
    const { attributes, given } = this.#inquiry;
    if (admission !== null) {
      this.#ask(route);
      this.limit = '';
      const refusal = refuse(this, admission, nowMs);
      if (refusal !== null) return refusal;
    }
    if (route.experiments === null && route.remembers === null && calls === null && gate === null)
      return admission === null ? null : admit(this, nowMs);
    this.#ask(route);
    if (gate !== null) gate.open(head, attributes, nowMs);
    const context = gate === null ? head.header(propagation.header) : gate.header;
    let baggage = gate === null ? baggageOf(head, propagation) : gate.baggage;
    const vouched = gate === null ? null : gate.vouched;
    let carried = vouched ?? (context === null && baggage === null ? null : readCarried(context, baggage));
    if (carried?.isMalformed) plan.malformed.experiment.value++;
    const isBaggageCut = baggage !== null && (carried?.isBaggageMalformed === true || !isBaggage(baggage));
    if (isBaggageCut) {
      plan.malformed.baggage.value++;
      baggage = withoutMalformed(baggage!);
    }
    const joined = (calls === null ? null : calls.join(head, carried, nowMs)) ?? vouched;
    if (joined !== null) carried = joined;
    if (route.experiments === null) {
      if (joined !== null) this.#writeContext(propagation, baggage, carried, joined);
      else if (carried !== null) this.carriedText = writeExperimentHeader(carried, NOBODY);
      if (joined === null && isBaggageCut) this.#replaceBaggage(baggage!);
      if (gate !== null) gate.close(this, carried);
      return admission === null ? null : admit(this, nowMs);
    }
    given.context = carried;
    given.overrides = gate === null ? this.#readOverrides(head, propagation) : gate.overrides;
    given.sticky = route.sticky === null ? null : this.#openSticky(route.sticky);
    given.ignoresRoutingKeys = this.#ignoresRoutingKeys;
    if (route.clock !== null) given.wallMs = route.clock.wallMs();
    const excluded = route.exclusion === null ? null : route.exclusion.classOf(head, attributes);
    given.excluded = excluded;
    if (route.order !== null) this.#assignInOrder(route, route.order);
    else this.#assignEach(route.experiments, given);
    if (excluded !== null) route.exclusion!.count(excluded, this.participations, this.count);
    if (context === null && baggage === null && joined === null && this.count === 1) this.#writeOnly();
    else this.#writeContext(propagation, baggage, carried, joined);
    if (gate !== null) gate.close(this, carried);
    if (route.refusesUnknown && this.#hasUnknown()) return 'variant_unknown';
    return admit(this, nowMs);
  }

  /** The questions are about this request from now on. */
  #ask(route: RoutePlan): void {
    const { attributes } = this.#inquiry;
    attributes.from(this.#client);
    attributes.reset(route.parameters, route.claims);
  }

  #hasUnknown(): boolean {
    for (let i = 0; i < this.count; i++) {
      const { experiment, reason } = this.participations[i]!.assignment!;
      if (reason === 'unknown-variant' && experiment.refusesUnknown) return true;
    }
    return false;
  }

  /** The rules have changed, and with them perhaps whom they believe. */
  #adopt(plan: Plan): void {
    this.#plan = plan;
    this.#gate = gateFor(plan.trustOf(this.#from.listener), this.#from.peer);
    this.#ignoresRoutingKeys = this.#gate !== null && !this.#gate.mayOverride;
  }

  /** What endpoints are chosen by where they are hashed, '' for nothing. While the head is there. */
  hashKey(): string {
    const route = this.route!;
    const sources = this.group!.upstream.hashKey ?? route.group.upstream.hashKey;
    if (sources === null) return '';
    this.#ask(route);
    return readUnit(sources, this.#inquiry.attributes, null)?.id ?? '';
  }

  #openSticky(plan: StickyPlan): StickySession {
    this.#sticky ??= new StickySession();
    this.#sticky.begin(plan, this.#inquiry.attributes);
    return this.#sticky;
  }

  /** Lines of the response that give out what is sticky, what others require included; '' for none. To be asked for once. */
  stickyFields(): string {
    if (this.#sticky === null || this.route!.sticky === null) return '';
    return this.#sticky.fields(this.assignments);
  }

  #readOverrides(head: Head, propagation: PropagationSettings): Overrides | null {
    const header = head.header(propagation.overrideHeader);
    let cookie: string | null = null;
    if (head.first(Field.cookie) >= 0 && head.header('cookie')!.includes(propagation.overrideCookie)) {
      cookie = this.#inquiry.attributes.cookie(propagation.overrideCookie);
    }
    return header === null && cookie === null ? null : parseOverride(header, cookie);
  }

  #assignEach(first: ExperimentPlan, given: Given): void {
    for (let plan: ExperimentPlan | null = first; plan !== null; plan = plan.next)
      this.#join(plan, assign(plan.experiment, given));
  }

  /** What is required goes first, on this route or not; then those of the route join as they are listed. */
  #assignInOrder(route: RoutePlan, order: readonly Experiment[]): void {
    const { given } = this.#inquiry;
    this.#before.length = 0;
    given.before = this.#before;
    for (const experiment of order) this.#before.push(assign(experiment, given));
    for (let plan = route.experiments; plan !== null; plan = plan.next)
      this.#join(plan, this.#before[order.indexOf(plan.experiment)]!);
  }

  #join(plan: ExperimentPlan, assignment: Assignment): void {
    let participation = this.participations[this.count];
    if (participation === undefined) {
      participation = new Participation();
      this.participations.push(participation);
    }
    this.count++;
    participation.plan = plan;
    participation.assignment = assignment;
    participation.served = plan.target(assignment.variant);
    participation.cause = null;
    participation.isAdmitted = false;
    plan.assigned(assignment.variant, assignment.reason).value++;
  }

  /** One experiment is all there is to carry. */
  #writeOnly(): void {
    const only = this.participations[0]!;
    if (!only.assignment!.isCarried) return;
    this.fields = only.served!.contextFields;
    this.carriedText = only.served!.contextText;
  }

  /** `joined`: what is carried and did not come in the fields, baggage included. */
  #writeContext(
    propagation: PropagationSettings,
    baggage: string | null,
    carried: Carried | null,
    joined: Carried | null,
  ): void {
    const members: NamedVariant[] = [];
    for (let i = 0; i < this.count; i++) {
      const { experiment, variant, isCarried } = this.participations[i]!.assignment!;
      if (isCarried) members.push({ name: experiment.name, variant: variant.name });
    }
    const header = writeExperimentHeader(carried, members);
    this.carriedText = header;
    if (joined !== null) addOthers(members, joined);
    const newBaggage = propagation.baggage ? writeBaggage(baggage, members) : '';
    this.fields = header === '' ? '' : `${propagation.header}: ${header}\r\n`;
    if (newBaggage !== '') this.fields += `baggage: ${newBaggage}\r\n`;
    this.replaced = propagation.baggage ? [propagation.header, 'baggage'] : [propagation.header];
  }

  #replaceBaggage(baggage: string): void {
    this.replaced = ['baggage'];
    this.fields = baggage === '' ? '' : `baggage: ${baggage}\r\n`;
  }

  /** Nothing was tried after all: every admitted call is given back uncounted. */
  cancel(nowMs: number): void {
    cancel(this, nowMs);
  }
}

function baggageOf(head: Head, propagation: PropagationSettings): string | null {
  return propagation.baggage && head.first(Field.baggage) >= 0 ? head.header('baggage') : null;
}

/** Adds what is carried about experiments that `members` does not name. */
function addOthers(members: NamedVariant[], carried: Carried): void {
  for (const { name, variant } of carried.members)
    if (variant !== null && !members.some((member) => member.name === name)) members.push({ name, variant });
}
