/**
 * What the metrics page asks other folders for at scrape time. The shapes are structural: telemetry knows
 * neither the breakers nor the pools, and a source that throws is reported as absent, never as a failed scrape.
 */

/** A breaker as the page needs it. `name` is `route/experiment/variant`, the last two absent for a route's own. */
export interface BreakerSample {
  readonly name: string;
  readonly state: 'closed' | 'half-open' | 'open';
  /** Left out: enforce. */
  readonly mode?: string;
  /** Null: it has none. */
  readonly budget?: { readonly remainingRatio: number } | null;
}

/** A change of state, to be counted. */
export interface BreakerTransition {
  readonly breaker: string;
  readonly from: string;
  readonly to: string;
  readonly cause: string;
  /** Left out: enforce. */
  readonly mode?: string;
}

/** Connections to one endpoint. */
export interface EndpointSample {
  readonly upstream: string;
  readonly endpoint: string;
  readonly active: number;
  readonly idle: number;
}

/** Accepted connections of one listener. */
export interface ListenerSample {
  readonly listener: string;
  readonly connections: number;
}

/** An experiment of the rules in force. */
export interface ExperimentSample {
  readonly experiment: string;
  readonly isStale: boolean;
  readonly status: string;
  /** Who the status comes from. */
  readonly setBy: 'file' | 'person' | 'breaker' | 'rollout';
  readonly variants: readonly {
    readonly variant: string;
    readonly isFallback: boolean;
    readonly weightRatio: number;
  }[];
}

/** The last rollout of an experiment. */
export interface RolloutSample {
  readonly experiment: string;
  readonly phase: string;
  /** From 1. */
  readonly step: number;
}

/** The worker processes, when there are any. */
export interface WorkerSample {
  readonly serving: number;
  readonly restarts: readonly { readonly cause: string; readonly count: number }[];
  readonly reportsMissing: number;
}

/** The labels of a breaker from its name. Names without slashes give the route alone. */
export function breakerLabels(name: string): { route: string; experiment: string; variant: string } {
  const parts = name.split('/');
  const variant = parts.length > 2 ? (parts.pop() as string) : '';
  const experiment = parts.length > 1 ? (parts.pop() as string) : '';
  return { route: parts.join('/'), experiment, variant };
}
