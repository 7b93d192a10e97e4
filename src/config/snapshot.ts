/**
 * The Snapshot: the compiled configuration as everything else reads it. Deeply frozen and versioned; a reload
 * or an admin change makes a new one and never touches an old one, so a request keeps the rules it began with.
 */
import type { Holdout, Layer } from '../experiment/layer.ts';
import type { Experiment, UnitSource } from '../experiment/model.ts';
import type { TrafficClassifier } from '../experiment/traffic-class.ts';
import type { MemorySettings } from '../propagation/memory.ts';
import type { TokenSettings } from '../propagation/token-verifier.ts';
import type { BreakerSettings } from '../resilience/breaker.ts';
import type { FailureRule } from '../resilience/failure-rule.ts';
import type { ScopedFault } from '../resilience/fault.ts';
import type { OutlierSettings } from '../resilience/outlier.ts';
import type { RetrySettings } from '../resilience/retry.ts';
import type { RetryBudgetSettings } from '../resilience/retry-budget.ts';
import type { BalancePolicy } from '../routing/balance.ts';
import type { CachePolicy } from '../routing/cache-policy.ts';
import type { ForwardingSettings } from '../routing/forward.ts';
import type { HostSet } from '../routing/host-set.ts';
import type { RouteTable } from '../routing/match.ts';
import type { PathParameters } from '../routing/path-parameters.ts';
import type { TrustSettings } from '../routing/trust.ts';
import type { AnalysisSettings } from './compile-analysis.ts';
import type { DecisionsSettings } from './compile-decisions.ts';
import type { DnsSettings } from './compile-dns.ts';
import type { ExposureSettings, TracingSettings } from './compile-exposures.ts';
import type { HealthSettings } from './compile-health.ts';
import type { JwtSettings, StickyKey } from './compile-identity.ts';
import type { MirrorSettings } from './compile-mirror.ts';
import type { OverloadRules } from './compile-overload.ts';
import type { DeadlineSettings, FailoverSettings } from './compile-retry.ts';
import type { StickyIssue } from './compile-sticky.ts';
import type { Role } from './schema-audit.ts';

export type Direction = 'inbound' | 'outbound';

/** `host`+`port`, or the path of a unix socket. */
export type SocketAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

export interface ListenerSettings {
  readonly name: string;
  readonly direction: Direction;
  readonly address: SocketAddress;
  /** Accepted connections at one time; the next is turned away at once. */
  readonly connectionsMax: number;
  /** Each connection begins with a PROXY protocol header, v1 or v2. */
  readonly proxyProtocol: boolean;
  /** File mode of a unix socket; null: what the umask leaves. */
  readonly socketMode: number | null;
  /** Null: plain. */
  readonly tls: ListenerTls | null;
  /** Whom it believes. */
  readonly trust: TrustSettings;
}

/** A certificate chain and its key, as PEM text. */
export interface KeyPair {
  /** Where the certificate was read, for people. */
  readonly file: string;
  readonly certificate: string;
  readonly key: string;
}

export type TlsVersion = 'TLSv1.2' | 'TLSv1.3';

export interface ListenerTls {
  /** The first is shown when none covers the name that the client asks for. */
  readonly keyPairs: readonly KeyPair[];
  readonly minVersion: TlsVersion;
  readonly clientCertificate: 'off' | 'optional' | 'required';
  /** PEM text of the authorities that sign client certificates; null when none is asked for. */
  readonly clientCa: string | null;
}

export interface UpstreamTls {
  /** PEM text of the authorities that sign its certificate; null: those that Node brings. */
  readonly ca: string | null;
  /** For SNI and the check of its certificate; null: the endpoint's host. */
  readonly serverName: string | null;
  /** When there are any, its certificate must have one of these, and no other name counts. */
  readonly subjectAltNames: readonly string[];
  /** What we show when it asks; null: nothing. */
  readonly keyPair: KeyPair | null;
  readonly minVersion: TlsVersion;
}

/** The name of a service, `_http._tcp.app.local`, whose SRV records say where it is. */
export interface ServiceName {
  readonly kind: 'srv';
  readonly name: string;
}

/**
 * An endpoint as declared; a name stands for all addresses that it has. `id` is `host:port`, `unix:/path` or
 * `srv:NAME`, and unique in its upstream.
 */
export interface DeclaredEndpoint {
  readonly id: string;
  readonly address: SocketAddress | ServiceName;
}

export interface Upstream {
  readonly name: string;
  readonly endpoints: readonly DeclaredEndpoint[];
  /** `one`: the first address of a name at the time of a connection; `all`: each is an endpoint. */
  readonly resolve: 'all' | 'one';
  /** Null: its endpoints are not checked. */
  readonly health: HealthSettings | null;
  readonly balance: BalancePolicy;
  /** Where the key of `ringHash` is read; null with every other policy. */
  readonly hashKey: readonly UnitSource[] | null;
  /** Open connections per endpoint at one time; a request beyond it waits, or is answered 503 `overloaded`. */
  readonly connectionsMax: number;
  /** Requests that wait for a connection, per endpoint. */
  readonly pendingMax: number;
  readonly pendingTimeoutMs: number;
  /** What a connection is good for; Infinity: no limit. Each gets up to a tenth less, at random. */
  readonly connectionRequestsMax: number;
  readonly connectionMaxAgeMs: number;
  /** 0: an endpoint that comes back gets its whole share at once. */
  readonly slowStartMs: number;
  /** After it, what is still under way at an endpoint that was taken out is cut; 0: it is not. */
  readonly drainTimeoutMs: number;
  /** Null: nobody is put aside. */
  readonly outlier: OutlierSettings | null;
  /** Share of usable endpoints below which all are used, 0 to 1. */
  readonly panicRatio: number;
  /** Null: plain. */
  readonly tls: UpstreamTls | null;
}

/** What a route does; `match.ts` owns how it is found. */
export interface Route {
  readonly name: string;
  /** Position among the routes of its direction. */
  readonly index: number;
  readonly direction: Direction;
  /** As configured, `*.suffix` among them; empty: any. */
  readonly hosts: readonly string[];
  readonly upstream: Upstream;
  readonly experiments: readonly RouteExperiment[];
  /** Those and what they require, each after what it requires; null: none requires anything. */
  readonly order: readonly Experiment[] | null;
  /** What caches are told about its answers. */
  readonly cache: CachePolicy;
  /** Streams and long polls: how long an answer takes is no fault. */
  readonly isStreaming: boolean;
  /** What counts as a failure of requests in no experiment. */
  readonly failures: FailureRule;
  /** Which segment of the path each `{name}` of its pattern is; null when it has none. */
  readonly parameters: PathParameters | null;
  /** What is tried again. */
  readonly retry: RetrySettings;
  /** When the fallback serves what another variant has failed; null: never. */
  readonly failover: FailoverSettings | null;
}

/** An experiment on a route: what the exchange needs per variant, in the order of `experiment.variants`. */
export interface RouteExperiment {
  readonly experiment: Experiment;
  readonly variants: readonly RouteVariant[];
  /** What counts as a failure here. */
  readonly failures: FailureRule;
}

export interface RouteVariant {
  /** Where this variant's requests on this route go. */
  readonly upstream: Upstream;
  /** Null: no breaker for this variant. */
  readonly breaker: BreakerSettings | null;
}

/** All in milliseconds; 0 means no limit. */
export interface Timeouts {
  /** From the first byte of a request (or the accept) to the end of its head: 408. */
  readonly requestHeadMs: number;
  /** A kept-alive downstream connection without a request: closed. */
  readonly idleMs: number;
  /** A body without a byte of progress: 408 or 504. */
  readonly stallMs: number;
  /** A tunnel (after 101) without a byte in either direction: closed. */
  readonly tunnelIdleMs: number;
  /** The age at which a tunnel is closed. */
  readonly tunnelMaxMs: number;
  /**
   * A client that closed its sending side gets this long for its answer to begin. A half-closing client is served;
   * one that went away cannot be told from it by TCP, so an upstream that hangs is let go after this.
   */
  readonly halfClosedMs: number;
  /** TCP connect: 504. */
  readonly connectMs: number;
  /** From the request's last byte to the response's first: 504. */
  readonly firstByteMs: number;
  /** The whole exchange: 504, or the connection is cut when the response has begun. */
  readonly requestMs: number;
  /** A pooled upstream connection without a request: closed. */
  readonly upstreamIdleMs: number;
}

export interface Limits {
  /** Request line and fields, bytes: 431. */
  readonly headMaxBytes: number;
  /** Request target, bytes: 414. */
  readonly targetMaxBytes: number;
  /** Fields in a head: 431. */
  readonly fieldsMax: number;
  /** Request body, bytes: 413. 0: no limit. */
  readonly bodyMaxBytes: number;
  /** Body bytes of an idempotent request that are kept for another attempt. */
  readonly replayMaxBytes: number;
}

/** Names are lower case. */
export interface PropagationSettings {
  /** `x-experiment` unless configured. */
  readonly header: string;
  readonly overrideHeader: string;
  readonly overrideCookie: string;
  readonly explainHeader: string;
  /** Signed variants. */
  readonly tokenHeader: string;
  /** Sign what requests carry on. */
  readonly sign: boolean;
  /** Outbound calls carry context to these hosts; null: to all. */
  readonly internalHosts: HostSet | null;
  /** Whether `baggage` members `fairlead.NAME=VARIANT` are read and written. */
  readonly baggage: boolean;
  /** Put `x-fairlead-variant: NAME=SERVED` on responses. */
  readonly responseVariant: boolean;
  /** What is remembered of requests for the calls that belong to them; null: nothing. */
  readonly join: MemorySettings | null;
}

export interface AccessLogSettings {
  readonly enabled: boolean;
  /** File to append to; null: stdout. */
  readonly file: string | null;
}

export interface AdminSettings {
  /** Null: no admin listener. */
  readonly address: SocketAddress | null;
  /** Only /metrics, /livez, /readyz, /startupz; null: none. */
  readonly probeAddress: SocketAddress | null;
  /** Bearer token of the role admin; null: there is none. Without any token writes are refused with 403. */
  readonly token: string | null;
  /** Those of people and tools. */
  readonly tokens: readonly { readonly name: string; readonly role: Role; readonly token: string }[];
  /** What reading needs; null: nothing. */
  readonly readRole: Role | null;
  /** Routes on which a change of an experiment takes two people. */
  readonly protectedRoutes: readonly string[];
}

export interface DrainSettings {
  /** After SIGTERM, not ready but still accepting. */
  readonly delayMs: number;
  /** Then in-flight requests have this long. */
  readonly timeoutMs: number;
}

export interface Snapshot {
  /** 1, 2, 3, ... in this process. */
  readonly version: number;
  /** First 12 hex digits of the SHA-256 of the declared config (canonical JSON, secrets left out). */
  readonly hash: string;
  readonly service: string;
  /** Processes that share the listeners; auto: one for each CPU. */
  readonly workers: number | 'auto';
  /** See `shared-reads.ts` and `direct-writes.ts`; false: only what is public in Node. */
  readonly nodeInternals: boolean;
  readonly listeners: readonly ListenerSettings[];
  readonly upstreams: ReadonlyMap<string, Upstream>;
  readonly experiments: ReadonlyMap<string, Experiment>;
  /** Request fields that some experiment's variant may depend on, in lower case. */
  readonly decidingFields: readonly string[];
  /** What is collected, by experiment; one that is not in it has no analysis. */
  readonly analyses: ReadonlyMap<string, AnalysisSettings>;
  readonly layers: ReadonlyMap<string, Layer>;
  /** Kept out of every experiment; null: nobody is. */
  readonly holdout: Holdout | null;
  readonly routes: Readonly<Record<Direction, RouteTable<Route>>>;
  /** What is done to requests on purpose. */
  readonly faults: readonly ScopedFault[];
  /** What is limited, and when less important requests are shed; null: nothing is. */
  readonly overload: OverloadRules | null;
  /** What is sent to candidates as well, by experiment. */
  readonly mirrors: ReadonlyMap<string, MirrorSettings>;
  readonly timeouts: Timeouts;
  readonly deadlines: DeadlineSettings;
  /** Of each upstream. */
  readonly retryBudget: RetryBudgetSettings;
  readonly limits: Limits;
  readonly forwarding: ForwardingSettings;
  /** Which requests are kept out of experiments; null: none is. */
  readonly classifier: TrafficClassifier | null;
  readonly propagation: PropagationSettings;
  /** Null: there are no keys. */
  readonly tokens: TokenSettings | null;
  /** How JSON web tokens are verified; null: none is read. */
  readonly identity: JwtSettings | null;
  /** The first signs sticky assignments, all verify. */
  readonly stickyKeys: readonly StickyKey[];
  /** How sticky assignments are given out, by `stickyPlaceKey`. */
  readonly stickyIssues: ReadonlyMap<string, StickyIssue>;
  readonly accessLog: AccessLogSettings;
  readonly exposures: ExposureSettings;
  /** Null: no request becomes a span. */
  readonly tracing: TracingSettings | null;
  /** Null: decisions are not recorded. */
  readonly decisions: DecisionsSettings | null;
  /** Under which id these rules are kept, see `archived-rules.ts`; '' when they are not. */
  readonly rules: string;
  readonly admin: AdminSettings;
  readonly drain: DrainSettings;
  /** How names of endpoints are resolved. */
  readonly dns: DnsSettings;
  /** File of run-time state; null: run-time changes are lost at exit. */
  readonly stateFile: string | null;
}
