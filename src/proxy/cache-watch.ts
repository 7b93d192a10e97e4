/**
 * Finds answers that a cache gave to the wrong variant. The cache is between this sidecar and its upstream, and what
 * fills it writes the variant on its answers (another sidecar's `x-fairlead-variant`, or the hint for caches): when
 * such an answer says that it was stored, and names another variant than this request has, it was stored for another.
 *
 * What cannot be seen: caches on the client's side, whose hits never come by; answers without a marker; answers that do
 * not say that they were stored. Never changes an answer.
 */
import { type DictionaryMember, parseDictionary } from '../base/dictionary.ts';
import { Field } from '../http1/field.ts';
import type { Head } from '../http1/head.ts';
import { isFromCache } from '../routing/cache-policy.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Decision, Participation } from './decision.ts';

/** All are counted, and one in this long is told. */
const WARN_EVERY_MS = 60_000;
/** Longest marker that is read; a member is at most 127 characters, and a route has few experiments. */
const MARKER_MAX = 4096;

export class CacheWatch {
  readonly #metrics: Metrics;
  readonly #log: Pick<Log, 'warn'>;
  #warnedMs = Number.NEGATIVE_INFINITY;
  /** Since the last warning. */
  #count = 0;

  constructor(metrics: Metrics, log: Pick<Log, 'warn'>) {
    this.#metrics = metrics;
    this.#log = log;
  }

  /** Look at the head of an answer. `head` is only read. */
  look(decision: Decision, head: Head, nowMs: number): void {
    const { route, participations, count } = decision;
    const marker = markerOf(head, route!.route.cache.keyHint);
    if (marker === null || !isFromCache(head)) return;
    for (let i = 0; i < count; i++) {
      const participation = participations[i]!;
      const marked =
        marker.find(({ key }) => key === participation.assignment!.experiment.name)?.value ?? null;
      if (marked !== null && isAnothers(participation, marked)) this.#mixedUp(decision, participation, nowMs);
    }
  }

  #mixedUp({ route }: Decision, { assignment, served }: Participation, nowMs: number): void {
    const { experiment } = assignment!;
    const { name } = route!.route;
    this.#metrics.traffic.cacheMixups(name, experiment.name).value++;
    this.#count++;
    if (nowMs - this.#warnedMs < WARN_EVERY_MS) return;
    this.#log.warn(
      { route: name, experiment: experiment.name, served: served!.variant.name, mixups: this.#count },
      'a cache answered with the response of another variant; see docs/caching.md',
    );
    this.#warnedMs = nowMs;
    this.#count = 0;
  }
}

/** A variant of the experiment, and neither the one assigned nor the one that a breaker put in its place. */
function isAnothers({ assignment, served }: Participation, marked: string): boolean {
  const { experiment, variant } = assignment!;
  if (marked === variant.name || marked === served!.variant.name) return false;
  return experiment.variants.some(({ name }) => name === marked);
}

/** What the upstream says of the variants; the hint for caches before the field that may be one of several. */
function markerOf(head: Head, keyHint: string | null): readonly DictionaryMember[] | null {
  const hint = keyHint === null ? null : head.header(keyHint);
  const text = hint ?? (head.first(Field.xFairleadVariant) >= 0 ? head.header('x-fairlead-variant') : null);
  return text === null || text.length > MARKER_MAX ? null : parseDictionary(text);
}
