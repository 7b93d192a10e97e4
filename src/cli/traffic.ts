/**
 * What carries the traffic of a sidecar, as the composition root sees it: this process (`serve-single.ts`) or worker
 * processes (`serve-primary.ts`). The rest of the sidecar is the same.
 */
import type { DataPlaneView } from '../admin/ports.ts';
import type { Clock } from '../base/clock.ts';
import type { Snapshot, SocketAddress } from '../config/snapshot.ts';
import type { Analysis } from '../control/analysis.ts';
import type { EndpointName } from '../control/drained-endpoints.ts';
import type { ControlState } from '../control/state.ts';
import type { Transition } from '../resilience/breaker.ts';
import type { BreakerMemory } from '../resilience/breaker-view.ts';
import type { ScopedFault } from '../resilience/fault.ts';
import { isObserving } from '../resilience/mode.ts';
import type { FamilySamples } from '../telemetry/exposition.ts';
import type { LiveCounts } from '../telemetry/live-counts.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { MirrorView } from '../telemetry/mirror-view.ts';
import type { PageFormat } from '../telemetry/page.ts';
import type { ExposureLoss } from '../telemetry/pipeline/loss.ts';
import type { Tapping } from '../telemetry/tap.ts';
import type { BreakerSupport } from './breaker-support.ts';

/** What it is built from. */
export interface TrafficContext {
  readonly control: Pick<ControlState, 'snapshot' | 'rules'>;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Lines on stderr as they are; false: dropped. */
  readonly writeLog: (lines: string) => boolean;
  readonly breakers: Pick<BreakerSupport, 'remembered' | 'moved'>;
  /** Gets what is collected of experiments. */
  readonly analysis: Pick<Analysis, 'key' | 'take'>;
}

export interface Traffic extends Omit<DataPlaneView, 'isReady' | 'isStarted'> {
  /** The metrics of everything that carries traffic, with those of this process. */
  renderMetrics(format: PageFormat): Promise<string>;
  /** Some families of those metrics, added up; never rejects. */
  samplesOf(names: readonly string[]): Promise<readonly FamilySamples[]>;
  /** What was counted, by each process that carries traffic; never rejects. */
  liveCounts(): Promise<readonly LiveCounts[]>;
  /** Who watches single requests end. */
  readonly tap: Tapping;
  /** Opens the listeners; answers what they are bound to, by name. Rejects when one cannot be bound. */
  start(): Promise<Readonly<Record<string, SocketAddress>>>;
  /** Use another Snapshot from the next request on. */
  adopt(snapshot: Snapshot): void;
  /** Do this to requests on purpose, and no longer what was said before. Times are of this process's clock. */
  inject(faults: readonly ScopedFault[]): void;
  /** These endpoints get nothing new, and those of before do again. */
  drainEndpoints(drained: readonly EndpointName[]): void;
  /** Whether requests are served. */
  isServing(): boolean;
  /** Finish what is under way within `timeoutMs`; answers how many connections were cut. */
  drain(timeoutMs: number): Promise<number>;
  /** Release everything; what is left is cut. */
  stop(): Promise<void>;
  /** What mirroring has found; never rejects. */
  mirrors(): Promise<readonly MirrorView[]>;
  /** What mirroring has found for this experiment is of no interest any more. */
  forgetMirror(experiment: string): void;
  /** Breakers that have something to keep over a restart, by name. */
  keepBreakers(): ReadonlyMap<string, BreakerMemory>;
  /** Whether the exposures are whole enough to draw conclusions from; null: it is not known here. */
  exposureLoss(): ExposureLoss | null;
  /** Resolves when what was collected so far has been told, or has not come in a moment. Never rejects. */
  tellCollected(): void | Promise<void>;
  /** What there is to see of it in `GET /v1/config`. */
  describe(): object;
}

/** Counts, logs and passes on each move of a breaker. */
export function recordTransition({
  metrics,
  log,
  breakers,
}: Pick<TrafficContext, 'metrics' | 'log' | 'breakers'>): (transition: Transition) => void {
  return (transition) => {
    metrics.breakerTransition(transition);
    const { breaker, from, to, mode, cause, reason } = transition;
    const note = isObserving(mode) ? ' (observing: nothing is turned away)' : '';
    const move = from === to ? to : `${from} -> ${to}`;
    const sentence = `breaker ${breaker}: ${move}${note}: ${reason}`;
    if (to === 'open' || cause === 'held-back' || transition.tooOften !== null)
      log.warn({ transition }, sentence);
    else log.info({ transition }, sentence);
    breakers.moved(transition);
  };
}
