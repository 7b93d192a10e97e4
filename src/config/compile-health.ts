/** Health checks as declared, to what makes them. Pure. */
import type { HealthThresholds } from '../resilience/health.ts';
import type { HealthConfig } from './schema-health.ts';

export interface HealthSettings extends HealthThresholds {
  /** Null: a connection is enough. */
  readonly http: {
    readonly path: string;
    /** Null: the name or address of the endpoint. */
    readonly host: string | null;
    /** Pairs of the lowest and the highest. */
    readonly statuses: readonly (readonly [number, number])[];
  } | null;
  /** Null: that of the endpoint. */
  readonly port: number | null;
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

export function compileHealth({ http, port, interval, timeout, rise, fall }: HealthConfig): HealthSettings {
  return {
    http: http === undefined ? null : { path: http.path, host: http.host ?? null, statuses: http.statuses },
    port: port ?? null,
    intervalMs: interval,
    timeoutMs: timeout,
    rise,
    fall,
  };
}
