/** What is kept of the last hour and the last half hour. */
import { describe, expect, it } from 'vitest';
import { KNOWN_MAX, KnownIds } from '../../../../src/analysis/collection/known-ids.ts';
import { POINTS_MAX, RecentHistory } from '../../../../src/analysis/collection/recent-history.ts';
import { RecentSpans } from '../../../../src/analysis/collection/recent-spans.ts';
import { findInvalidities } from '../../../../src/analysis/validity.ts';

const START = 1_700_000_040_000;
const MINUTE = 60_000;

describe('spans', () => {
  it('are whole minutes from the first one with anything in it, silent ones among them', () => {
    const spans = new RecentSpans();
    expect(spans.list(START)).toEqual([]);
    spans.add(5, START + 1000);
    spans.add(6, START + 59_999);
    expect(spans.list(START + 59_999)).toEqual([]);
    spans.add(7, START + 2 * MINUTE);
    expect(spans.list(START + 3 * MINUTE).map(({ observations }) => observations)).toEqual([11, 0, 7]);
  });

  it('are those of the last hour, after days without any as well', () => {
    const spans = new RecentSpans();
    for (let minute = 0; minute < 100; minute++) spans.add(1, START + minute * MINUTE);
    expect(spans.list(START + 99 * MINUTE)).toHaveLength(60);
    const nowMs = START + 7 * 24 * 60 * MINUTE;
    const later = spans.list(nowMs);
    expect(later).toHaveLength(60);
    expect(later.at(-1)!.endMs).toBe(nowMs);
    expect(later.slice(1).every(({ observations }) => observations === 0)).toBe(true);
  });

  it('tell a gap from a minute that has just begun', () => {
    const spans = new RecentSpans();
    for (let second = 0; second < 600; second++) spans.add(10, START + second * 1000);
    const found = (nowMs: number) =>
      findInvalidities({ spans: spans.list(nowMs), nowMs, skewMs: 0 }).map(({ cause }) => cause);
    expect(found(START + 600_000)).toEqual([]);
    expect(found(START + 601_000)).toEqual([]);
    expect(found(START + 600_000 + 6 * MINUTE)).toContain('gap');
  });
});

describe('the history', () => {
  it('has points of five seconds with counts and quantiles of each variant', () => {
    const history = new RecentHistory(2);
    for (let i = 1; i <= 100; i++) history.add(0, 0, i, START);
    history.add(0, 1, 50, START);
    history.add(1, 3, 9000, START + 4999);
    expect(history.list(START + 4999)).toEqual([]);
    history.add(1, 2, 700, START + 12_000);
    const [first, second, third] = history.list(START + 15_000);
    expect(first).toMatchObject({
      atMs: START,
      variants: [{ requests: 101, failures: 1, slow: 0 }, { requests: 1 }],
    });
    expect(first!.variants[0]!.p50! / 50).toBeCloseTo(1, 2);
    expect(first!.variants[0]!.p99! / 99).toBeCloseTo(1, 2);
    expect(first!.variants[1]!.p50).toBeNull();
    expect(second!.variants.map(({ requests }) => requests)).toEqual([0, 0]);
    expect(third!.variants[1]).toMatchObject({ requests: 1, slow: 1 });
  });

  it('has half an hour of them, after a silence as well', () => {
    const history = new RecentHistory(1);
    for (let i = 0; i < 1000; i++) history.add(0, 0, 1, START + i * 5000);
    const points = history.list(START + 5_000_000);
    expect([points.length, points.at(-1)!.atMs]).toEqual([POINTS_MAX, START + 4_995_000]);
    const silent = history.list(START + 9_000_000_000);
    expect([silent.length, silent.at(-1)!.atMs]).toEqual([POINTS_MAX, START + 8_999_995_000]);
  });
});

describe('a clock that is set back', () => {
  it('holds up neither spans nor points', () => {
    const [spans, history] = [new RecentSpans(), new RecentHistory(1)];
    for (const nowMs of [START, START - 60 * MINUTE, START - 58 * MINUTE]) {
      spans.add(1, nowMs);
      history.add(0, 0, 1, nowMs);
    }
    expect(spans.list(START - 57 * MINUTE).at(-1)!.endMs).toBe(START - 57 * MINUTE);
    expect(history.list(START - 57 * MINUTE).at(-1)!.atMs).toBe(START - 57 * MINUTE - 5000);
  });
});

describe('ids that came before', () => {
  it('are known until many others have come, in bounded memory', () => {
    const ids = new KnownIds();
    expect([ids.isKnown(1), ids.isKnown(1), ids.isKnown(2)]).toEqual([false, true, false]);
    for (let id = 3; id < KNOWN_MAX; id++) ids.isKnown(id);
    expect(ids.isKnown(1)).toBe(true);
    for (let id = 0; id < 2 * KNOWN_MAX; id++) ids.isKnown(KNOWN_MAX + id);
    expect(ids.isKnown(1)).toBe(false);
  });
});
