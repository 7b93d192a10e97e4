import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../../src/config/parse.ts';
import { snapshotOf } from '../../support/plane.ts';

const config = (route: string, variant: string) => `
version: 1
requireMetadata: false
upstreams: { v1: "127.0.0.1:9001", v2: "127.0.0.1:9002" }
routes: [{ name: api, upstream: v1, experiments: [ranking]${route} }]
experiments:
  ranking: { variants: { control: {}, candidate: { weight: 10%, upstream: v2${variant} } } }
`;
const issuesOf = (text: string) =>
  parseConfig(text, 'f.yaml').issues.map(({ severity, path, message }) => [severity, path, message]);

describe('a declared fault', () => {
  test('is compiled with its scope, in milliseconds and shares', () => {
    const { faults } = snapshotOf(
      config(
        ', fault: { delay: { duration: 300ms, jitter: 50ms, rate: 20% }, until: "2026-12-01T10:00:00Z" }',
        ', fault: { abort: { status: 503, rate: 5% }, reset: {}, when: { header: X-Game-Day, value: yes1 } }',
      ),
    );
    expect(faults).toEqual([
      {
        ...{ route: 'api', experiment: null, variant: null },
        fault: {
          delay: { durationMs: 300, jitterMs: 50, ratio: 0.2 },
          abort: null,
          reset: null,
          when: null,
        },
        untilWallMs: Date.UTC(2026, 11, 1, 10),
        untilMs: Number.POSITIVE_INFINITY,
      },
      {
        ...{ route: null, experiment: 'ranking', variant: 'candidate' },
        fault: {
          delay: null,
          abort: { status: 503, ratio: 0.05 },
          reset: { ratio: 1 },
          when: { header: 'x-game-day', value: 'yes1' },
        },
        untilWallMs: Number.POSITIVE_INFINITY,
        untilMs: Number.POSITIVE_INFINITY,
      },
    ]);
    expect(Object.isFrozen(faults[0]!.fault)).toBe(true);
  });

  test('without an end is warned of, where it stands', () => {
    const text = config(', fault: { reset: {} }', ', fault: { abort: { status: 500 } }');
    const message = 'this fault has no end, and requests fail until it is taken out; give it an until';
    expect(issuesOf(text)).toEqual([
      ['warning', 'routes[0].fault', message],
      ['warning', 'experiments.ranking.variants.candidate.fault', message],
    ]);
    expect(issuesOf(config(', fault: { reset: {}, until: "2026-12-01T10:00:00Z" }', ''))).toEqual([]);
  });

  test.each([
    ['{ until: "2026-12-01T10:00:00Z" }', 'a fault does something: give it a delay, an abort or a reset'],
    ['{ abort: { status: 200 } }', ''],
    ['{ abort: { rate: 5% } }', ''],
    ['{ delay: { duration: 0s } }', 'found 0s; it must be longer than 0'],
    ['{ reset: { rate: 0% } }', 'found 0%; it must be more than 0%'],
    ['{ reset: {}, for: 60s }', 'unknown key'],
  ])('%s is refused', (fault, message) => {
    const issues = issuesOf(config(`, fault: ${fault}`, ''));
    expect(issues).toHaveLength(1);
    expect(issues[0]![0]).toBe('error');
    expect(issues[0]![2]).toContain(message);
  });
});
