/** What a fake admin API answers: experiments with traffic, a rollout under way, a breach, and all that the page shows. */

const START_MS = Date.UTC(2026, 10, 21, 12, 0, 0);
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
const NAMES = ['ranking', 'checkout', 'recommendations', 'pricing-cache', 'image-resize', 'signup-form'];

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

function resultsOf(experiment: string, index: number): Record<string, unknown> {
  const kinds = ['insufficient', 'breach', 'better', 'noDifference', 'off', 'mixed'];
  const kind = kinds[index % kinds.length]!;
  if (kind === 'off') return offResults(experiment);
  const summary = (name: string, share: number, errors: number) => ({
    name,
    share,
    seenShare: share + 0.003,
    units: Math.round(share * 12_000),
    requests: Math.round(share * 96_000),
    errorShare: errors,
    slowShare: 0.01,
    latencyMs: { mean: 41.2, p50: 32.4, p90: 71, p95: 96, p99: 188 },
    bytesMean: 2048,
    metrics: [],
  });
  const variants = [summary('control', 0.8, 0.005), summary('candidate', 0.2, index === 1 ? 0.311 : 0.006)];
  return {
    experiment,
    state: 'collecting',
    fallback: 'control',
    since: new Date(START_MS).toISOString(),
    until: new Date(START_MS + 3_600_000).toISOString(),
    verdict: { kind, reason: REASONS[kind]!, etaMs: kind === 'insufficient' ? 10_800_000 : null },
    assigned: variants,
    served: variants,
    comparisons: [{ variant: 'candidate', metrics: metricsOf(index) }],
    shares: {
      p: index === 5 ? 0.00004 : 0.62,
      isMismatch: index === 5,
      reason:
        index === 5
          ? 'The shares of units are not those of the split (p 0.00004).'
          : 'The shares of units are those of the split (p 0.62).',
      culprits:
        index === 5
          ? [
              {
                dimension: 'user agent',
                slice: 'bot',
                share: 0.41,
                expectedShare: 0.2,
                units: 812,
                explainsAll: true,
              },
            ]
          : [],
    },
    crossover: {
      state: 'ok',
      share: 0.001,
      low: 0,
      high: 0.004,
      reason: '0.1% of the units were served by two variants, at most 0.4%.',
    },
    interactions: [
      { other: 'pricing-cache', reason: 'No sign that they change each other.', isInteracting: false },
    ],
    invalid: [],
  };
}

const REASONS: Readonly<Record<string, string>> = {
  insufficient:
    'Not enough data yet, about 3 h at the present rate: errors may be 1.1 pp worse or 0.4 pp better.',
  breach: 'candidate is worse on errors: 31.1% instead of 0.5%, +30.6 pp, between +24.9 pp and +36.4 pp.',
  better: 'candidate is better on latency: 36.2 ms instead of 41.2 ms, between -6.3 ms and -3.8 ms.',
  noDifference: 'No difference larger than the margins: errors within 0.5 pp, latency within 2 ms.',
  mixed: 'candidate is better on conversion and worse on latency.',
};

function offResults(experiment: string): Record<string, unknown> {
  return {
    ...{ experiment, state: 'off', fallback: 'control', since: null, until: null },
    verdict: {
      kind: 'off',
      reason: 'It is not analysed: write analysis: {} beside its variants.',
      etaMs: null,
    },
    ...{ assigned: [], served: [], comparisons: [], interactions: [], invalid: [] },
    shares: { p: 1, isMismatch: false, reason: '', culprits: [] },
    crossover: { state: 'insufficient', share: 0, low: 0, high: 1, reason: '' },
  };
}

function metricsOf(index: number): Record<string, unknown>[] {
  const common = {
    over: 'units',
    by: 'assigned',
    better: 'lower',
    alpha: 0.025,
    p: 0.2,
    observations: 12_000,
  };
  const verdict = (kind: string, reason: string) => ({ kind, reason, etaMs: null, observationsNeeded: null });
  const isBad = index === 1;
  return [
    {
      ...{ ...common, name: 'errors', role: 'guardrail', unit: 'share', margin: 0.01, control: 0.0052 },
      ...{ candidate: isBad ? 0.311 : 0.0061, difference: isBad ? 0.306 : 0.0009 },
      ...{ low: isBad ? 0.249 : null, high: isBad ? null : 0.0061 },
      verdict: isBad
        ? verdict('breach', 'worse by more than 1 pp: +24.9 pp or more')
        : verdict('pass', 'not worse by more than 1 pp: +0.61 pp or less'),
    },
    {
      ...{ ...common, name: 'latency', role: 'goal', unit: 'ms', margin: 2, control: 41.2, candidate: 36.2 },
      ...{ difference: -5, low: -6.3, high: -3.8 },
      verdict: verdict('better', 'between -6.3 ms and -3.8 ms'),
    },
    {
      ...{ ...common, name: 'conversion', role: 'goal', better: 'higher', unit: 'share', margin: 0.005 },
      ...{ control: 0.0412, candidate: 0.0421, difference: 0.0009, low: -0.0038, high: 0.0056 },
      verdict: verdict('insufficient', 'not enough data yet, about 3 h: between -0.38 pp and +0.56 pp'),
    },
    {
      ...{ ...common, name: 'p99', role: 'guardrail', over: 'requests', unit: 'ms', margin: 20 },
      ...{ control: 188, candidate: null, difference: null, low: null, high: null },
      verdict: verdict('insufficient', 'too few values so far for this quantile'),
    },
  ];
}

/** Counters as of a moment: `tick` makes them move. */
export function statsOf(world: World, tick: number): Record<string, unknown> {
  return {
    at: new Date(START_MS + tick * 2000).toISOString(),
    intervalMs: 2000,
    experiments: world.experiments.map(({ name }, index) => {
      const rate = 40 + 30 * Math.sin(index + tick / 6) + index;
      const share = index === 0 ? 0.2 : index === 1 ? 0 : 0.1 + ((index * 7) % 40) / 100;
      const variant = (id: string, part: number, errors: number) => ({
        name: id,
        requests: Math.round(1000 * part),
        failures: Math.round(1000 * part * errors),
        requestsPerSecond: rate * part,
        errorShare: part === 0 ? null : errors,
        slowShare: part === 0 ? null : 0.01,
        p50Ms: part === 0 ? null : 31 + index / 10,
        p90Ms: part === 0 ? null : 70,
        p99Ms: part === 0 ? null : 180 + 8 * Math.cos(tick / 4 + index),
        inFlight: Math.round(rate * part * 0.04),
      });
      return { name, variants: [variant('control', 1 - share, 0.0052), variant('candidate', share, 0.0061)] };
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

export const CONFIG = {
  service: 'storefront',
  version: 7,
  hash: 'e964ee42f4db',
  file: '/etc/fairlead/fairlead.yaml',
  declared: {
    version: 1,
    workers: 1,
    service: 'storefront',
    listeners: [
      { name: 'inbound', address: { kind: 'tcp', host: '127.0.0.1', port: 15106 }, direction: 'inbound' },
    ],
    experiments: Object.fromEntries(
      [...NAMES, 'experiment-7'].map((name) => [
        name,
        {
          variants: { control: {}, candidate: { weight: 0 } },
          ...(name === 'image-resize'
            ? {}
            : {
                rollout: { steps: [10_000, 50_000, 200_000, 500_000, 1_000_000].map((share) => ({ share })) },
              }),
        },
      ]),
    ),
    admin: { token: '[redacted]' },
  },
  runtime: { ranking: { weights: { candidate: 200_000 } } },
  effective: {
    experiments: Object.fromEntries(
      NAMES.map((name) => [name, { status: 'running', weights: { control: '80%', candidate: '20%' } }]),
    ),
  },
  lastReload: {
    ok: true,
    changed: true,
    cause: 'file',
    atMs: START_MS,
    issues: [],
    restartNeeded: [],
    at: new Date(START_MS).toISOString(),
  },
};

export const CONFIG_HISTORY = {
  history: [
    {
      version: 7,
      hash: 'e964ee42f4db',
      at: new Date(START_MS + 600_000).toISOString(),
      by: 'rollout',
      reason: 'every guardrail of 5% passed',
      changes: ['ranking: candidate from 5% to 20%'],
    },
    {
      version: 6,
      hash: 'b1b2c3d4e5f6',
      at: new Date(START_MS + 300_000).toISOString(),
      by: 'file',
      reason: '',
      changes: ['the route api has another timeout', 'the experiment pricing-cache is new'],
    },
  ],
};

export const TRANSITIONS = {
  transitions: [
    {
      name: 'api/checkout/candidate',
      from: 'closed',
      to: 'open',
      cause: 'error-rate',
      reason: 'halt candidate: errors 31% > 20% (n=412)',
      at: new Date(START_MS + 700_000).toISOString(),
    },
    {
      name: 'api/checkout/candidate',
      from: 'half-open',
      to: 'closed',
      cause: 'probes',
      reason: '5 of 5 probes were good',
      at: new Date(START_MS + 400_000).toISOString(),
    },
    {
      name: 'api/checkout/candidate',
      from: 'open',
      to: 'half-open',
      cause: 'time',
      reason: 'open for 2 s',
      at: new Date(START_MS + 390_000).toISOString(),
    },
  ],
};

export const UPSTREAMS = {
  upstreams: [
    {
      name: 'storefront',
      names: [],
      endpoints: [
        endpointOf('127.0.0.1:9001', 'ok', ''),
        endpointOf('127.0.0.1:9011', 'ejected', '5 failures in a row, for 30 s more'),
      ],
    },
    {
      name: 'ranking-v2',
      names: [],
      endpoints: [
        endpointOf('127.0.0.1:9002', 'ok', ''),
        endpointOf('127.0.0.1:9012', 'draining', 'by operator:alice: new disk'),
      ],
    },
  ],
};

function endpointOf(id: string, state: string, reason: string): Record<string, unknown> {
  const isUsed = state === 'ok';
  return {
    id,
    idle: 4,
    requests: 18_204,
    connectFailures: isUsed ? 0 : 7,
    pending: 0,
    state,
    isUsed,
    reason,
    isHealthy: isUsed,
    active: isUsed ? 12 : 0,
  };
}

export const AUDIT = {
  audit: [
    auditOf(
      4,
      'rollout-advance',
      'ranking',
      'rollout',
      'every guardrail of 5% passed',
      'step 2, 5%',
      'step 3, 20%',
    ),
    auditOf(
      3,
      'rollout-roll-back',
      'checkout',
      'rollout',
      'errors breached: 31.1% instead of 0.5%',
      'step 2, 5%',
      '0%',
    ),
    {
      ...auditOf(2, 'use-admin-api', 'POST /v1/faults', 'viewer:bob', 'needs the role admin', '', ''),
      result: 'refused',
    },
    auditOf(1, 'rollout-start', 'ranking', 'operator:alice (page)', 'release 42', 'no rollout', 'step 1, 1%'),
  ],
};

function auditOf(
  id: number,
  action: string,
  target: string,
  actor: string,
  reason: string,
  before: string,
  after: string,
) {
  return {
    id,
    at: new Date(START_MS + id * 60_000).toISOString(),
    action,
    target,
    actor,
    reason,
    result: 'done',
    before,
    after,
  };
}

export const AUDIT_HEAD = {
  head: { id: 4, hash: '2167d694e4196ce6022c68892a3ddcc7cd2dd17fcf9f4136a04be8e395e7b119' },
  ...{ file: '/var/lib/fairlead/audit.ndjson', isKeyed: true, pending: 0, lost: 0, isFailing: false },
};

export const APPROVALS = {
  approvals: [
    {
      ...{
        id: 'a1',
        action: 'set-weights',
        target: 'checkout',
        reason: 'looks good at 10%',
        before: 'candidate 10%',
        after: 'candidate 25%',
      },
      ...{ digest: '9f86d081884c7d65', askedBy: 'operator:alice' },
      askedAt: new Date(START_MS).toISOString(),
      expiresAt: new Date(START_MS + 900_000).toISOString(),
    },
  ],
};

export const TAP_LINES = Array.from({ length: 30 }, (_, index) => ({
  at: new Date(START_MS + index * 100).toISOString(),
  method: index % 5 === 0 ? 'POST' : 'GET',
  route: 'api',
  status: index % 7 === 0 ? 503 : 200,
  durationMs: 31.4 + index,
  upstreamMs: 30.1 + index,
  outcome: index % 7 === 0 ? 'failure' : 'ok',
  upstream: index % 3 === 0 ? 'ranking-v2' : 'storefront',
  code: index % 7 === 0 ? 'upstream_reset' : null,
  retries: index % 7 === 0 ? 1 : 0,
  experiments: [
    {
      name: 'ranking',
      assigned: index % 3 === 0 ? 'candidate' : 'control',
      served: index % 3 === 0 ? 'candidate' : 'control',
      reason: 'split',
    },
  ],
}));
