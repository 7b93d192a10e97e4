/**
 * The faults in force, and which of them may hit a request. Looked at only while there are any; without, a request
 * pays for one null check. What is drawn is counted here and done by `injection.ts`.
 */

import type { Head } from '../http1/head.ts';
import { type Blow, kindsOf, type ScopedFault, strike, together } from '../resilience/fault.ts';
import type { DataPlane } from './data-plane.ts';
import type { Decision } from './decision.ts';
import { Injection } from './injection.ts';
import type { UpstreamUser } from './upstream.ts';

type Surroundings = Pick<DataPlane, 'clock' | 'random' | 'metrics'>;

export class Faults {
  readonly #plane: Surroundings;
  readonly #all: readonly ScopedFault[];

  /** Null when there are none. */
  static of(faults: readonly ScopedFault[], plane: Surroundings): Faults | null {
    return faults.length === 0 ? null : new Faults(faults, plane);
  }

  private constructor(faults: readonly ScopedFault[], plane: Surroundings) {
    this.#all = faults;
    this.#plane = plane;
  }

  /** Those that may hit attempts of this decided request; null: none. `head` is valid during this call only. */
  for(head: Head, decision: Decision): RequestFaults | null {
    const route = decision.route!.route.name;
    const possible = this.#all.filter(
      (one) =>
        (one.route === null || one.route === route) &&
        (one.experiment === null || takesPart(decision, one.experiment)) &&
        isMeant(one, head),
    );
    return possible.length === 0 ? null : new RequestFaults(possible, decision, this.#plane);
  }
}

/** The faults that may hit the attempts of one request. */
export class RequestFaults {
  /** What has been done: `delay`, `delay+abort`, `reset`; '' for nothing. */
  done = '';
  readonly #faults: readonly ScopedFault[];
  readonly #decision: Decision;
  readonly #plane: Surroundings;

  constructor(faults: readonly ScopedFault[], decision: Decision, plane: Surroundings) {
    this.#faults = faults;
    this.#decision = decision;
    this.#plane = plane;
  }

  /** What is done to the next attempt for `user`, whatever variant it is served by now; null: nothing. */
  next(user: UpstreamUser): Injection | null {
    const { clock, random, metrics } = this.#plane;
    const nowMs = clock.now();
    const wallMs = clock.wallMs();
    const route = this.#decision.route!.route.name;
    let blow: Blow | null = null;
    for (const { experiment, variant, fault, untilMs, untilWallMs } of this.#faults) {
      if (untilMs <= nowMs || untilWallMs <= wallMs) continue;
      if (experiment !== null && !isServed(this.#decision, experiment, variant!)) continue;
      const drawn = strike(fault, () => random.next());
      if (drawn === null) continue;
      for (const kind of kindsOf(drawn))
        metrics.faults.injected(route, experiment ?? '', variant ?? '', kind).value++;
      blow = together(blow, drawn);
    }
    if (blow === null) return null;
    this.#note(kindsOf(blow));
    return new Injection(blow, user);
  }

  #note(kinds: readonly string[]): void {
    const all = new Set([...this.done.split('+').filter((kind) => kind !== ''), ...kinds]);
    this.done = [...all].join('+');
  }
}

function takesPart({ participations, count }: Decision, experiment: string): boolean {
  for (let i = 0; i < count; i++) if (participations[i]!.plan!.experiment.name === experiment) return true;
  return false;
}

function isServed({ participations, count }: Decision, experiment: string, variant: string): boolean {
  for (let i = 0; i < count; i++) {
    const { plan, served } = participations[i]!;
    if (plan!.experiment.name === experiment) return served!.variant.name === variant;
  }
  return false;
}

function isMeant({ fault: { when } }: ScopedFault, head: Head): boolean {
  if (when === null) return true;
  const found = head.header(when.header);
  return found !== null && (when.value === null || found === when.value);
}
