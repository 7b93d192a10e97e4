/** `algorithm` of an experiment: what is accepted, what is a mistake and where, and what weights then mean. */
import { describe, expect, test } from 'vitest';
import { issuesOf, snapshotOf, withExperiment } from '../../support/config.ts';

const NO_WEIGHTS = 'variants: { control: {}, candidate: {} }';
const SPLITS = 'splits: [{ variant: candidate, shards: [{ salt: s, ranges: [{ start: 0, end: 2500 }] }] }]';

function check(cases: readonly (readonly [name: string, text: string, said: readonly string[]])[]): void {
  test.each(cases)('%s', (_name, text, said) => {
    expect(issuesOf(text)).toEqual(said);
  });
}

describe('mistakes', () => {
  check([
    [
      'an algorithm that does not exist',
      withExperiment('algorithm: growthbok2'),
      [
        '6:16: experiments.ranking.algorithm: found "growthbok2"; expected fairlead1 or unleash or growthbook1 or growthbook2 or flagd1 or flagd2 or launchdarkly or eppo, or a map; did you mean "growthbook2"?',
      ],
    ],
    [
      'a map with a name that does not exist',
      withExperiment('algorithm: { name: optimizely }'),
      [
        '6:24: experiments.ranking.algorithm.name: found "optimizely"; expected fairlead1 or unleash or growthbook1 or growthbook2 or flagd1 or flagd2 or launchdarkly or eppo',
      ],
    ],
    [
      'an unknown option',
      withExperiment('algorithm: { name: unleash, groupID: a }'),
      ['6:33: experiments.ranking.algorithm.groupID: unknown key; did you mean "groupId"?'],
    ],
    [
      'an option of another system',
      withExperiment('algorithm: { name: unleash, flagKey: a }'),
      [
        '6:33: experiments.ranking.algorithm.flagKey: unleash has no such option; it has groupId, variantGroupId, rollout, weights',
      ],
    ],
    [
      'an option of ours, which has none',
      withExperiment('algorithm: { name: fairlead1, seed: a }'),
      ['6:35: experiments.ranking.algorithm.seed: fairlead1 has no such option; it has none'],
    ],
    [
      'a salt beside the options',
      withExperiment('algorithm: unleash', 'salt: a'),
      [
        "7:11: experiments.ranking.salt: the salt is the key of fairlead1's hash; unleash has its own options",
      ],
    ],
    [
      'traffic where the system has no gate',
      withExperiment('algorithm: flagd2', 'traffic: 50%'),
      [
        '7:14: experiments.ranking.traffic: flagd2 knows no share of traffic; leave it out and say it with the variants',
      ],
    ],
    [
      'traffic beside a rollout',
      withExperiment('algorithm: { name: unleash, rollout: true }', 'traffic: 50%'),
      [
        '7:14: experiments.ranking.traffic: of a rollout the weight of the variant that is on is the share; leave traffic out',
      ],
    ],
    [
      'traffic beside ranges',
      withExperiment(
        NO_WEIGHTS,
        'algorithm: { name: growthbook2, ranges: { control: [0, 0.5] } }',
        'traffic: 50%',
      ),
      ['7:14: experiments.ranking.traffic: the ranges say who takes part; leave traffic out'],
    ],
    [
      'weights twice',
      withExperiment('algorithm: { name: unleash, weights: { control: 1, candidate: 1 } }'),
      [
        '5:5: experiments.ranking.variants: "candidate" has a weight, but the numbers of unleash say the shares; leave it out',
      ],
    ],
    [
      'a variant that is not there',
      withExperiment(NO_WEIGHTS, 'algorithm: { name: flagd2, weights: { control: 1, candidat: 1 } }'),
      [
        '6:32: experiments.ranking.algorithm.weights: the weight of "candidate" is missing',
        '6:55: experiments.ranking.algorithm.weights.candidat: there is no variant "candidat"; did you mean "candidate"?',
      ],
    ],
    [
      'weights with a fraction',
      withExperiment(NO_WEIGHTS, 'algorithm: { name: flagd2, weights: { control: 0.5, candidate: 1 } }'),
      ['6:32: experiments.ranking.algorithm.weights: the weights of flagd2 are whole numbers'],
    ],
    [
      'weights of nobody',
      withExperiment(NO_WEIGHTS, 'algorithm: { name: unleash, weights: { control: 0, candidate: 0 } }'),
      ['6:33: experiments.ranking.algorithm.weights: the weights add up to 0, so nobody gets a variant'],
    ],
    [
      'weights that GrowthBook would not use',
      withExperiment(NO_WEIGHTS, 'algorithm: { name: growthbook2, weights: { control: 1, candidate: 1 } }'),
      [
        '6:37: experiments.ranking.algorithm.weights: the weights add up to 2, not 1, and GrowthBook would make them equal',
      ],
    ],
    [
      'more weight than flagd has',
      withExperiment(
        NO_WEIGHTS,
        'algorithm: { name: flagd2, weights: { control: 2147483647, candidate: 1 } }',
      ),
      [
        '6:32: experiments.ranking.algorithm.weights: the weights add up to 2147483648; the limit is 2147483647',
      ],
    ],
    [
      'a range that ends before it begins',
      withExperiment(NO_WEIGHTS, 'algorithm: { name: growthbook2, ranges: { control: [0.5, 0.1] } }'),
      ['6:56: experiments.ranking.algorithm.ranges.control: the range begins at 0.5, after its end 0.1'],
    ],
    [
      'filters and a namespace',
      withExperiment(
        'algorithm: { name: growthbook2, filters: [{ seed: s, ranges: [[0, 1]] }], namespace: { id: n, range: [0, 1] } }',
      ),
      [
        '6:79: experiments.ranking.algorithm.namespace: filters is given, which namespace cannot go with; keep one',
      ],
    ],
    [
      'a seed of GrowthBook that is a number',
      withExperiment('algorithm: { name: growthbook2, seed: 61 }'),
      [
        '6:43: experiments.ranking.algorithm.seed: the seed is a text; put it in quotes, or leave it out for the name of the experiment',
      ],
    ],
    [
      'a rollout of three variants',
      withExperiment(
        'variants: { control: {}, a: { weight: 1% }, b: { weight: 1% } }',
        'algorithm: { name: growthbook1, rollout: true }',
      ),
      [
        '6:46: experiments.ranking.algorithm.rollout: a rollout is on or off, which are two variants; found 3',
      ],
    ],
    [
      'launchdarkly without a salt',
      withExperiment('algorithm: launchdarkly'),
      [
        "6:16: experiments.ranking.algorithm: launchdarkly needs the flag's salt, or the seed of an experiment",
      ],
    ],
    [
      'eppo without splits',
      withExperiment('algorithm: eppo'),
      ["6:16: experiments.ranking.algorithm: eppo needs splits, as in the flag's allocation"],
    ],
    [
      'a candidate that is not tracked',
      withExperiment(
        NO_WEIGHTS,
        'algorithm: { name: launchdarkly, seed: 61, buckets: [{ variant: candidate, weight: 1, untracked: true }] }',
      ),
      [
        '6:102: experiments.ranking.algorithm.buckets[0].untracked: who is not part of the experiment gets the fallback control, not candidate',
      ],
    ],
    [
      'a bucket of nobody',
      withExperiment(
        NO_WEIGHTS,
        'algorithm: { name: launchdarkly, seed: 61, buckets: [{ variant: a, weight: 1 }] }',
      ),
      [
        '6:69: experiments.ranking.algorithm.buckets[0].variant: there is no variant "a"; known here: control, candidate',
      ],
    ],
    [
      'a shard beyond the last',
      withExperiment(NO_WEIGHTS, `algorithm: { name: eppo, totalShards: 100, ${SPLITS} }`),
      [
        '6:125: experiments.ranking.algorithm.splits[0].shards[0].ranges[0].end: found 2500; there are 100 shards',
      ],
    ],
  ]);
});

describe('what is compiled', () => {
  const experimentOf = (...lines: string[]) =>
    snapshotOf(withExperiment(...lines)).experiments.get('ranking')!;
  const sharesOf = (...lines: string[]) => experimentOf(...lines).variants.map(({ weightPpm }) => weightPpm);

  test('fairlead1 is the code path it always was', () => {
    expect(experimentOf().bucketing).toBeNull();
    expect(experimentOf('algorithm: fairlead1').bucketing).toBeNull();
    expect(experimentOf('algorithm: { name: fairlead1 }').bucketing).toBeNull();
  });

  test('the key of the other system is the name of the experiment unless it is given', () => {
    const place = (...lines: string[]) => experimentOf(...lines).bucketing!.place('user-1');
    const trace: string[] = [];
    experimentOf('algorithm: growthbook2').bucketing!.place('user-1', trace);
    expect(trace[0]).toContain('with seed ranking is');
    expect(place('algorithm: flagd2')).toEqual(place('algorithm: { name: flagd2, seed: ranking }'));
    expect(place('algorithm: { name: launchdarkly, salt: s }')).toEqual(
      place('algorithm: { name: launchdarkly, seed: ranking.s }'),
    );
  });

  test('the shares of exact numbers are on record, and add up', () => {
    expect(
      sharesOf(NO_WEIGHTS, 'algorithm: { name: unleash, weights: { control: 2, candidate: 1 } }'),
    ).toEqual([666_667, 333_333]);
    expect(
      sharesOf(
        NO_WEIGHTS,
        'algorithm: { name: growthbook2, ranges: { control: [0, 0.1], candidate: [0.5, 0.8] } }',
      ),
    ).toEqual([250_000, 750_000]);
    expect(sharesOf(NO_WEIGHTS, `algorithm: { name: eppo, ${SPLITS} }`)).toEqual([0, 1_000_000]);
    expect(
      sharesOf(
        NO_WEIGHTS,
        'algorithm: { name: launchdarkly, seed: 1, buckets: [{ variant: control, weight: 20000 }, { variant: candidate, weight: 20000 }, { variant: control, weight: 60000, untracked: true }] }',
      ),
    ).toEqual([500_000, 500_000]);
    expect(
      sharesOf(
        NO_WEIGHTS,
        'algorithm: { name: launchdarkly, seed: 1, buckets: [{ variant: candidate, weight: 1 }, { variant: control, weight: 1 }] }',
      ),
    ).toEqual([999_990, 10]);
    expect(sharesOf(NO_WEIGHTS, 'algorithm: { name: growthbook2, ranges: { control: [0, 0] } }')).toEqual([
      1_000_000, 0,
    ]);
  });

  test('a variant without a range gets nobody', () => {
    const { bucketing } = experimentOf(
      NO_WEIGHTS,
      'algorithm: { name: growthbook2, ranges: { candidate: [0, 0.2] } }',
    );
    const found = new Set(Array.from({ length: 500 }, (_, i) => bucketing!.place(`user-${i}`)?.variant));
    expect(found).toEqual(new Set([undefined, 1]));
  });
});
