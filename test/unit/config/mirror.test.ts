/** Mirroring as it is written. */
import { describe, expect, it, test } from 'vitest';
import { compileMirrors, shareOfMirrors } from '../../../src/config/compile-mirror.ts';
import { configOf, issuesOf, withExperiment } from '../../support/config.ts';

const THREE = 'variants: { control: {}, candidate: { weight: 10% }, other: { weight: 10% } }';
const settingsOf = (...lines: string[]) => compileMirrors(configOf(withExperiment(...lines))).get('ranking');

describe('a mirror', () => {
  it('is careful when only a share is said', () => {
    expect(settingsOf('mirror: { share: 5% }')).toEqual({
      experiment: 'ranking',
      control: 'control',
      candidate: 'candidate',
      share: 0.05,
      methods: ['GET', 'HEAD'],
      concurrency: 4,
      rate: { perSecond: 10, burst: 10 },
      timeoutMs: 5000,
      bodyMaxBytes: 65_536,
      compare: { headers: null, ignoreHeaders: [], ignorePaths: [] },
      hasSamples: false,
    });
    expect(settingsOf()).toBeUndefined();
  });

  it('has methods that change something only under a contract', () => {
    const contract = 'contract: { methods: [POST], reason: search, approvedBy: ann }';
    expect(settingsOf(`mirror: { share: 5%, methods: [GET], ${contract} }`)!.methods).toEqual([
      'GET',
      'POST',
    ]);
    expect(issuesOf(withExperiment('mirror: { share: 5%, methods: [GET, POST] }')).join('\n')).toContain(
      'POST may change something, and would be done three more times',
    );
    expect(
      issuesOf(
        withExperiment('mirror: { share: 5%, contract: { methods: [GET], reason: r, approvedBy: a } }'),
      ).join('\n'),
    ).toContain('GET needs no contract');
  });

  test.each([
    [[THREE, 'mirror: { share: 5% }'], 'say which variant is tried: of: candidate'],
    [['mirror: { share: 5%, of: candidat }'], 'there is no variant "candidat"; did you mean "candidate"?'],
    [['mirror: { share: 5%, of: control }'], 'control is the fallback'],
    [['mirror: { share: 0% }'], 'it must be more than 0%'],
    [['mirror: { share: 5%, compare: { ignorePaths: [took] } }'], '"took" is no JSON pointer'],
    [['mirror: { share: 5%, bodyMax: 2MiB }'], 'expected from 1024 to 1048576 bytes'],
    [
      ['rollout: { guardrails: [{ metric: regressions, margin: 1% }] }'],
      'a guardrail of regressions needs a mirror',
    ],
    [
      ['rollout: { steps: [{ share: 5%, guardrails: [{ metric: regressions, limit: 1% }] }] }'],
      'a guardrail of regressions needs a mirror',
    ],
  ])('is refused as %j', (lines, said) => {
    expect(issuesOf(withExperiment(...lines)).join('\n')).toContain(said);
  });

  it('names one of several variants, and is the guardrail of a rollout', () => {
    expect(settingsOf(THREE, 'mirror: { share: 5%, of: other }')!.candidate).toBe('other');
    expect(
      issuesOf(
        withExperiment(
          'mirror: { share: 5% }',
          'rollout: { guardrails: [{ metric: regressions, margin: 1%, limit: 5% }] }',
        ),
      ),
    ).toEqual([]);
  });

  it('is shared out to workers, of whom none has nothing', () => {
    const config = configOf(withExperiment('mirror: { share: 5%, rate: 3/s, concurrency: 3 }'));
    const part = shareOfMirrors(compileMirrors(config), 2).get('ranking');
    expect(part).toMatchObject({ share: 0.05, concurrency: 2, rate: { perSecond: 1.5, burst: 2 } });
    expect(shareOfMirrors(compileMirrors(config), 8).get('ranking')).toMatchObject({
      concurrency: 1,
      rate: { perSecond: 0.375, burst: 1 },
    });
  });
});
