/**
 * What the admin API is given to look at and to act on. The shapes are structural: admin knows neither the
 * breakers nor the proxy, and `cli/serve.ts` hands it objects that fit. Never implemented in this folder.
 */
import type { Direction, Snapshot } from '../config/snapshot.ts';
import type { ControlState } from '../control/state.ts';
import type { Claim, RequestAttributes } from '../experiment/model.ts';
import type { Sticky } from '../experiment/sticky.ts';
import type { Carried } from '../propagation/header.ts';

/** The single writer of the rules, as admin needs it. */
export type ControlPort = Pick<
  ControlState,
  'snapshot' | 'runtime' | 'lastReload' | 'reload' | 'change' | 'preview' | 'view'
>;

/** A breaker, as `resilience/breaker.ts` describes it; admin prints all fields and reads these. */
export interface AdminBreaker {
  readonly name: string;
  readonly state: 'closed' | 'half-open' | 'open';
  readonly mode: 'enforce' | 'observe' | 'forced-open' | 'forced-closed' | 'forced-observe';
  readonly reason: string;
}

/** What a breaker may be forced to. */
export type ForceKind = 'open' | 'closed' | 'observe';

/** An upstream with its endpoints; admin prints all fields. */
export interface AdminUpstream {
  readonly name: string;
  readonly endpoints: readonly AdminEndpoint[];
}

/** Connections to one endpoint. */
export interface AdminEndpoint {
  readonly id: string;
  readonly active: number;
  readonly idle: number;
}

/** The load and its limits; admin prints all fields and reads these. */
export interface AdminOverload {
  readonly shedding: { readonly level: number; readonly upTo: string | null; readonly reason: string } | null;
}

/** The data plane, as admin needs it. */
export interface DataPlaneView {
  breakers(): readonly AdminBreaker[];
  /** Of one of them, by its name, without looking at all: there may be ten thousand. */
  isOpen(breaker: string): boolean;
  upstreams(): readonly AdminUpstream[];
  /** What is under way and what is shed under load, and the limits. */
  overload(): AdminOverload;
  /** Forces a breaker for a time; false: there is none of that name. */
  force(name: string, kind: ForceKind, forMs: number, reason: string): boolean;
  /** Closes a breaker and forgets what it counted; false: there is none of that name. */
  reset(name: string, reason: string): boolean;
  /** False while starting and from SIGTERM on; never because an upstream is away. */
  isReady(): boolean;
  readonly isStarted: boolean;
  /** Requests begun and not settled. */
  inFlight(): number;
  /**
   * What the request with one of these ids carries, as the value of the experiment field; '' for nothing, or when
   * nothing is remembered. Never rejects.
   */
  carried?(traceparent: string, requestId: string): string | Promise<string>;
  /** Where the traffic is carried by other processes: looks at them, before the rest is read. Never rejects. */
  refresh?(): Promise<void>;
  /** And resolves when the changes made so far hold in all of them, or after a moment. Never rejects. */
  settled?(): Promise<void>;
}

/** What a request that is only described says of its sender, by its own fields; null: nothing, or nobody reads it. */
export interface IdentityReader {
  /** Of its token, if it is valid now. */
  claims(request: RequestAttributes, snapshot: Snapshot): { claim(pointer: string): Claim | null } | null;
  sticky(request: RequestAttributes, snapshot: Snapshot): Sticky | null;
  /** What a signed token vouches for: verified, in time, and of the unit of this request. */
  vouched(request: RequestAttributes, snapshot: Snapshot): Carried | null;
}

/** A request that somebody describes to the admin API. */
export interface ExplainBody {
  readonly direction: Direction;
  readonly method: string;
  readonly host: string;
  /** Without the query, which has no `?`. */
  readonly path: string;
  readonly query: string;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly clientIdentity: string | null;
  readonly clientAddress: string | null;
  readonly listener?: string | undefined;
  /** Answer the unit itself and not only its hash. */
  readonly showUnit: boolean;
}

/** Every step of the decision for a described request, as JSON. */
export type Explain = (
  body: ExplainBody,
  snapshot: Snapshot,
  isOpen: (breaker: string) => boolean,
) => unknown;
