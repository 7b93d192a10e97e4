/** Experiments, requests and sources of entropy for tests: short to write, every field may be set. */
import type { Random } from '../../src/base/clock.ts';
import type { Given } from '../../src/experiment/assign.ts';
import type { Claim, Experiment, RequestAttributes, Variant } from '../../src/experiment/model.ts';
import { allocate } from '../../src/experiment/slots.ts';

/** An experiment with these weights in parts per million; the variant `fallback` names, else the first, is the fallback. */
export function experimentOf(
  weights: Record<string, number>,
  settings: Partial<Experiment> & { fallbackName?: string } = {},
): Experiment {
  const variants: Variant[] = Object.entries(weights).map(([name, weightPpm], index) =>
    Object.freeze({ name, index, weightPpm, upstream: null, payload: null }),
  );
  const { fallbackName, ...rest } = settings;
  const fallback = variants.find((variant) => variant.name === fallbackName) ?? variants[0]!;
  return Object.freeze({
    name: 'checkout',
    owner: null,
    hypothesis: null,
    successCriteria: null,
    rollbackPlan: null,
    approval: null,
    salt: 'checkout-1',
    epoch: 1,
    status: 'running' as const,
    winner: null,
    schedule: null,
    staleAtMs: Number.POSITIVE_INFINITY,
    requires: [],
    holdouts: [],
    layer: null,
    unit: [{ kind: 'header' as const, name: 'x-user-id' }],
    sticky: null,
    refusesUnknown: false,
    trafficPpm: 1_000_000,
    targeting: [],
    variants,
    fallback,
    slots: allocate(Object.values(weights), fallback.index),
    bucketing: null,
    excludedVariant: fallback,
    routingKeys: [],
    bucketHeader: null,
    ...rest,
  });
}

/** What a test's request has; everything else is absent. */
export interface RequestParts {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly cookies?: Record<string, string>;
  readonly query?: Record<string, string>;
  readonly clientIdentity?: string;
  readonly clientAddress?: string;
  readonly pathParameters?: Record<string, string>;
  /** By pointer. */
  readonly claims?: Record<string, Claim>;
}

export function requestOf(parts: RequestParts = {}): RequestAttributes {
  return {
    method: parts.method ?? 'GET',
    path: parts.path ?? '/',
    header: (name) => parts.headers?.[name] ?? null,
    cookie: (name) => parts.cookies?.[name] ?? null,
    query: (name) => parts.query?.[name] ?? null,
    clientIdentity: parts.clientIdentity ?? null,
    clientAddress: parts.clientAddress ?? null,
    pathParameter: (name) => parts.pathParameters?.[name] ?? null,
    claim: (pointer) => parts.claims?.[pointer] ?? null,
  };
}

/** What a request brings to its decisions; a GET of / that carries nothing unless told otherwise. */
export function givenOf(parts: Partial<Given> = {}): Given {
  return {
    request: requestOf(),
    context: null,
    overrides: null,
    random: countingRandom(),
    wallMs: 0,
    before: [],
    ...parts,
  };
}

/** Entropy that counts: the first `hex` ends in 1, the second in 2. */
export function countingRandom(): Random & { calls: number } {
  return {
    calls: 0,
    next(): number {
      this.calls++;
      return 0.5;
    },
    hex(bytes: number): string {
      this.calls++;
      return this.calls.toString(16).padStart(bytes * 2, '0');
    },
  };
}
