/** What does not depend on how many experiments there are: config, records, upstreams, requests. */

export const START_MS = Date.UTC(2026, 10, 21, 12, 0, 0);
/** The first experiments, each with something of its own. */
export const NAMES = [
  'ranking',
  'checkout',
  'recommendations',
  'pricing-cache',
  'image-resize',
  'signup-form',
];

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
                rollout: { steps: [10_000, 50_000, { share: 200_000, bake: 600_000 }, 500_000, 1_000_000] },
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
