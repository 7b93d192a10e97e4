/** What mirrored requests have shown, kept within bounds: noise, regressions, samples, and several records as one. */
import { describe, expect, it } from 'vitest';
import {
  type DiffForm,
  judgePath,
  mergeDiffs,
  NO_DIFFS,
  OTHER_PATHS,
  PATHS_MAX,
  SAMPLES_MAX,
} from '../../../../src/analysis/diff/diff-record.ts';
import { reportDiffs } from '../../../../src/analysis/diff/diff-report.ts';
import { addTo, answerOf, NO_ANSWER, recordOf } from '../../../support/diffs.ts';

const pathIn = (form: DiffForm, wanted: string) => form.paths.find(({ path }) => path === wanted);

describe('a record', () => {
  it('takes for noise where control differs from itself, after a few times', () => {
    const record = recordOf();
    const hits = [1, 2, 3, 4, 5].map((n) =>
      addTo(record, {
        control: answerOf({ at: n }),
        again: answerOf({ at: n + 10 }),
        candidate: answerOf({ at: n + 20 }),
      }),
    );
    expect(hits).toEqual([
      { control: true, candidate: true },
      { control: true, candidate: true },
      { control: true, candidate: true },
      { control: false, candidate: false },
      { control: false, candidate: false },
    ]);
  });

  it('finds a regression behind noise when the candidate differs far more often', () => {
    const record = recordOf();
    for (let n = 0; n < 200; n++) {
      const noisy = n % 20 === 0 ? 'x' : 'a';
      addTo(record, {
        control: answerOf({ v: 'a' }),
        again: answerOf({ v: noisy }),
        candidate: answerOf({ v: 'b' }),
      });
    }
    const form = record.toJSON();
    expect(pathIn(form, 'body /v')).toMatchObject({ noise: 10, differences: 200 });
    expect(reportDiffs(form).paths[0]!.kind).toBe('regression');
    expect(form.hits.candidate).toBeGreaterThan(150);
    expect(form.hits.control).toBeLessThanOrEqual(10);
  });

  it('counts a candidate that does not answer as different, and does not time it', () => {
    const record = recordOf();
    for (let n = 0; n < 20; n++)
      addTo(record, { control: answerOf({}), again: answerOf({}), candidate: NO_ANSWER });
    const report = reportDiffs(record.toJSON());
    expect(report).toMatchObject({
      verdict: { kind: 'regression' },
      latency: { control: { p50: 1 }, candidate: { p50: null } },
      bytes: { control: 2, candidate: null },
    });
  });

  it('has at most 500 paths, and counts the rest as one', () => {
    const record = recordOf();
    const bodyOf = (from: number) =>
      Object.fromEntries(Array.from({ length: 90 }, (_, index) => [`${letters(from + index)}`, 1]));
    for (let n = 0; n < 8; n++)
      addTo(record, { control: answerOf({}), again: answerOf({}), candidate: answerOf(bodyOf(90 * n)) });
    const { paths } = record.toJSON();
    expect(paths.length).toBeLessThanOrEqual(PATHS_MAX + 1);
    expect(pathIn(record.toJSON(), OTHER_PATHS)!.differences).toBe(3);
  });

  it('keeps types and digests of values, and values only when it is told to', () => {
    const answers = {
      control: answerOf({ secret: 'hunter2', gone: 1 }),
      again: answerOf({ secret: 'hunter2', gone: 1 }),
      candidate: answerOf({ secret: 12345678 }),
    };
    const [shy, open] = [recordOf(), recordOf({}, true)];
    addTo(shy, answers);
    addTo(open, answers);
    expect(JSON.stringify(shy.toJSON())).not.toMatch(/hunter2|12345678/);
    expect(pathIn(shy.toJSON(), 'body /secret')!.last).toEqual({
      control: { type: 'string', hash: '#9' },
      candidate: { type: 'number', hash: '#8' },
    });
    expect(pathIn(shy.toJSON(), 'body /gone')!.last!.candidate).toEqual({ type: 'nothing', hash: '' });
    expect(open.toJSON().samples.map(({ path, control, candidate }) => [path, control, candidate])).toEqual([
      ['body /secret', '"hunter2"', '12345678'],
      ['body /gone', '1', 'nothing'],
    ]);
  });

  it('keeps the last ten samples, cut, and no more than two of a path', () => {
    const record = recordOf({}, true);
    for (let n = 0; n < 9; n++) {
      const other = { [letters(n)]: 'y'.repeat(500), all: n };
      addTo(record, { control: answerOf({}), again: answerOf({}), candidate: answerOf(other) });
    }
    const { samples } = record.toJSON();
    expect(samples).toHaveLength(SAMPLES_MAX);
    expect(samples.filter(({ path }) => path === 'body /all')).toHaveLength(2);
    expect(Math.max(...samples.map(({ candidate }) => candidate.length))).toBeLessThan(210);
  });

  it('adds up with those of other processes, and survives being sent', () => {
    const records = [recordOf(), recordOf()];
    for (const record of records)
      for (let n = 0; n < 30; n++)
        addTo(record, {
          control: answerOf({ v: 1 }),
          again: answerOf({ v: 1 }),
          candidate: answerOf({ v: 2 }),
        });
    const sent = records.map((record) => JSON.parse(JSON.stringify(record)) as DiffForm);
    const merged = mergeDiffs(sent);
    expect(merged).toMatchObject({ compared: 60, hits: { control: 0, candidate: 60 } });
    expect(pathIn(merged, 'body /v')).toMatchObject({ noise: 0, differences: 60 });
    expect(reportDiffs(merged).latency.control.p50).toBeCloseTo(1, 1);
  });
});

describe('a path', () => {
  it('is a regression only beyond chance, by a fifth, and by 0.03 % of all', () => {
    expect(judgePath({ noise: 0, differences: 9 }, 100)).toBe('unclear');
    expect(judgePath({ noise: 0, differences: 10 }, 100)).toBe('regression');
    expect(judgePath({ noise: 100, differences: 100 }, 100)).toBe('noise');
    expect(judgePath({ noise: 90_000, differences: 100_000 }, 100_000)).toBe('noise');
    expect(judgePath({ noise: 0, differences: 20 }, 100_000)).toBe('unclear');
    expect(judgePath({ noise: 2, differences: 2 }, 100)).toBe('unclear');
  });
});

describe('a report', () => {
  it('says that there is nothing, that it is too early, and that nothing differs', () => {
    expect(reportDiffs(NO_DIFFS).verdict).toEqual({
      kind: 'insufficient',
      reason: 'nothing has been compared yet',
    });
    const verdictAt = (compared: number, candidate: number) =>
      reportDiffs({ ...NO_DIFFS, compared, hits: { control: 0, candidate } }).verdict;
    expect(verdictAt(100, 0).kind).toBe('insufficient');
    expect(verdictAt(3_000, 0).kind).toBe('none');
    expect(verdictAt(400, 40)).toEqual({
      kind: 'regression',
      reason: expect.stringMatching(/10% .* \(n=400\)$/),
    });
  });
});

/** Names without digits. */
function letters(n: number): string {
  return `n${[...String(n)].map((digit) => 'abcdefghij'[Number(digit)]).join('')}`;
}
