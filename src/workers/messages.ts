/**
 * What the primary and a worker say to each other over their channel: plain data in structured clones, in order, and
 * private to the two. Secrets of the configuration go over it, so none of it is ever logged.
 */
import type { RuntimeState } from '../config/runtime.ts';
import type { Config } from '../config/schema.ts';
import type { SocketAddress } from '../config/snapshot.ts';
import type { BreakerView } from '../resilience/breaker.ts';
import type { Fault, FaultScope } from '../resilience/fault.ts';
import type { OverloadView } from '../resilience/overload-view.ts';
import type { Elsewhere, Opening, Report, Standing } from '../resilience/sharing.ts';
import type { Delta } from '../telemetry/collection/recorder.ts';
import type { FamilySamples } from '../telemetry/exposition.ts';
import type { LiveCounts } from '../telemetry/live-counts.ts';
import type { MirrorView } from '../telemetry/mirror-view.ts';
import type { TapQuery, TapRecord } from '../telemetry/tap.ts';

/** What a Snapshot is compiled from. */
export interface Rules {
  /** Null: that of the rules before. */
  readonly config: Config | null;
  readonly runtime: RuntimeState;
  readonly version: number;
  /** What the decision log calls them; '' when there is none. */
  readonly id: string;
  /** Of the configuration that is declared. */
  readonly hash: string;
}

/** How a listener of a worker gets its connections, by the listener's name. */
export type Bindings = Readonly<
  Record<string, { readonly kind: 'shared-port'; readonly port: number } | { readonly kind: 'handed-over' }>
>;

export type ToWorker =
  /** First of all. */
  | {
      readonly kind: 'start';
      readonly worker: number;
      /** How many share the limits that are per process. */
      readonly workers: number;
      /** It has the file of `shared-records.ts`. */
      readonly isSharing: boolean;
      /** What units are hashed with for the analysis. */
      readonly unitKey: readonly [number, number];
      readonly rules: Rules;
      /** The configuration that the sidecar was started with: what is read at start is read there. */
      readonly atStart: Config;
      readonly bindings: Bindings;
    }
  | { readonly kind: 'rules'; readonly rules: Rules }
  /** What is done to requests on purpose, from now on, each for so long. */
  | {
      readonly kind: 'faults';
      readonly faults: readonly (FaultScope & { readonly fault: Fault; readonly leftMs: number })[];
    }
  /** Keys of the endpoints that are not well, of all upstreams, from now on. */
  | { readonly kind: 'health'; readonly unhealthy: readonly string[] }
  /** The endpoints that are taken out by hand, from now on. */
  | {
      readonly kind: 'drained';
      readonly endpoints: readonly { readonly upstream: string; readonly endpoint: string }[];
    }
  /** What was found by mirroring this experiment is of no interest any more. */
  | { readonly kind: 'forget-mirror'; readonly experiment: string }
  /** Who watches requests end, from now on. */
  | { readonly kind: 'taps'; readonly taps: readonly { readonly id: number; readonly query: TapQuery }[] }
  | { readonly kind: 'standings'; readonly standings: readonly Standing[] }
  | { readonly kind: 'elsewhere'; readonly breakers: readonly Elsewhere[] }
  /** Answered by `answer` with the same id, after everything that was said before. */
  | { readonly kind: 'ask'; readonly id: number; readonly what: Question; readonly ids?: RequestIds }
  /** With a socket: a connection that the primary has accepted for this listener. */
  | { readonly kind: 'connection'; readonly listener: string }
  /** Finish within this time, then exit. */
  | { readonly kind: 'drain'; readonly timeoutMs: number };

/**
 * `series`: the metrics; `live`: what goes on; `state`: what the admin API shows; `mirrors`: what mirroring has found;
 * `carried`: by the request with `ids`; `sign`: of life.
 */
export type Question = 'series' | 'live' | 'state' | 'mirrors' | 'carried' | 'sign';

/** The fields of a request that calls can be known by; '' for none. */
export interface RequestIds {
  readonly traceparent: string;
  readonly requestId: string;
}

export type ToPrimary =
  /** Loaded: waiting for `start`. */
  | { readonly kind: 'loaded' }
  /** Serving, under these rules. */
  | {
      readonly kind: 'serving';
      readonly addresses: Readonly<Record<string, SocketAddress>>;
      readonly version: number;
    }
  /** Cannot start, as the system says; exits. */
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'adopted'; readonly version: number }
  | { readonly kind: 'opened'; readonly opening: Opening }
  | { readonly kind: 'report'; readonly reports: readonly Report[] }
  /** Lines of the decision log, or exposures. `dropped`: how many were lost since the worker began. */
  | { readonly kind: LineKind; readonly lines: string; readonly dropped: number }
  /** What was collected since the last of these. */
  | { readonly kind: 'collected'; readonly delta: Delta }
  /** What the taps have seen since the last of these. */
  | { readonly kind: 'tapped'; readonly taps: readonly Tapped[] }
  | { readonly kind: 'log'; readonly level: LogLevel; readonly facts: object; readonly sentence: string }
  | {
      readonly kind: 'answer';
      readonly id: number;
      /** Of a long answer, this part. */
      readonly families: readonly FamilySamples[];
      readonly state: WorkerState | null;
      /** To `carried`: the value of the experiment field; '' for nothing. */
      readonly carried?: string;
      /** To `live`. */
      readonly live?: LiveCounts | null;
      /** To `mirrors`. */
      readonly mirrors?: readonly MirrorView[];
      readonly isLast: boolean;
    }
  /** Every request was finished but those of `cut` connections; exits. */
  | { readonly kind: 'drained'; readonly cut: number };

export type LineKind = 'decisions' | 'exposures';

/** Of one tap. */
export interface Tapped {
  readonly id: number;
  readonly records: readonly TapRecord[];
  /** Asked for, and not shown. */
  readonly dropped: number;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** What the admin API shows of one worker. */
export interface WorkerState {
  readonly breakers: readonly BreakerView[];
  readonly upstreams: readonly UpstreamState[];
  readonly overload: OverloadView;
  readonly inFlight: number;
}

export interface UpstreamState {
  readonly name: string;
  /** Its endpoints that are names, and how they are resolved. */
  readonly names: readonly { readonly name: string; readonly state: string; readonly endpoints: number }[];
  readonly endpoints: readonly EndpointState[];
}

export interface EndpointState {
  readonly id: string;
  readonly active: number;
  readonly idle: number;
  readonly requests: number;
  readonly connectFailures: number;
  readonly pending: number;
  /** Whether it gets requests; otherwise why not, in a word and in a sentence. */
  readonly state: string;
  readonly reason: string;
  readonly isUsed: boolean;
  readonly isHealthy: boolean;
  readonly name?: string;
}
