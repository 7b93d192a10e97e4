/** What the admin API answers, as far as the page reads it; docs/admin-api.md describes the resources. */

export interface Experiment {
  readonly name: string;
  readonly status: string;
  readonly owner: string | null;
  readonly hypothesis: string | null;
  readonly successCriteria: string | null;
  readonly rollbackPlan: string | null;
  readonly winner: string | null;
  readonly algorithm: string;
  readonly salt: string;
  readonly unit: readonly string[];
  readonly traffic: string;
  readonly targeting: readonly string[];
  readonly routes: readonly string[];
  readonly condition: string | null;
  readonly epoch: number;
  readonly requires: readonly string[];
  readonly holdouts: readonly string[];
  readonly layer: { readonly name: string } | null;
  readonly startsAt: string | null;
  readonly endsAt: string | null;
  readonly staleAt: string | null;
  readonly variants: readonly Variant[];
  readonly runtime: unknown;
}

export interface Variant {
  readonly name: string;
  readonly weight: string;
  readonly upstream: string | null;
  readonly isFallback: boolean;
  readonly breakers: readonly { readonly name: string; readonly state: string; readonly mode: string }[];
}

export interface Stats {
  readonly at: string;
  readonly intervalMs: number;
  readonly experiments: readonly { readonly name: string; readonly variants: readonly VariantStats[] }[];
  readonly routes: readonly RouteStats[];
}

export interface VariantStats {
  readonly name: string;
  readonly requests: number | null;
  readonly failures: number | null;
  readonly requestsPerSecond: number | null;
  readonly errorShare: number | null;
  readonly slowShare: number | null;
  readonly p50Ms: number | null;
  readonly p90Ms: number | null;
  readonly p99Ms: number | null;
  readonly inFlight: number | null;
}

export interface RouteStats {
  readonly name: string;
  readonly requestsPerSecond: number | null;
  readonly errorShare: number | null;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

export interface Breaker {
  readonly name: string;
  readonly state: 'closed' | 'half-open' | 'open';
  readonly mode: string;
  readonly reason: string;
  readonly requests: number;
  readonly failures: number;
  readonly slow: number;
  readonly errorRatio: number | null;
  readonly trips: number;
  readonly turnedAway: number;
  readonly wouldTurnAway: number;
  readonly heldBack: string | null;
}

export interface Transition {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly cause: string;
  readonly reason: string;
  readonly at: string;
}

export interface Upstream {
  readonly name: string;
  readonly endpoints: readonly Endpoint[];
}

export interface Endpoint {
  readonly id: string;
  readonly state: string;
  readonly isUsed: boolean;
  readonly isHealthy: boolean;
  readonly reason: string;
  readonly active: number;
  readonly idle: number;
  readonly requests: number;
  readonly connectFailures: number;
  readonly pending: number;
}

export interface Guardrail {
  readonly name: string;
  readonly metric: string;
  readonly margin: number | null;
  readonly limit: number | null;
}

export interface Rollout {
  readonly experiment: string;
  readonly id: string;
  readonly phase: string;
  readonly isOver: boolean;
  /** From 1. */
  readonly step: number;
  readonly steps: readonly {
    readonly share: string;
    readonly bake: string;
    readonly requests: number;
    readonly gate: string;
    readonly guardrails: readonly Guardrail[];
  }[];
  readonly share: string;
  readonly reason: string;
  readonly eta: string | null;
  readonly watched: string;
  readonly startedAt: string;
  readonly since: string;
  readonly counts: {
    readonly control: { readonly requests: number };
    readonly candidate: { readonly requests: number };
  };
  readonly canUndo: boolean;
}

export interface AuditRecord {
  readonly id: number | null;
  readonly at: string;
  readonly action: string;
  readonly target: string;
  readonly actor: string;
  readonly reason: string;
  readonly result: string;
  readonly before: string;
  readonly after: string;
}

export interface AuditHead {
  readonly head: { readonly id: number; readonly hash: string };
  readonly file: string | null;
  readonly isKeyed: boolean;
  readonly pending: number;
  readonly lost: number;
  readonly isFailing: boolean;
}

export interface Approval {
  readonly id: string;
  readonly action: string;
  readonly target: string;
  readonly reason: string;
  readonly before: string;
  readonly after: string;
  readonly digest: string;
  readonly askedBy: string;
  readonly askedAt: string;
  readonly expiresAt: string;
}

export interface History {
  readonly intervalMs: number;
  readonly variants: readonly string[];
  readonly points: readonly {
    readonly at: string;
    readonly variants: readonly HistoryNumbers[];
  }[];
}

export interface HistoryNumbers {
  readonly requests: number;
  readonly failures: number;
  readonly slow: number;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

export interface ConfigView {
  readonly service: string;
  readonly version: number;
  readonly hash: string;
  readonly file: string;
  readonly declared: Readonly<Record<string, unknown>>;
  readonly runtime: Readonly<Record<string, unknown>>;
  readonly effective: {
    readonly experiments: Readonly<
      Record<string, { readonly status: string; readonly weights: Readonly<Record<string, string>> }>
    >;
  };
  readonly lastReload: {
    readonly ok: boolean;
    readonly cause: string;
    readonly at: string;
    readonly issues: readonly unknown[];
  };
}

export interface ConfigChange {
  readonly version: number;
  readonly hash: string;
  readonly at: string;
  readonly by: string;
  readonly reason: string;
  readonly changes: readonly string[];
}

export interface TapRecord {
  readonly at: string;
  readonly method: string;
  readonly route: string | null;
  readonly status: number | null;
  readonly durationMs: number | null;
  readonly upstreamMs: number | null;
  readonly outcome: string;
  readonly upstream: string | null;
  readonly code: string | null;
  readonly retries: number;
  readonly experiments: readonly {
    readonly name: string;
    readonly assigned: string | null;
    readonly served: string | null;
    readonly reason: string;
  }[];
}

/** Of `GET /v1/results`. */
export interface VerdictLine {
  readonly experiment: string;
  readonly state: string;
  readonly verdict: { readonly kind: string; readonly reason: string };
}

/** What mirrored requests say of a candidate. */
export interface Diffs {
  /** Null: nothing is mirrored. */
  readonly mirror: { readonly control: string; readonly candidate: string; readonly share: number } | null;
  readonly verdict: { readonly kind: string; readonly reason: string };
  readonly compared: number;
  /** Chosen and not compared, by why. */
  readonly missed: Readonly<Record<string, number>>;
  readonly paths: readonly DiffPath[];
  readonly latency: {
    readonly control: { readonly p99: number | null };
    readonly candidate: { readonly p99: number | null };
  };
}

export interface DiffPath {
  readonly path: string;
  readonly kind: string;
  readonly differences: number;
  readonly noise: number;
}
