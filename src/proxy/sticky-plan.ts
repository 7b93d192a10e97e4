/** The sticky assignments of a Snapshot, bound: where they are kept, what signs them, and what they are counted in. */
import { createSecretKey } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { type StickyIssue, stickyPlaceKey } from '../config/compile-sticky.ts';
import type { Route, Snapshot } from '../config/snapshot.ts';
import type { NotKept } from '../experiment/sticky.ts';
import {
  readSticky,
  type StickyMacKey,
  type StickyText,
  type StickyTextProblem,
} from '../propagation/sticky.ts';
import type { IdentityMetrics } from '../telemetry/identity-metrics.ts';
import type { Counter, Metrics } from '../telemetry/metrics.ts';

/**
 * What became of an assignment that was given out. `kept`: given again. `other`: what the client sent says nothing of
 * this experiment. `issued`: given out, for the first time or again.
 */
export type StickyResult = 'kept' | 'other' | 'issued' | NotKept | StickyTextProblem;

/** A client sends the same text with each request, and a MAC costs microseconds: the last valid ones are remembered. */
const TEXTS_MAX = 4096;
const TEXT_MAX_CHARS = 1024;

interface KnownText {
  /** What it was sent under: under another name it is not valid. */
  readonly name: string;
  readonly read: StickyText;
}

export class StickyPlan {
  readonly clock: Pick<Clock, 'wallMs'>;
  /** The first signs. */
  readonly keys: readonly StickyMacKey[];
  readonly #issues: ReadonlyMap<string, StickyIssue>;
  readonly #metrics: IdentityMetrics;
  readonly #counters = new Map<string, Counter>();
  readonly #texts = new Map<string, KnownText>();

  constructor(snapshot: Snapshot, clock: Pick<Clock, 'wallMs'>, metrics: IdentityMetrics) {
    this.clock = clock;
    this.keys = snapshot.stickyKeys.map(({ id, secret }) => ({
      id,
      key: createSecretKey(Buffer.from(secret, 'utf8')),
    }));
    this.#issues = snapshot.stickyIssues;
    this.#metrics = metrics;
  }

  /** What a client sent under `name`. */
  read(text: string, name: string): StickyText | StickyTextProblem {
    const known = this.#texts.get(text);
    if (known !== undefined && known.name === name) return known.read;
    const read = readSticky(text, name, this.keys);
    if (typeof read !== 'string' && text.length <= TEXT_MAX_CHARS) {
      if (this.#texts.size >= TEXTS_MAX) this.#texts.delete(this.#texts.keys().next().value!);
      this.#texts.set(text, { name, read });
    }
    return read;
  }

  issueFor(place: StickyIssue['place']): StickyIssue {
    return this.#issues.get(stickyPlaceKey(place))!;
  }

  /** Names and words of the configuration only, so that there are few. */
  counter(experiment: string, result: StickyResult): Counter {
    const key = `${experiment} ${result}`;
    let counter = this.#counters.get(key);
    if (counter === undefined) {
      counter = this.#metrics.sticky(experiment, result);
      this.#counters.set(key, counter);
    }
    return counter;
  }
}

/** One for all routes of a Snapshot. */
const plans = new WeakMap<Snapshot, StickyPlan>();

/** Null: nothing is sticky on the route. The calls of a service have no client that would keep it. */
export function stickyPlanFor(
  { direction, order, experiments }: Route,
  snapshot: Snapshot,
  memory: { readonly clock: Pick<Clock, 'wallMs'>; readonly metrics: Metrics },
): StickyPlan | null {
  const assigned = order ?? experiments.map(({ experiment }) => experiment);
  if (direction !== 'inbound' || !assigned.some(({ sticky }) => sticky !== null)) return null;
  let plan = plans.get(snapshot);
  if (plan === undefined) {
    plan = new StickyPlan(snapshot, memory.clock, memory.metrics.identity);
    plans.set(snapshot, plan);
  }
  return plan;
}
