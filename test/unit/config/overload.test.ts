/** Limits on load as they are written: what is read, what is compiled, what is said of mistakes. */
import { describe, expect, it } from 'vitest';
import { formatRate, parseRate } from '../../../src/config/rate.ts';
import { issuesOf, minimal, snapshotOf } from '../../support/config.ts';

/** One upstream, one route `all`, one experiment, each with lines of its own. */
function file({ upstream = '', route = '', candidate = '', more = '' }): string {
  return `version: 1
upstreams: { app: { endpoints: ["127.0.0.1:9001"]${upstream} } }
routes: [{ name: all, upstream: app, experiments: [ranking]${route} }]
experiments:
  ranking: { unit: [{ cookie: sid }], variants: { control: {}, candidate: { weight: 10%${candidate} } } }
${more}
`;
}

function rulesOf(parts: Parameters<typeof file>[0]) {
  return snapshotOf(file(parts)).overload;
}

describe('a rate', () => {
  it.each([
    ['100/s', 100],
    ['600/m', 10],
    ['36/h', 0.01],
    ['0.5/s', 0.5],
    ['86400/d', 1],
  ])('%s is %d a second', (text, perSecond) => {
    expect(parseRate(text)).toEqual({ ok: true, value: perSecond });
  });

  it.each(['100', '100/ms', '/s', '-1/s', '1e3/s', '100 / s', ''])('%j is none, and says what is', (text) => {
    expect(parseRate(text)).toMatchObject({ ok: false, problem: expect.stringContaining('100/s or 600/m') });
  });

  it.each(['0/s', '2000000/s'])('%s is beyond what there may be', (text) => {
    expect(parseRate(text)).toEqual({
      ok: false,
      problem: `found ${text}; expected more than 0 and up to 1000000 a second`,
    });
  });

  it('is written in the unit in which it is at least one', () => {
    expect([100, 0.5, 0.01, 1 / 86_400].map(formatRate)).toEqual(['100/s', '30/m', '36/h', '1/d']);
  });
});

describe('a concurrency limit', () => {
  it('is a number, adaptive, or adaptive with numbers of its own', () => {
    const of = (text: string) => rulesOf({ upstream: `, concurrency: ${text}` })!.upstreams.get('app');
    expect(of('50')).toEqual({ kind: 'fixed', max: 50 });
    const adaptive = { kind: 'adaptive', initial: 20, min: 20, max: 200, queue: 4, tolerance: 1.5 };
    expect(of('adaptive')).toEqual(adaptive);
    expect(of('{ max: 400, tolerance: 2 }')).toEqual({ ...adaptive, max: 400, tolerance: 2 });
  });

  it('of a variant goes by its experiment and its name', () => {
    const rules = rulesOf({ candidate: ', concurrency: 5' })!;
    expect([...rules.variants]).toEqual([['ranking/candidate', { kind: 'fixed', max: 5 }]]);
  });

  it('says when its numbers are not in order', () => {
    const text = file({ upstream: ', concurrency: { initial: 10, min: 20 }' });
    expect(issuesOf(text)).toEqual([
      expect.stringContaining(
        'upstreams.app.concurrency: min 20, initial 10 and max 200 are not in this order',
      ),
    ]);
  });
});

describe('a concurrency limit below what the breaker needs to judge', () => {
  const issues = (candidate: string, breaker: string) =>
    issuesOf(file({ candidate }).replace('variants:', `breaker: ${breaker}, variants:`));
  const slow = 'slow: { threshold: 250ms, rate: 20% }';

  it('is warned of, since calls that hang are never enough', () => {
    expect(issues(', concurrency: 10', `{ ${slow} }`)).toEqual([
      expect.stringContaining(
        'experiments.ranking.variants.candidate.concurrency: 10 is less than the 20 calls that the breaker needs',
      ),
    ]);
  });

  it('is not where it would make no difference', () => {
    expect(issues(', concurrency: 20', `{ ${slow} }`)).toEqual([]);
    expect(issues(', concurrency: 10', `{ ${slow}, minimumRequests: 10 }`)).toEqual([]);
    expect(issues(', concurrency: 10', '{ errorRate: 5% }')).toEqual([]);
    expect(issues(', concurrency: 10, breaker: { slow: off }', `{ ${slow} }`)).toEqual([]);
  });
});

describe('a rate limit', () => {
  const of = (text: string) => rulesOf({ route: `, rateLimit: ${text}` })!.routeRates.get('all');

  it('has a burst of what comes in within a second, unless it says otherwise', () => {
    expect(of('{ rate: 100/s }')).toEqual({
      settings: { perSecond: 100, burst: 100, entriesMax: 0 },
      by: null,
      isRefusing: true,
    });
    expect(of('{ rate: 30/m }')!.settings.burst).toBe(1);
    expect(of('{ rate: 100/s, burst: 500 }')!.settings.burst).toBe(500);
  });

  it('by unit goes by the unit of the first experiment of the route, or by sources of its own', () => {
    expect(of('{ rate: 1/s, by: unit }')).toMatchObject({
      settings: { entriesMax: 100_000 },
      by: [{ kind: 'cookie', name: 'sid' }],
    });
    expect(of('{ rate: 1/s, by: { header: X-Api-Key }, entries: 500 }')).toMatchObject({
      settings: { entriesMax: 500 },
      by: [{ kind: 'header', name: 'x-api-key' }],
    });
  });

  it('of a variant lets the fallback serve what is beyond it, unless it says refuse', () => {
    const variant = (text: string) =>
      rulesOf({ candidate: `, rateLimit: ${text}` })!.variantRates.get('ranking/candidate');
    expect(variant('{ rate: 1/s, by: unit }')).toMatchObject({
      isRefusing: false,
      by: [{ kind: 'cookie', name: 'sid' }],
    });
    expect(variant('{ rate: 1/s, over: refuse }')).toMatchObject({ isRefusing: true, by: null });
  });

  it('by unit needs an experiment on its route', () => {
    const text = minimal('routes: [{ name: all, rateLimit: { rate: 1/s, by: unit } }]');
    expect(issuesOf(text)).toEqual([
      expect.stringContaining('no experiment is on this route, so there is no unit'),
    ]);
  });

  it.each([
    ['request', 'a new unit for every request is never limited'],
    ['{ claim: /sub }', 'no token is verified and there is never a claim'],
    ['{ path: id }', 'the path of this route has no {id}, so all its requests share one limit'],
  ])('by %s is told what is wrong with it', (by, sentence) => {
    const text = minimal(`routes: [{ name: all, rateLimit: { rate: 1/s, by: ${by} } }]`);
    expect(issuesOf(text)).toEqual([expect.stringContaining(sentence)]);
  });

  it('of the fallback can only refuse, and a warning says so', () => {
    const text = file({}).replace('control: {}', 'control: { rateLimit: { rate: 1/s } }');
    expect(issuesOf(text)).toEqual([expect.stringContaining('what is beyond the limit is answered 429')]);
    expect(issuesOf(text.replace('1/s', '1/s, over: refuse'))).toEqual([]);
  });
});

describe('overload', () => {
  const load = (text: string) => snapshotOf(minimal(`overload: ${text}`)).overload?.load;

  it('is a delay, and memory as a share or a size', () => {
    const none = { delayMs: null, memoryBytes: null, memoryRatio: null, heapRatio: null };
    expect(load('{ eventLoopDelay: 100ms }')).toEqual({ ...none, delayMs: 100 });
    expect(load('{ memory: 90% }')).toEqual({ ...none, memoryRatio: 0.9, heapRatio: 0.9 });
    expect(load('{ memory: 400MiB }')).toEqual({ ...none, memoryBytes: 400 * 1024 * 1024 });
  });

  it.each([
    ['{ memory: 0% }', 'found 0%; it must be more than 0%'],
    ['{ memory: 120% }', '"120%" is more than 100%'],
    ['{ memory: 1MiB }', 'found 1MiB; expected from 16777216 to'],
    ['{ memory: much }', '"much" is not a size'],
    ['{ eventLoopDelay: 0ms }', 'it must be longer than 0'],
  ])('%s is refused with a sentence', (text, sentence) => {
    expect(issuesOf(minimal(`overload: ${text}`))).toEqual([expect.stringContaining(sentence)]);
  });

  it('without a signal sheds nothing, and a warning says so', () => {
    expect(issuesOf(minimal('overload: {}'))).toEqual([expect.stringContaining('nothing is ever shed')]);
  });

  it('of less memory than an idle process has sheds for ever, and a warning says so', () => {
    const issues = (memory: string, workers: number) =>
      issuesOf(minimal(`overload: { memory: ${memory} }`, `workers: ${workers}`));
    expect(issues('60MiB', 1)).toEqual([expect.stringContaining('60 MiB: about what a process has')]);
    expect(issues('150MiB', 2)).toEqual([expect.stringContaining('75 MiB, that is for each of 2 workers')]);
    expect([...issues('100MiB', 1), ...issues('200MiB', 2), ...issues('90%', 2)]).toEqual([]);
  });

  it('knows which routes come last', () => {
    const text = minimal('overload: { eventLoopDelay: 100ms }', 'routes: [{ name: pay }]', 'protect: [pay]');
    expect([...snapshotOf(text).overload!.protect]).toEqual(['pay']);
  });
});

it('nothing is limited unless it is configured', () => {
  expect(rulesOf({})).toBeNull();
});
