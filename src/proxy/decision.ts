/**
 * What is decided about a request before a byte goes upstream: its assignments, what the breakers let be served, the
 * upstream, and the context it carries on. One object per downstream connection, reused; no sockets, no bytes.
 *
 * Assigned and served are kept apart: a breaker or a conflict changes what is served and never what is assigned.
 */
import type { Random } from '../base/clock.ts';
import type { PropagationSettings } from '../config/snapshot.ts';
import { assign, type Given } from '../experiment/assign.ts';
import type { Assignment } from '../experiment/model.ts';
import { type Overrides, parseOverride } from '../experiment/override.ts';
import { Field } from '../http1/field.ts';
import type { Head } from '../http1/head.ts';
import { writeBaggage } from '../propagation/baggage.ts';
import { type Carried, readCarried, writeExperimentHeader } from '../propagation/header.ts';
import { Call } from '../resilience/breaker.ts';
import { HeadAttributes } from '../routing/attributes.ts';
import { clientOf, type Peer } from './peer.ts';
import type { ExperimentPlan, FallbackCause, RoutePlan, UpstreamGroup, VariantTarget } from './plan.ts';

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
}

const NOTHING: readonly string[] = [];

export class Decision {
  route: RoutePlan | null = null;
  group: UpstreamGroup | null = null;
  /** The first `count` are this request's. */
  readonly participations: Participation[] = [];
  count = 0;
  /** Context lines for the upstream request, and the names of the fields they replace. */
  fields = '';
  replaced: readonly string[] = NOTHING;
  /** When the last resort's breaker is open: how long to stay away. */
  retryAfterMs = 0;
  readonly #attributes: HeadAttributes;
  readonly #given: { -readonly [Field in keyof Given]: Given[Field] };

  constructor(head: Head, random: Random, peer: Peer) {
    this.#attributes = new HeadAttributes(head, clientOf(peer));
    this.#given = { request: this.#attributes, context: null, overrides: null, random };
  }

  /** Nothing is decided yet. */
  reset(): void {
    this.route = null;
    this.count = 0;
  }

  /** Decide for a request. False: the last resort's breaker is open, see `retryAfterMs`. */
  decide(route: RoutePlan, head: Head, propagation: PropagationSettings, nowMs: number): boolean {
    this.route = route;
    this.group = route.group;
    this.count = 0;
    this.fields = '';
    this.replaced = NOTHING;
    if (route.experiments.length === 0) return true;
    this.#attributes.reset(route.route.parameters, null);
    const context = head.header(propagation.header);
    const baggage = propagation.baggage && head.first(Field.baggage) >= 0 ? head.header('baggage') : null;
    const carried = context === null && baggage === null ? null : readCarried(context, baggage);
    this.#given.context = carried;
    this.#given.overrides = this.#readOverrides(head, propagation);
    for (const plan of route.experiments) this.#join(plan);
    this.#writeContext(propagation, context, baggage, carried);
    return this.#admit(nowMs);
  }

  #readOverrides(head: Head, propagation: PropagationSettings): Overrides | null {
    const header = head.header(propagation.overrideHeader);
    let cookie: string | null = null;
    if (head.first(Field.cookie) >= 0 && head.header('cookie')!.includes(propagation.overrideCookie)) {
      cookie = this.#attributes.cookie(propagation.overrideCookie);
    }
    return header === null && cookie === null ? null : parseOverride(header, cookie);
  }

  #join(plan: ExperimentPlan): void {
    const assignment = assign(plan.experiment, this.#given);
    let participation = this.participations[this.count];
    if (participation === undefined) {
      participation = new Participation();
      this.participations.push(participation);
    }
    this.count++;
    participation.plan = plan;
    participation.assignment = assignment;
    participation.served = plan.targets[assignment.variant.index]!;
    participation.cause = null;
    participation.isAdmitted = false;
    plan.assigned(assignment.variant, assignment.reason).value++;
  }

  #writeContext(
    propagation: PropagationSettings,
    context: string | null,
    baggage: string | null,
    carried: Carried | null,
  ): void {
    if (context === null && baggage === null && this.count === 1) {
      const only = this.participations[0]!;
      if (only.assignment!.isCarried) this.fields = only.served!.contextFields;
      return;
    }
    const members: { name: string; variant: string }[] = [];
    for (let i = 0; i < this.count; i++) {
      const { experiment, variant, isCarried } = this.participations[i]!.assignment!;
      if (isCarried) members.push({ name: experiment.name, variant: variant.name });
    }
    const header = writeExperimentHeader(carried, members);
    const newBaggage = propagation.baggage ? writeBaggage(baggage, members) : '';
    this.fields = header === '' ? '' : `${propagation.header}: ${header}\r\n`;
    if (newBaggage !== '') this.fields += `baggage: ${newBaggage}\r\n`;
    this.replaced = propagation.baggage ? [propagation.header, 'baggage'] : [propagation.header];
  }

  /** Asks the breakers, in the order of the experiments; the first variant with its own upstream gets its way. */
  #admit(nowMs: number): boolean {
    const routeGroup = this.route!.group;
    for (let i = 0; i < this.count; i++) {
      const participation = this.participations[i]!;
      if (participation.assignment!.isIncluded && !this.#admitOne(participation, nowMs)) {
        this.retryAfterMs = participation.plan!.fallback.breaker?.retryAfterMs(nowMs) ?? 0;
        this.cancel(nowMs);
        return false;
      }
      const wanted = participation.served!.group;
      if (wanted !== routeGroup && this.group === routeGroup) this.group = wanted;
    }
    return true;
  }

  #admitOne(participation: Participation, nowMs: number): boolean {
    const { plan, call } = participation;
    const wanted = participation.served!;
    const isConflict =
      wanted.group !== this.route!.group && this.group !== this.route!.group && this.group !== wanted.group;
    if (!isConflict) {
      if (wanted.breaker === null) return true;
      if (wanted.breaker.admit(call, nowMs)) {
        participation.isAdmitted = true;
        return true;
      }
    }
    const fallback = plan!.fallback;
    if (wanted === fallback) return isConflict;
    participation.cause = isConflict ? 'conflict' : 'breaker';
    participation.served = fallback;
    plan!.fellBack(participation.cause).value++;
    // Losing to another experiment's upstream says nothing about the fallback: its breaker is not asked.
    if (isConflict || fallback.breaker === null) return true;
    participation.isAdmitted = fallback.breaker.admit(call, nowMs);
    return participation.isAdmitted;
  }

  /** Nothing was tried after all: every admitted call is given back uncounted. */
  cancel(nowMs: number): void {
    for (let i = 0; i < this.count; i++) {
      const participation = this.participations[i]!;
      if (!participation.isAdmitted) continue;
      participation.isAdmitted = false;
      participation.served!.breaker!.settle(participation.call, 'ignored', nowMs);
    }
  }
}
