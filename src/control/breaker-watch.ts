/**
 * What follows from the moves of breakers beside the traffic: an experiment whose breaker opens too often is killed,
 * what a person has forced is on record when its time is over, and webhooks are told. Where there are workers only the
 * primary has this, so that it happens once.
 */
import type { Clock } from '../base/clock.ts';
import type { Snapshot } from '../config/snapshot.ts';
import type { Transition } from '../resilience/breaker.ts';
import type { TransitionCause } from '../resilience/transition.ts';
import { breakerLabels } from '../telemetry/sources.ts';
import type { ControlEvent } from './events.ts';
import type { ControlState } from './state.ts';
import type { Webhooks } from './webhooks.ts';

/** On record already, as what a person did. */
const BY_HAND: ReadonlySet<TransitionCause> = new Set(['forced', 'force-ended', 'reset']);

export interface BreakerWatchOptions {
  readonly control: Pick<ControlState, 'snapshot' | 'runtime' | 'change'>;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly webhooks: Pick<Webhooks, 'tell'>;
  /** Must not throw. */
  readonly onEvent: (event: ControlEvent) => void;
}

export class BreakerWatch {
  readonly #options: BreakerWatchOptions;

  constructor(options: BreakerWatchOptions) {
    this.#options = options;
  }

  /** A breaker has moved, perhaps in the middle of a request, so the rules are not changed before that is over. */
  moved(transition: Transition): void {
    if (transition.cause === 'force-ended') this.#record(transition);
    this.#tell(transition);
    if (transition.tooOften !== null) setImmediate(() => this.#kill(transition));
  }

  /** Other rules are in force: webhooks are told of what was killed, by whom. */
  adopted(next: Snapshot, previous: Snapshot | null): void {
    const { control, webhooks } = this.#options;
    for (const [name, { status }] of next.experiments) {
      if (status !== 'killed' || previous?.experiments.get(name)?.status === 'killed') continue;
      const record = control.runtime.experiments.get(name)?.status ?? null;
      const actor = record?.actor ?? 'config file';
      const reason = record?.reason ?? 'declared so';
      webhooks.tell({
        event: 'experiment.killed',
        data: { service: next.service, experiment: name, actor, reason },
      });
    }
  }

  #kill({ breaker, reason, tooOften }: Transition): void {
    const { control } = this.#options;
    const { experiment } = breakerLabels(breaker);
    const status = control.snapshot.experiments.get(experiment)?.status;
    if (status === undefined || status === 'killed') return;
    const why = `the breaker ${tooOften}; the last time: ${reason}`;
    const change = { kind: 'set-status', experiment, status: 'killed', reason: why } as const;
    const result = control.change(change, `breaker ${breaker}`);
    if (result.ok) return;
    const message = `the breaker ${breaker} ${tooOften}, and ${experiment} cannot be killed: ${result.message}`;
    this.#options.onEvent({ kind: 'warning', at: this.#at(), message });
  }

  #record({ breaker, to, mode, reason }: Transition): void {
    this.#options.onEvent({
      kind: 'audit',
      at: this.#at(),
      actor: `breaker ${breaker}`,
      action: 'force-ended',
      target: breaker,
      reason,
      before: '',
      after: mode === 'enforce' ? to : `${to}, ${mode}`,
    });
  }

  /** Of an outage, its beginning and its end: not each probe that fails. */
  #tell(transition: Transition): void {
    const { breaker, from, to, mode, cause, reason } = transition;
    const isOpened = to === 'open' && from === 'closed';
    if (!isOpened && (to !== 'closed' || from === 'closed')) return;
    if (!BY_HAND.has(cause)) this.#decided(transition, isOpened);
    const { control, webhooks } = this.#options;
    const { service } = control.snapshot;
    webhooks.tell({
      event: isOpened ? 'breaker.opened' : 'breaker.closed',
      data: { service, breaker, ...breakerLabels(breaker), from, to, mode, cause, reason },
    });
  }

  /** What it decided by itself is on record with its limits; the numbers are in the reason. */
  #decided({ breaker, from, to, mode, cause, reason }: Transition, isOpened: boolean): void {
    const limits = limitsOf(this.#options.control.snapshot, breaker);
    this.#options.onEvent({
      kind: 'audit',
      at: this.#at(),
      actor: `breaker ${breaker}`,
      action: isOpened ? 'breaker-opened' : 'breaker-closed',
      target: breaker,
      reason,
      before: from,
      after: mode === 'enforce' ? to : `${to}, ${mode}`,
      inputs: { cause, limits },
    });
  }

  #at(): string {
    return new Date(this.#options.clock.wallMs()).toISOString();
  }
}

/** Of the rules in force; null: they have no such breaker any more. */
function limitsOf({ routes }: Snapshot, breaker: string): unknown {
  const { route, experiment, variant } = breakerLabels(breaker);
  for (const { name, experiments } of [...routes.inbound.all, ...routes.outbound.all]) {
    const found = name === route ? experiments.find((one) => one.experiment.name === experiment) : undefined;
    const index = found?.experiment.variants.findIndex((one) => one.name === variant) ?? -1;
    if (found !== undefined && index >= 0) return found.variants[index]?.breaker ?? null;
  }
  return null;
}
