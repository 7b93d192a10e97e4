/** What was collected, over a restart. */
import { describe, expect, it } from 'vitest';
import { systemRandom } from '../../../src/base/clock.ts';
import { Analysis } from '../../../src/control/analysis.ts';
import { countsOf, experimentWith, NOW, newBench, settled, valuesOf } from '../../support/analysis-bench.ts';
import { snapshotOf, withExperiment } from '../../support/config.ts';

describe('over a restart', () => {
  /** Kept by one and taken up by another. */
  function restarted(bench: ReturnType<typeof newBench>, snapshot = experimentWith()) {
    const experiments = new Map(
      JSON.parse(JSON.stringify([...bench.analysis.forms()])) as [string, unknown][],
    );
    const said: string[] = [];
    const note = (_facts: object, sentence: string) => void said.push(sentence);
    const analysis = new Analysis({
      ...{ clock: { wallMs: () => NOW }, random: systemRandom, log: { info: note, warn: note } },
      kept: { key: bench.analysis.key, experiments },
    });
    analysis.adopt(snapshot);
    return { analysis, said };
  }

  function benchWithTwoSplits() {
    const bench = newBench(1, experimentWith('10%'));
    for (const weight of ['10%', '20%', '50%']) {
      const snapshot = experimentWith(weight);
      bench.analysis.adopt(snapshot);
      const [collector] = bench.collectorsFor(snapshot);
      for (let i = 0; i < 50; i++)
        collector!.add(
          settled(`u${i}`, i % 2, { latencyMs: i, outcome: i % 4, values: valuesOf(i - 20, 1) }),
        );
      bench.recorders[0]!.flush();
    }
    return bench;
  }

  it('all of it goes on, closed strata and open ones', () => {
    const bench = benchWithTwoSplits();
    const { analysis, said } = restarted(bench);
    expect(analysis.key).toEqual(bench.analysis.key);
    expect(said).toEqual([]);
    expect(countsOf(analysis.collected('ranking')!)).toEqual(countsOf(bench.collected()));
    expect(analysis.collected('ranking')!.spans).toEqual(bench.collected().spans);
    // Units are known again, and what comes goes where it went.
    const counts = analysis.post([
      { experiment: 'ranking', metric: 'sold', unit: 'u1', value: 1, atMs: null, id: null },
    ]);
    expect(counts.accepted).toBe(1);
    expect(analysis.collected('ranking')!.strata).toHaveLength(3);
  });

  it('nothing goes on that answers another question', () => {
    const other = snapshotOf(withExperiment('analysis: { metrics: [errors] }'));
    const { analysis, said } = restarted(benchWithTwoSplits(), other);
    expect(analysis.collected('ranking')!.strata).toEqual([]);
    expect(said).toEqual([
      'the numbers of ranking begin anew: they were to be forgotten, or what is analysed was changed',
    ]);
  });

  it('what is damaged anywhere is refused whole, with a sentence', () => {
    const [[name, form]] = [...benchWithTwoSplits().analysis.forms()] as [[string, object]];
    const text = JSON.stringify(form);
    const damages: [string, string][] = [
      ['"kind":"experiment-totals"', '"kind":"another"'],
      ['"requests":150', '"requests":-1'],
      ['"kind":"stratum-totals"', '"kind":1'],
      ['"failures":', '"successes":'],
      ['"shares":[500000,500000]', '"shares":[1000000]'],
      ['"kind":"unit-table"', '"kind":"table"'],
      ['"slices":[["inbound"]', '"slices":[[]'],
      ['"startMs"', '"start"'],
    ];
    for (const [from, to] of damages) {
      expect(text).toContain(from);
      const said: string[] = [];
      const note = (_facts: object, sentence: string) => void said.push(sentence);
      const analysis = new Analysis({
        ...{ clock: { wallMs: () => NOW }, random: systemRandom, log: { info: note, warn: note } },
        kept: { key: [1, 2], experiments: new Map([[name, JSON.parse(text.replace(from, to))]]) },
      });
      analysis.adopt(experimentWith());
      expect(analysis.collected('ranking')!.strata, from).toEqual([]);
      expect(said, from).toEqual([expect.stringContaining('begin anew: what was kept cannot be read (')]);
    }
  });
});
