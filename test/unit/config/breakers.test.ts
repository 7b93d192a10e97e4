/** From the `breaker` of a file to the settings of each variant's: `src/config/compile-breaker.ts`. */
import { describe, expect, test } from 'vitest';
import { patient } from '../../../src/config/compile-breaker.ts';
import { issuesOf, snapshotOf, withExperiment } from '../../support/config.ts';

describe('breakers', () => {
  function breakers(...settings: string[]) {
    return snapshotOf(withExperiment(...settings))
      .routes.inbound.match('', '/', 'GET')
      ?.experiments[0]?.variants.map((variant) => variant.breaker);
  }
  const standard = {
    windowMs: 10_000,
    minimumRequests: 20,
    errorRatio: 0.5,
    slow: null,
    consecutiveFailures: null,
    openForMs: 5000,
    openForMaxMs: 7500,
    halfOpenRequests: 5,
    mode: 'enforce',
    budget: null,
    tripsMax: null,
  };
  /** Of variants that can be held beside the control. */
  const confidence = { ratio: 0.99999, surprise: expect.closeTo(13.35, 2) };
  const guarded = { ...standard, openForMaxMs: 60_000, sharedOutage: { policy: 'hold', confidence } };

  test('every variant has one without being asked, control too', () => {
    expect(breakers()).toEqual([standard, guarded]);
  });

  test('false leaves them out, for all or for one', () => {
    expect(breakers('breaker: false')).toEqual([null, null]);
    expect(breakers('variants: { control: {}, candidate: { weight: 1%, breaker: false } }')).toEqual([
      standard,
      null,
    ]);
  });

  test('a fallback without one still counts for those who compare themselves, and opens never', () => {
    const bare = 'variants: { control: { breaker: false }, candidate: { weight: 1% } }';
    expect(breakers(bare)).toEqual([
      { ...standard, openForMaxMs: 60_000, errorRatio: null, mode: 'observe' },
      guarded,
    ]);
    expect(breakers(bare, 'breaker: { sharedOutage: trip }')?.[0]).toBeNull();
    expect(breakers(bare, 'breaker: { sharedOutage: trip, p99: 2 x control }')?.[0]).toMatchObject({
      errorRatio: null,
      watch: { levelsMs: [], hasHistogram: true },
    });
  });

  test('limits against the control arrive as a factor and what is added, beside those of their own', () => {
    const [control, candidate] =
      breakers(
        'breaker: { errorRate: [5%, 2 x control], slow: { threshold: 1s, rate: control + 5% }, p50: 200ms, p99: [1s, 1.3x control + 20ms], p99.9: control + 1s, confidence: 99.9% }',
      ) ?? [];
    const relaxed = { ratio: 0.999, surprise: expect.closeTo(8.52, 2) };
    expect(candidate).toMatchObject({
      errorRatio: 0.05,
      slow: { thresholdMs: 1000, ratio: 0.5 },
      compared: {
        confidence: relaxed,
        error: { factor: 2, plus: 0 },
        slow: { factor: 1, plus: 0.05 },
        quantiles: [
          { name: 'p50', share: 0.5, limit: { kind: 'fixed', ms: 200 } },
          { name: 'p99', share: 0.01, limit: { kind: 'fixed', ms: 1000 } },
          { name: 'p99', share: 0.01, limit: { kind: 'relative', factor: 1.3, plus: 20 } },
          { name: 'p99.9', share: 0.001, limit: { kind: 'relative', factor: 1, plus: 1000 } },
        ],
      },
      watch: { levelsMs: [200, 1000], hasHistogram: true },
    });
    expect(control).not.toHaveProperty('compared');
    expect(control).not.toHaveProperty('sharedOutage');
    expect(control?.watch).toEqual({ levelsMs: [200, 1000], hasHistogram: true });
  });

  test('a limit against the control alone leaves the 50 % there are by default', () => {
    expect(breakers('breaker: { errorRate: control + 1% }')?.[1]).toMatchObject({
      errorRatio: 0.5,
      compared: { error: { factor: 1, plus: 0.01 } },
    });
  });

  test('on a route of streams nothing takes too long', () => {
    const [control, candidate] =
      breakers('breaker: { errorRate: control + 1%, slow: { threshold: 1s, rate: 2 x control }, p99: 1s }') ??
      [];
    expect([patient(control!, 1000), patient(candidate!, 1000)]).toMatchObject([
      { slow: null },
      { slow: null, compared: { error: { factor: 1, plus: 0.01 }, slow: null, quantiles: [] } },
    ]);
    expect(patient(candidate!, 1000)).not.toHaveProperty('watch');
  });

  test('ratios and thresholds arrive as fractions and milliseconds', () => {
    const [, candidate] =
      breakers('breaker: { errorRate: 5%, slow: { threshold: 250ms, rate: 20% }, consecutiveFailures: 7 }') ??
      [];
    expect(candidate).toEqual({
      ...guarded,
      errorRatio: 0.05,
      slow: { thresholdMs: 250, ratio: 0.2 },
      consecutiveFailures: 7,
      watch: { levelsMs: [250], hasHistogram: false },
    });
  });

  test('a stall lasts as long as is said, or is left out', () => {
    const slowOf = (stall: string) =>
      breakers(`breaker: { slow: { threshold: 250ms, stall: ${stall} } }`)?.[1]?.slow;
    expect(slowOf('400ms')).toEqual({ thresholdMs: 250, ratio: 0.5, stallMs: 400 });
    expect(slowOf('off')).toEqual({ thresholdMs: 250, ratio: 0.5, stallMs: null });
  });

  test('the last resort opens at 50 % of errors at least, and not for slowness, unless it says so itself', () => {
    const declared = 'breaker: { errorRate: 5%, slow: { threshold: 250ms, rate: 20% } }';
    expect(breakers(declared)?.[0]).toMatchObject({ errorRatio: 0.5, slow: null });
    expect(breakers('breaker: { errorRate: 80% }')?.[0]).toMatchObject({ errorRatio: 0.8 });
    expect(breakers('breaker: { errorRate: off, consecutiveFailures: 5 }')?.[0]).toMatchObject({
      errorRatio: null,
    });
    const own =
      'variants: { control: { breaker: { errorRate: 5%, slow: { threshold: 1s, rate: 90% } } }, candidate: { weight: 1% } }';
    expect(breakers(declared, own)?.[0]).toMatchObject({
      errorRatio: 0.05,
      slow: { thresholdMs: 1000, ratio: 0.9 },
    });
  });

  test('the last resort opens for no row of failures, and no longer each time, unless it says so itself', () => {
    const declared = 'breaker: { consecutiveFailures: 5, openFor: 2s, openForMax: 30s }';
    const [control, candidate] = breakers(declared) ?? [];
    expect(control).toMatchObject({ consecutiveFailures: null, openForMs: 2000, openForMaxMs: 3000 });
    expect(candidate).toMatchObject({ consecutiveFailures: 5, openForMs: 2000, openForMaxMs: 30_000 });
    const own =
      'variants: { control: { breaker: { consecutiveFailures: 50, openForMax: 10s } }, candidate: { weight: 1% } }';
    expect(breakers(declared, own)?.[0]).toMatchObject({ consecutiveFailures: 50, openForMaxMs: 10_000 });
    expect(breakers('breaker: { openFor: 2s, openForMax: 2s }')?.[0]).toMatchObject({ openForMaxMs: 2000 });
  });

  test('a variant says only what differs, and off takes a criterion away', () => {
    const settings =
      'variants: { control: { breaker: { errorRate: off, slow: off, consecutiveFailures: off } }, candidate: { weight: 1%, breaker: { window: 2s } } }';
    const [control, candidate] =
      breakers('breaker: { slow: { threshold: 1s }, consecutiveFailures: 3 }', settings) ?? [];
    expect(control).toMatchObject({ errorRatio: null, slow: null, consecutiveFailures: null });
    expect(candidate).toMatchObject({
      windowMs: 2000,
      slow: { thresholdMs: 1000, ratio: 0.5 },
      consecutiveFailures: 3,
    });
  });
});

describe('what counts as a failure', () => {
  function rulesOf(...settings: string[]) {
    const route = snapshotOf(withExperiment(...settings)).routes.inbound.match('', '/', 'GET')!;
    return { own: route.failures, experiment: route.experiments[0]!.failures };
  }

  test('is 5xx and no answer, unless the experiment says otherwise', () => {
    const { own, experiment } = rulesOf('failures: { on: [429, connect], headers: { X-Error: "*" } }');
    expect([own.hasStatus(500), own.hasStatus(429), own.hasError('upstream_reset')]).toEqual([
      true,
      false,
      true,
    ]);
    expect([experiment.hasStatus(500), experiment.hasStatus(429)]).toEqual([false, true]);
    expect([experiment.hasError('upstream_reset'), experiment.hasError('upstream_connect_timeout')]).toEqual([
      false,
      true,
    ]);
    expect(experiment.fields).toEqual([{ name: 'x-error', value: null }]);
  });
});

describe('limits that are written wrong', () => {
  test.each([
    [
      'errorRate: control',
      'found control alone; write by how much it may be worse: control + 1%, or 1.3 x control',
    ],
    [
      'errorRate: control - 1%',
      '"control - 1%" compares with nothing; write control + 1%, 1.3 x control or both, where control is the fallback variant whatever its name',
    ],
    [
      'errorRate: 2 x baseline',
      '"2 x baseline" compares with nothing; write control + 1%, 1.3 x control or both, where control is the fallback variant whatever its name',
    ],
    ['errorRate: control + 1', '"1" has no %; write 1%'],
    ['errorRate: 0.5 x control', 'found 0.5 x control; expected from 1 to 1000'],
    ['p99: control + 1%', '"1%" is not a duration; write for example 250ms, 10s, 5m or 1m30s'],
    ['p99: 300', 'found the number 300; expected a duration such as 300ms, or 1.3 x control, or a list'],
    ['confidence: 50%', 'found 50%; expected from 90% to 99.9999%'],
    ['sharedOutage: hodl', 'found "hodl"; expected hold or trip; did you mean "hold"?'],
  ])('%s', (setting, said) => {
    const issues = issuesOf(withExperiment(`breaker: { ${setting} }`));
    expect(issues).toHaveLength(1);
    expect(issues[0]).toContain(said);
  });

  test('two of one kind in a list', () => {
    const issues = issuesOf(withExperiment('breaker: { errorRate: [5%, 10%] }'));
    expect(issues).toHaveLength(1);
    expect(issues[0]).toContain('found two limits of one kind');
  });

  test('the fallback compared with itself', () => {
    const variants = 'variants: { control: { breaker: { p99: 2 x control } }, candidate: { weight: 1% } }';
    const issues = issuesOf(withExperiment(variants));
    expect(issues).toHaveLength(1);
    expect(issues[0]).toContain(
      'this is the control that others are compared with; give it a limit of its own',
    );
  });
});
