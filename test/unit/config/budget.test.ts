/** Error budgets, observing and too many openings, from the file to the settings of a breaker. */
import { describe, expect, test } from 'vitest';
import { issuesOf, snapshotOf, withExperiment } from '../../support/config.ts';

const DAY = 86_400_000;
const HOUR = 3_600_000;
const MINUTE = 60_000;

/** Control, then candidate. */
function breakers(...settings: string[]) {
  return snapshotOf(withExperiment(...settings))
    .routes.inbound.match('', '/', 'GET')!
    .experiments[0]!.variants.map((variant) => variant.breaker!);
}

describe('an error budget', () => {
  test('has the rules of the workbook for 30 days unless it says others', () => {
    const [, candidate] = breakers('breaker: { budget: { target: 99.9% } }');
    expect(candidate!.budget).toEqual({
      targetRatio: 0.999,
      periodMs: 30 * DAY,
      burn: [
        { rate: 14.4, longMs: HOUR, shortMs: 5 * MINUTE },
        { rate: 6, longMs: 6 * HOUR, shortMs: 30 * MINUTE },
      ],
      isCountedOnly: false,
    });
  });

  test('has them scaled to another period, and none over less than a second', () => {
    const [, week] = breakers('breaker: { budget: { target: 99%, period: 7d } }');
    expect(week!.budget!.burn).toEqual([
      { rate: 14.4, longMs: 14 * MINUTE, shortMs: 70_000 },
      { rate: 6, longMs: 84 * MINUTE, shortMs: 7 * MINUTE },
    ]);
    const [, minute] = breakers('breaker: { budget: { target: 99%, period: 1m } }');
    expect(minute!.budget!.burn).toEqual([
      { rate: 14.4, longMs: 1000, shortMs: 1000 },
      { rate: 6, longMs: 1000, shortMs: 1000 },
    ]);
  });

  test('takes the rules that it is given, and none is none', () => {
    const given = 'budget: { target: 95%, burn: [{ rate: 2, long: 10m, short: 1m }] }';
    expect(breakers(`breaker: { ${given} }`)[1]!.budget!.burn).toEqual([
      { rate: 2, longMs: 10 * MINUTE, shortMs: MINUTE },
    ]);
    expect(breakers('breaker: { budget: { target: 95%, burn: [] } }')[1]!.budget!.burn).toEqual([]);
  });

  test('of the fallback is counted and opens nothing, unless it says so itself', () => {
    const [control] = breakers('breaker: { budget: { target: 99.9% } }');
    expect(control!.budget).toMatchObject({ targetRatio: 0.999, isCountedOnly: true });
    const own =
      'variants: { control: { breaker: { budget: { target: 90% } } }, candidate: { weight: 1%, breaker: { budget: off } } }';
    const [asked, candidate] = breakers('breaker: { budget: { target: 99.9% } }', own);
    expect(asked!.budget).toMatchObject({ targetRatio: 0.9 });
    expect(asked!.budget!.isCountedOnly).toBe(false);
    expect(candidate!.budget).toBeNull();
  });

  test.each([
    ['target: 100%', 'budget.target: found 100%; a target of less leaves a budget'],
    ['target: 99%, period: 400d', 'budget.period: found 400d; expected at most 366d'],
    [
      'target: 99%, period: 1h, burn: [{ rate: 2, long: 2h, short: 1m }]',
      'budget.burn[0].long: 2h is longer than the period 1h',
    ],
    [
      'target: 99%, burn: [{ rate: 2, long: 1m, short: 1h }]',
      'budget.burn[0].short: 1h is not shorter than long, 1m',
    ],
    [
      'target: 99%, burn: [{ rate: 2, long: 1m, short: 250ms }]',
      'budget.burn[0].short: found 250ms; expected at least 1s',
    ],
  ])('%s is refused', (budget, said) => {
    const issues = issuesOf(withExperiment(`breaker: { budget: { ${budget} } }`));
    expect(issues).toEqual([expect.stringContaining(`experiments.ranking.breaker.${said}`)]);
  });
});

describe('observing', () => {
  test('is for all variants or for one', () => {
    expect(breakers('breaker: { mode: observe }').map(({ mode }) => mode)).toEqual(['observe', 'observe']);
    const one = 'variants: { control: {}, candidate: { weight: 1%, breaker: { mode: observe } } }';
    expect(breakers(one).map(({ mode }) => mode)).toEqual(['enforce', 'observe']);
  });
});

describe('too many openings', () => {
  test('are those of a variant that is not the fallback', () => {
    const [control, candidate] = breakers('breaker: { maxTrips: { count: 3, within: 1h } }');
    expect(control!.tripsMax).toBeNull();
    expect(candidate!.tripsMax).toEqual({ count: 3, withinMs: HOUR });
  });

  test('of the fallback would kill for it what gives everyone the fallback, and are refused', () => {
    const own =
      'variants: { control: { breaker: { maxTrips: { count: 1, within: 1m } } }, candidate: { weight: 1% } }';
    expect(issuesOf(withExperiment(own))).toEqual([
      expect.stringContaining(
        'control is the fallback, and a kill gives it to everyone; leave maxTrips out here',
      ),
    ]);
  });
});
