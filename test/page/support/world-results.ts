/** Results of experiments, a kind of verdict each, and of mirrored requests. */
import { START_MS } from './world-records.ts';

/** @param index Of the experiment: which kind of verdict. */
export function resultsOf(experiment: string, index: number): Record<string, unknown> {
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

export const DIFFS = {
  ...{ experiment: 'ranking', mirror: { control: 'control', candidate: 'candidate', share: 0.05 } },
  ...{ since: new Date(START_MS).toISOString(), inFlight: 1, compared: 1840 },
  missed: { rate: 0, concurrency: 3, load: 0, breaker: 0, body: 12, unanswered: 1 },
  verdict: {
    kind: 'regression',
    reason:
      "its answers differ: 4.1% of its answers differ from those of control, 0% of control's own, +3.2 pp or more (n=1,840)",
  },
  regressions: { control: 0, candidate: 0.041, difference: 0.041, low: 0.032, high: null, alpha: 0.05 },
  paths: [
    { path: 'body/results/*/price', noise: 0, differences: 74, last: null, kind: 'regression' },
    { path: 'header/etag', noise: 1830, differences: 1832, last: null, kind: 'noise' },
  ],
  latency: { control: { p50: 31, p95: 90, p99: 180 }, candidate: { p50: 29, p95: 84, p99: 166 } },
  bytes: { control: 2048, candidate: 2040 },
  samples: [],
};
