/** A declared upstream, its files read in, to what the data plane keeps pools for. Pure. */
import type { OutlierSettings } from '../resilience/outlier.ts';
import { compileHealth } from './compile-health.ts';
import { compileUpstreamTls } from './compile-tls.ts';
import { compileUnit } from './compile-unit.ts';
import type { OutlierConfig } from './schema-outlier.ts';
import type { UpstreamConfig } from './schema-upstream.ts';
import type { Upstream } from './snapshot.ts';
import { PPM } from './units.ts';

export function compileUpstream(name: string, config: UpstreamConfig): Upstream {
  const { endpoints, balance, hashKey, connectionsMax, connection, outlier, health, tls } = config;
  return {
    name,
    endpoints,
    resolve: config.resolve,
    health: health === undefined ? null : compileHealth(health),
    balance,
    hashKey: balance === 'ringHash' && hashKey !== undefined ? compileUnit(hashKey) : null,
    connectionsMax,
    pendingMax: config.pendingMax,
    pendingTimeoutMs: config.pendingTimeout,
    connectionRequestsMax: connection.requestsMax ?? Number.POSITIVE_INFINITY,
    connectionMaxAgeMs: connection.maxAge ?? Number.POSITIVE_INFINITY,
    slowStartMs: config.slowStart,
    drainTimeoutMs: config.drainTimeout,
    outlier: outlier === false ? null : compileOutlier(outlier),
    panicRatio: config.panicBelow / PPM,
    tls: tls === undefined ? null : compileUpstreamTls(tls),
  };
}

function compileOutlier(config: OutlierConfig): OutlierSettings {
  const { consecutiveFailures, errorRate, slowerThan } = config;
  return {
    consecutiveFailures: limit(consecutiveFailures),
    errorRatio: errorRate === 'off' ? Number.POSITIVE_INFINITY : errorRate / PPM,
    slowerThan: limit(slowerThan),
    minimumRequests: config.minimumRequests,
    windowMs: config.window,
    ejectForMs: config.ejectFor,
    ejectForMaxMs: config.ejectForMax,
    ejectedMaxRatio: config.ejectedMax / PPM,
  };
}

function limit(value: number | 'off'): number {
  return value === 'off' ? Number.POSITIVE_INFINITY : value;
}
