/** What a fake admin API answers: experiments with traffic, a rollout under way, a breach. */
import { NAMES, START_MS } from './world-records.ts';
import { resultsOf } from './world-results.ts';

const POINTS = 240;
const POINT_MS = 5000;

export interface World {
  /** Of each experiment, by its name, everything below. */
  readonly experiments: Record<string, unknown>[];
  readonly rollouts: Record<string, unknown>[];
  readonly breakers: Record<string, unknown>[];
  readonly results: Record<string, unknown>;
}

const OWNERS = ['search-team', 'payments', 'growth', 'platform'];

/** A world with so many experiments; the first six have something to say. */
export function newWorld(count = NAMES.length): World {
  const names = Array.from({ length: count }, (_, index) => NAMES[index] ?? `experiment-${index + 1}`);
  return {
    experiments: names.map(experimentOf),
    rollouts: [
      rolloutOf('ranking', 'baking', 2),
      rolloutOf('checkout', 'rolled-back', 1),
      rolloutOf('pricing-cache', 'gate', 3),
    ],
    breakers: names.flatMap((name, index) => [
      breakerOf(name, 'control', 0),
      breakerOf(name, 'candidate', index),
    ]),
    results: Object.fromEntries(names.map((name, index) => [name, resultsOf(name, index)])),
  };
}

function experimentOf(name: string, index: number): Record<string, unknown> {
  const status = index === 4 ? 'killed' : index === 5 ? 'paused' : 'running';
  const breaker = (variant: string) => {
    const { name: id, state, mode } = breakerOf(name, variant, variant === 'control' ? 0 : index);
    return { name: id, state, mode };
  };
  const weight = index === 0 ? 20 : index === 1 ? 0 : 10 + ((index * 7) % 40);
  return {
    name,
    status,
    owner: OWNERS[index % OWNERS.length],
    hypothesis: 'the new version answers faster and loses nobody',
    successCriteria: 'conversion up by 1 %, p99 within 5 % of the control',
    rollbackPlan: `fairlead kill ${name}`,
    winner: null,
    algorithm: 'fairlead1',
    salt: `${name}-1`,
    sticky: null,
    unit: ['header x-user-id', 'cookie sid'],
    traffic: '100%',
    targeting: index === 2 ? ['country in DE, FR'] : [],
    routes: ['api'],
    condition: index === 3 ? 'stale' : null,
    epoch: 1,
    startsAt: null,
    endsAt: null,
    staleAt: new Date(START_MS + 90 * 86_400_000).toISOString(),
    layer: null,
    holdouts: [],
    requires: [],
    approval: null,
    variants: [
      {
        name: 'control',
        weight: `${100 - weight}%`,
        upstream: null,
        isFallback: true,
        breakers: [breaker('control')],
      },
      {
        name: 'candidate',
        weight: `${weight}%`,
        upstream: `${name}-v2`,
        isFallback: false,
        breakers: [breaker('candidate')],
      },
    ],
    runtime: index === 0 ? { weights: { candidate: 200_000 } } : null,
  };
}

function breakerOf(experiment: string, variant: string, index: number): Record<string, unknown> {
  const isOpen = index === 1;
  return {
    name: `api/${experiment}/${variant}`,
    state: isOpen ? 'open' : 'closed',
    mode: 'enforce',
    force: null,
    reason: isOpen ? 'halt candidate: errors 31% > 20% (n=412)' : 'has never opened',
    sinceMs: null,
    openUntilMs: null,
    trips: isOpen ? 3 : 0,
    budget: null,
    requests: 412,
    failures: isOpen ? 128 : 2,
    slow: 0,
    errorRatio: isOpen ? 0.31 : 0.005,
    slowRatio: 0,
    consecutiveFailures: 0,
    inFlight: 3,
    overdue: 0,
    heldBack: null,
    probes: 0,
    probesOk: 0,
    turnedAway: isOpen ? 1204 : 0,
    wouldTurnAway: 0,
  };
}

export function rolloutOf(experiment: string, phase: string, step: number): Record<string, unknown> {
  const shares = ['1%', '5%', '20%', '50%', '100%'];
  const isOver = phase === 'rolled-back' || phase === 'promoted';
  return {
    experiment,
    id: `rollout_${experiment}`,
    phase,
    isOver,
    step: step + 1,
    steps: shares.map((share) => ({
      share,
      bake: '5m',
      requests: 100,
      gate: share === '100%' ? 'manual' : 'auto',
      guardrails: [{ name: 'errors', metric: 'errors', margin: 0.01, limit: null }],
    })),
    share: phase === 'rolled-back' ? '0%' : shares[step],
    reason: isOver
      ? 'rolled back from 5%: errors breached: 31.1% instead of 0.5%, +30.6 pp, between +24.9 pp and +36.4 pp (margin 1 pp, n=1,843)'
      : 'holds at 20%: errors: not enough data yet, about 2 min: 0.61% instead of 0.52%, between -0.4 pp and +1.1 pp (n=4,120)',
    eta: isOver ? null : '2m',
    watched: '3m12s',
    startedAt: new Date(START_MS).toISOString(),
    since: new Date(START_MS + 600_000).toISOString(),
    counts: { control: { requests: 16_480 }, candidate: { requests: 4120 } },
    canUndo: true,
  };
}

/** Counters as of a moment: `tick` makes them move. */
export function statsOf(world: World, tick: number): Record<string, unknown> {
  return {
    at: new Date(START_MS + tick * 2000).toISOString(),
    intervalMs: 2000,
    experiments: world.experiments.map(({ name }, index) => {
      const rate = 40 + 30 * Math.sin(index + tick / 6) + index;
      const isOff = index === 1 || index === 4;
      const share = isOff ? 0 : index === 0 ? 0.2 : 0.1 + ((index * 7) % 40) / 100;
      const variant = (id: string, part: number, errors: number) => ({
        name: id,
        requests: Math.round(1000 * part),
        failures: Math.round(1000 * part * errors),
        requestsPerSecond: rate * part,
        errorShare: part === 0 ? null : errors,
        slowShare: part === 0 ? null : 0.01,
        p50Ms: part === 0 ? null : 31 + index / 10,
        p90Ms: part === 0 ? null : 70,
        p99Ms:
          part === 0 ? null : (id === 'control' ? 188 : 158 + 6 * index) + 8 * Math.cos(tick / 4 + index),
        inFlight: Math.round(rate * part * 0.04),
      });
      const errors = 0.002 + (index % 4) * 0.0013;
      return {
        name,
        variants: [variant('control', 1 - share, errors), variant('candidate', share, errors * 1.2)],
      };
    }),
    routes: [
      { name: 'api', requestsPerSecond: 212.4, errorShare: 0.0054, p50Ms: 31, p99Ms: 184 },
      { name: 'rest', requestsPerSecond: 14.2, errorShare: 0, p50Ms: 4.1, p99Ms: 11 },
    ],
  };
}

export function historyOf(): Record<string, unknown> {
  const numbers = (at: number, share: number, isCandidate: boolean) => {
    const requests = Math.round((300 + 40 * Math.sin(at / 17) + 12 * Math.sin(at * 1.7)) * share);
    const isBroken = isCandidate && at > 150 && at < 162;
    return {
      requests,
      failures: Math.round(requests * (isBroken ? 0.22 : 0.005)),
      slow: 2,
      p50: requests === 0 ? null : (isCandidate ? 28 : 32) + 2 * Math.sin(at / 9),
      p95: requests === 0 ? null : 96,
      p99: requests === 0 ? null : (isCandidate ? 161 : 188) + 14 * Math.sin(at / 5) + (isBroken ? 220 : 0),
    };
  };
  return {
    intervalMs: POINT_MS,
    variants: ['control', 'candidate'],
    points: Array.from({ length: POINTS }, (_, at) => {
      const share = at < 60 ? 0 : at < 120 ? 0.05 : 0.2;
      return {
        at: new Date(START_MS + at * POINT_MS).toISOString(),
        variants: [numbers(at, 1 - share, false), numbers(at, share, true)],
      };
    }),
  };
}
