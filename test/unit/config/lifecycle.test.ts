/** Status, dates, metadata, protected routes and prerequisites: mistakes with their place, and what is compiled. */
import { describe, expect, test } from 'vitest';
import { formatIssue } from '../../../src/config/issue.ts';
import { parseConfig } from '../../../src/config/parse.ts';
import { parseTimestamp } from '../../../src/config/timestamp.ts';
import { conditionOf } from '../../../src/experiment/lifecycle.ts';
import { issuesOf, minimal, snapshotOf, withExperiment } from '../../support/config.ts';

const two = '{ variants: { control: {}, candidate: { weight: 10% } }';

describe('mistakes', () => {
  test.each([
    [
      'a conclusion without a winner',
      withExperiment('status: concluded'),
      '6:13: experiments.ranking.status: a concluded experiment names who has won: winner: VARIANT',
    ],
    [
      'a winner that is not there',
      withExperiment('status: concluded', 'winner: candidat'),
      '7:13: experiments.ranking.winner: there is no variant "candidat"; did you mean "candidate"?',
    ],
    [
      'an expiry to a winner that nobody names',
      withExperiment('endsAt: 2026-12-01T00:00:00Z', 'onExpiry: winner'),
      '7:15: experiments.ranking.onExpiry: there is no winner; name it: winner: VARIANT',
    ],
    [
      'an expiry without an end',
      withExperiment('onExpiry: control'),
      '6:15: experiments.ranking.onExpiry: without endsAt it never expires; give endsAt or leave onExpiry out',
    ],
    [
      'an end before the start',
      withExperiment('startsAt: 2026-12-01T00:00:00Z', 'endsAt: 2026-12-01T00:30:00+01:00'),
      '7:13: experiments.ranking.endsAt: endsAt is not after startsAt',
    ],
    [
      'a date without an offset',
      withExperiment('startsAt: 2026-12-01T00:00:00'),
      '6:15: experiments.ranking.startsAt: "2026-12-01T00:00:00" has no offset; end it with Z or +01:00',
    ],
    [
      'a protected route that is not there',
      minimal('routes: [{ name: payments }]', 'protect: [payment]'),
      '4:11: protect[0]: there is no route "payment"; did you mean "payments"?',
    ],
    [
      'an experiment on a protected route',
      minimal(
        'routes: [{ name: payments, experiments: [a] }]',
        'protect: [payments]',
        `experiments: { a: ${two} } }`,
      ),
      '5:16: experiments.a: the route "payments" is protected, and an experiment on it needs allowProtected: { approvedBy: NAME, reason: TEXT }',
    ],
    [
      'an approval by nobody',
      withExperiment('allowProtected: { reason: tested for a month }'),
      '6:21: experiments.ranking.allowProtected.approvedBy: this key is missing; expected text',
    ],
    [
      'a prerequisite that is not there',
      withExperiment('requires: [{ experiment: rankin, variant: candidate }]'),
      '6:30: experiments.ranking.requires[0].experiment: there is no experiment "rankin"; did you mean "ranking"?',
    ],
  ])('%s', (_name, text, said) => {
    expect(issuesOf(text)).toEqual([said]);
  });

  test('an approval lets an experiment onto a protected route', () => {
    const text = minimal(
      'routes: [{ name: payments, experiments: [a] }]',
      'protect: [payments]',
      `experiments: { a: ${two}, allowProtected: { approvedBy: anna, reason: tested for a month } } }`,
    );
    expect(issuesOf(text)).toEqual([]);
    expect(snapshotOf(text).experiments.get('a')?.approval).toEqual({
      approvedBy: 'anna',
      reason: 'tested for a month',
    });
  });

  test('the one route of a file without routes can be protected too', () => {
    expect(issuesOf(minimal('protect: [all]', `experiments: { a: ${two} } }`)).join()).toContain(
      'the route "all" is protected',
    );
  });
});

describe('prerequisites', () => {
  /** Experiments by name, with what each requires. */
  function chain(requires: Record<string, string[]>): string {
    return minimal(
      'experiments:',
      ...Object.entries(requires).map(([name, others]) => {
        const list = others.map((other) => `{ experiment: ${other}, variant: candidate }`);
        return `  ${name}: ${two}, requires: [${list.join(', ')}] }`;
      }),
    );
  }

  test('a variant that the other one does not have is named', () => {
    const text = minimal(
      `experiments: { a: ${two} }, b: ${two}, requires: [{ experiment: a, variant: [control, canddate] }] } }`,
    );
    expect(issuesOf(text)).toEqual([
      expect.stringMatching(
        /^3:\d+: experiments\.b\.requires\[0\]\.variant: a has no variant "canddate"; did you mean "candidate"\?$/,
      ),
    ]);
  });

  test('a circle is told once, whoever leads into it', () => {
    expect(issuesOf(chain({ x: ['a'], a: ['b'], b: ['c'], c: ['a'] }))).toEqual([
      expect.stringMatching(
        /^5:\d+: experiments\.a\.requires: a requires b requires c requires a, which is a circle$/,
      ),
    ]);
    expect(issuesOf(chain({ a: ['a'] }))).toEqual([
      expect.stringMatching(/experiments\.a\.requires: a requires a, which is a circle$/),
    ]);
  });

  test('eight may stand one behind the other, and no more', () => {
    const links = (count: number) =>
      Object.fromEntries(
        Array.from({ length: count }, (_, i) => [`e${i}`, i + 1 < count ? [`e${i + 1}`] : []]),
      );
    expect(issuesOf(chain(links(9)))).toEqual([]);
    expect(issuesOf(chain(links(10)))).toEqual([
      expect.stringMatching(/experiments\.e0\.requires: more than 8 experiments stand one behind the other$/),
    ]);
  });

  test('one in the same layer can never be met, which is told', () => {
    const text = minimal(
      'layers: { l: {} }',
      'experiments:',
      `  a: ${two}, layer: l, range: 0%-50% }`,
      `  b: ${two}, layer: l, range: 50%-60%, requires: [{ experiment: a, variant: candidate }] }`,
    );
    expect(issuesOf(text)).toEqual([
      expect.stringMatching(
        /^6:\d+: warning: experiments\.b\.requires\[0\]: a is in the same layer, so no unit is in both$/,
      ),
    ]);
  });

  test('an experiment on no route is not told of when another one requires it', () => {
    const text = minimal(
      'routes: [{ name: all, experiments: [b] }]',
      `experiments: { a: ${two} }, b: ${two}, requires: [{ experiment: a, variant: candidate }] } }`,
    );
    expect(issuesOf(text)).toEqual([]);
    const [route] = snapshotOf(text).routes.inbound.all;
    expect(route?.order?.map(({ name }) => name)).toEqual(['a', 'b']);
  });
});

describe('what an experiment is for', () => {
  const said = (text: string) => parseConfig(text, 'f').issues.map(formatIssue);
  const all = ['owner: o', 'hypothesis: h', 'successCriteria: s', 'rollbackPlan: r'];

  test('what is missing outside draft is a warning, an error when it is required, or nothing', () => {
    const text = withExperiment('owner: o', 'rollbackPlan: r');
    const place = 'f:4:3: ';
    const message =
      'experiments.ranking: hypothesis, successCriteria: missing; outside draft an experiment says what it is for';
    expect(said(text)).toEqual([`${place}warning: ${message}`]);
    expect(said(`${text}requireMetadata: true\n`)).toEqual([place + message]);
    expect(said(`${text}requireMetadata: false\n`)).toEqual([]);
  });

  test('with all of it, and in a draft, nothing is said', () => {
    expect(said(`${withExperiment(...all)}requireMetadata: true\n`)).toEqual([]);
    expect(said(`${withExperiment('status: draft')}requireMetadata: true\n`)).toEqual([]);
  });
});

describe('what is compiled', () => {
  test('dates are milliseconds, and who gets everyone afterwards is a variant', () => {
    const dates = ['startsAt: 2026-11-01T09:00:00+01:00', 'endsAt: 2026-12-01T00:00Z'];
    const compiled = (...more: string[]) =>
      snapshotOf(withExperiment(...dates, ...more)).experiments.get('ranking');
    const { schedule, fallback } = compiled()!;
    expect(schedule?.startsAtMs).toBe(Date.UTC(2026, 10, 1, 8));
    expect(schedule?.endsAtMs).toBe(Date.UTC(2026, 11, 1));
    expect(schedule?.afterwards).toBe(fallback);
    expect(compiled('onExpiry: winner', 'winner: candidate')?.schedule?.afterwards.name).toBe('candidate');
    expect(snapshotOf(withExperiment()).experiments.get('ranking')?.schedule).toBe(null);
  });

  /** As it is when it was first seen at the beginning of 2026. */
  const seen = (...settings: string[]) => {
    const seenAt = '2026-01-01T00:00:00.000Z';
    const known = { salt: 'ranking', status: null, weights: null, slots: [], epoch: 1, seenAt, forgets: 0 };
    const runtime = { experiments: new Map([['ranking', known]]) };
    return snapshotOf(withExperiment(...settings), runtime).experiments.get('ranking')!;
  };

  test('it is stale so long after its start, or after it was first seen, or never', () => {
    const staleAt = (...settings: string[]) => seen(...settings).staleAtMs;
    expect(staleAt()).toBe(Date.UTC(2026, 0, 91));
    expect(staleAt('staleAfter: 30d')).toBe(Date.UTC(2026, 0, 31));
    expect(staleAt('staleAfter: 30d', 'startsAt: 2026-02-01T00:00:00Z')).toBe(Date.UTC(2026, 2, 3));
    expect(staleAt('staleAfter: off')).toBe(Number.POSITIVE_INFINITY);
  });

  test('it ends when it has been stale for as long as is said, if it does not end before', () => {
    expect(seen('staleAfter: 30d').schedule).toBeNull();
    const fallsBack = seen('staleAfter: 30d', 'fallBackAfter: 14d');
    expect(fallsBack.schedule?.endsAtMs).toBe(Date.UTC(2026, 0, 45));
    expect(conditionOf(fallsBack, Date.UTC(2026, 0, 44))).toBe('stale');
    expect(conditionOf(fallsBack, Date.UTC(2026, 0, 45))).toBe('ended');
    const winner = seen('fallBackAfter: 1d', 'onExpiry: winner', 'winner: candidate');
    expect(winner.schedule).toMatchObject({
      endsAtMs: Date.UTC(2026, 0, 92),
      afterwards: { name: 'candidate' },
    });
    const before = seen('fallBackAfter: 1d', 'endsAt: 2026-02-01T00:00:00Z');
    expect(before.schedule?.endsAtMs).toBe(Date.UTC(2026, 1, 1));
    expect(issuesOf(withExperiment('staleAfter: off', 'fallBackAfter: 1d'))).toEqual([
      expect.stringContaining('fallBackAfter: with staleAfter: off it is never stale'),
    ]);
  });
});

test('points in time are those of the calendar', () => {
  const read = (text: string) => {
    const result = parseTimestamp(text);
    return result.ok ? result.value : null;
  };
  expect(read('2028-02-29T23:59:59.5-05:30')).toBe(Date.UTC(2028, 2, 1, 5, 29, 59, 500));
  for (const bad of [
    '2026-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-00-10T00:00:00Z',
    '2026-01-00T00:00:00Z',
    '2026-01-01T24:01:00Z',
    '2026-01-01T00:60:00Z',
    '2026-01-01',
    '2026-01-01 00:00:00Z',
    'tomorrow',
    '',
  ])
    expect([bad, read(bad)]).toEqual([bad, null]);
});
