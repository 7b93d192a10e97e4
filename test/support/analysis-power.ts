/**
 * The power that `fairlead power` promises and the power there is, as the table in docs/analysis.md:
 *
 *     npm exec -c 'node test/support/analysis-power.ts'
 */
import {
  meanSpread,
  proportionSpread,
  quantileSpread,
  ratioSpread,
  type Spread,
  sampleSize,
} from '../../src/analysis/power.ts';
import { countInWords } from '../../src/analysis/wording.ts';
import { means, proportions, quantiles, unitRatios } from './peeked-metrics.ts';
import { normal, type Peeking, peek } from './peeking.ts';

const SETTINGS = { alpha: 0.05, sides: 'two', tunedFor: 5000 } as const;
const POWER = 0.8;
const RUNS = 300;
const SEED = 7;

interface Scenario {
  readonly name: string;
  readonly spread: Spread;
  readonly effect: number;
  readonly start: Peeking['start'];
  readonly candidateShare?: number;
  readonly growth?: number;
}

/** Half a deviation of the logarithm: the mean is e^(1/8) times the median, the variance of it e^(1/4) - 1. */
const NARROW = 0.5;
const MEAN_MS = 20 * Math.exp(NARROW ** 2 / 2);
const P90_MS = 20 * Math.exp(1.2815515655 * NARROW);
const latency =
  (candidateMs: number) =>
  (random: Parameters<typeof normal>[0], isCandidate: boolean): number =>
    (isCandidate ? candidateMs : 20) * Math.exp(NARROW * normal(random));

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'failures 5 % or 7 %',
    spread: proportionSpread(0.05, 0.07, 0.5),
    effect: 0.02,
    start: proportions(0.05, 0.07, SETTINGS),
  },
  {
    name: 'failures 1 % or 3 %, split 90/10',
    spread: proportionSpread(0.01, 0.03, 0.1),
    effect: 0.02,
    start: proportions(0.01, 0.03, SETTINGS),
    candidateShare: 0.1,
  },
  {
    name: 'mean latency 10 % higher',
    spread: meanSpread(MEAN_MS * Math.sqrt(Math.exp(NARROW ** 2) - 1) * 1.05),
    effect: 0.1 * MEAN_MS,
    start: means(latency(22), SETTINGS),
  },
  {
    name: 'failures 10 % or 13 % of requests, 10 a unit',
    spread: ratioSpread(proportionSpread(0.1, 0.13, 0.5), 10, 0.13),
    effect: 0.03,
    start: unitRatios({ control: 0.1, candidate: 0.13, perUnit: 10 }, SETTINGS),
  },
  {
    name: 'median 10 % higher',
    spread: quantileSpread({ control: 20, candidate: 22 }, 0.5, NARROW),
    effect: 2,
    start: quantiles(0.5, latency(22), SETTINGS),
    growth: 1.02,
  },
  {
    name: 'p90 20 % higher',
    spread: quantileSpread({ control: P90_MS, candidate: 1.2 * P90_MS }, 0.9, NARROW),
    effect: 0.2 * P90_MS,
    start: quantiles(0.9, latency(24), SETTINGS),
    growth: 1.02,
  },
];

export interface PowerRow {
  readonly name: string;
  readonly oneLook: number;
  /** Observations of both after which half, or all but a fifth, should have been found. */
  readonly half: number;
  readonly most: number;
  /** Shares of the experiments in which it was found by then. */
  readonly foundByHalf: number;
  readonly foundByMost: number;
  /** The middle of the observations it took. */
  readonly median: number;
}

export function measurePower(): PowerRow[] {
  return SCENARIOS.map(({ name, spread, effect, start, candidateShare = 0.5, growth = 1.02 }) => {
    const question = { spread, effect, candidateShare, power: POWER, settings: SETTINGS };
    const { oneLook, sequentialHalf, sequential } = sampleSize(question);
    const { decidedAfter } = peek({
      start,
      runs: RUNS,
      observations: sequential!,
      candidateShare,
      truth: effect,
      seed: SEED,
      growth,
    });
    const foundBy = (count: number): number => decidedAfter.filter((after) => after <= count).length / RUNS;
    return {
      name,
      oneLook: oneLook!,
      half: sequentialHalf!,
      most: sequential!,
      foundByHalf: foundBy(sequentialHalf!),
      foundByMost: foundBy(sequential!),
      median: decidedAfter[RUNS / 2]!,
    };
  });
}

/** As in docs/analysis.md. */
export function powerTable(rows: readonly PowerRow[]): string[] {
  const percent = (share: number): string => `${Math.round(100 * share)} %`;
  return [
    '| effect | one look, 80 % | at any time, 50 % | found by then | at any time, 80 % | found by then | median |',
    '|---|---|---|---|---|---|---|',
    ...rows.map(({ name, oneLook, half, foundByHalf, most, foundByMost, median }) => {
      const cells = [countInWords(oneLook), countInWords(half), percent(foundByHalf), countInWords(most)];
      return `| ${[name, ...cells, percent(foundByMost), countInWords(median)].join(' | ')} |`;
    }),
  ];
}

if (import.meta.main) console.log(powerTable(measurePower()).join('\n'));
