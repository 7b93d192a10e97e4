/** From requests that are taken down to what results are made of, without sockets. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AGENTS } from '../../../src/analysis/collection/delta.ts';
import { systemRandom } from '../../../src/base/clock.ts';
import { Analysis } from '../../../src/control/analysis.ts';
import { Recorder, ROWS_MAX } from '../../../src/telemetry/collection/recorder.ts';
import { silentLog } from '../../../src/telemetry/log.ts';
import { Counter } from '../../../src/telemetry/series.ts';
import {
  countsOf,
  experimentWith,
  FAILURE,
  IGNORED,
  NOW,
  newBench,
  settled,
  valuesOf,
} from '../../support/analysis-bench.ts';
import { snapshotOf, withExperiment } from '../../support/config.ts';

describe('what is collected', () => {
  it('is counted by what was assigned and by what served, and by unit', () => {
    const { collectors, collected } = newBench();
    const [collector] = collectors;
    collector!.add(settled('a', 0));
    collector!.add(
      settled('a', 0, { outcome: FAILURE, latencyMs: 30, servedMs: 30, values: valuesOf(5, 1) }),
    );
    // The candidate failed and the control served: 50 ms for the client, of which 20 were the control's.
    collector!.add(settled('b', 1, { served: 0, latencyMs: 50, servedMs: 20, values: valuesOf(7, 1) }));
    collector!.add(settled('b', 1, { outcome: IGNORED, latencyMs: 9000, values: valuesOf(-1, 1) }));
    collector!.add(settled(null, 1, { reason: 2 }));
    const [stratum] = collected().strata;
    expect(stratum).toMatchObject({ epoch: 1, shares: [500_000, 500_000], fromMs: NOW, toMs: NOW });
    const [control, candidate] = stratum!.assigned;
    expect(control).toMatchObject({ requests: 2, failures: 1, ignored: 0 });
    expect(control!.latency).toMatchObject({ count: 2, mean: 20 });
    expect(candidate).toMatchObject({ requests: 3, failures: 0, ignored: 1 });
    expect(candidate!.latency).toMatchObject({ count: 2, mean: 30 });
    expect(candidate!.metrics.get('cost')!.moments).toMatchObject({ count: 2, mean: 3 });
    expect(candidate!.metrics.get('cost')!.distribution).toBeNull();
    expect(stratum!.served[0]).toMatchObject({ requests: 3 });
    expect(stratum!.served[0]!.latency.mean).toBeCloseTo(20, 9);
    const { arms, followedShare, crossed, dimensions } = stratum!.units;
    expect({ followedShare, crossed, dimensions }).toEqual({ followedShare: 1, crossed: 0, dimensions: [] });
    expect(arms.map(({ units, dealt, distinct }) => [units, dealt, distinct])).toEqual([
      [1, 1, 1],
      [1, 1, 1],
    ]);
    const sums = (arm: number, name: string) => {
      const { units, numerator, denominator } = arms[arm]!.sums.get(name)!;
      return [units, numerator, denominator];
    };
    expect(sums(0, 'errors')).toEqual([1, 1, 2]);
    expect(sums(0, 'latency')).toEqual([1, 40, 2]);
    expect(sums(1, 'latency')).toEqual([1, 50, 1]);
    expect(sums(1, 'bytes')).toEqual([1, 100, 1]);
    expect(sums(0, 'cost')).toEqual([1, 5, 1]);
  });

  it('says of a unit which variant came first, and that there was another', () => {
    const { collectors, collected } = newBench();
    for (const assigned of [1, 0, 0]) collectors[0]!.add(settled('a', assigned));
    collectors[0]!.add(settled('b', 0, { reason: 1 }));
    const { arms, crossed } = collected().strata[0]!.units;
    expect(crossed).toBe(1);
    expect(arms.map(({ units, dealt }) => [units, dealt])).toEqual([
      [1, 0],
      [1, 1],
    ]);
    expect(arms[1]!.sums.get('latency')!.denominator).toBe(3);
  });

  it('has the units that were dealt out by where they came from, where there is more than one place', () => {
    const { collectors, collected } = newBench(2);
    collectors[0]!.add(settled('a', 0));
    collectors[1]!.add(settled('b', 1, { agent: AGENTS.indexOf('bot') }));
    collectors[1]!.add(settled('a', 0));
    collectors[1]!.add(settled('c', 1, { reason: 2 }));
    expect(collected().strata[0]!.units.dimensions).toEqual([
      {
        name: 'worker',
        slices: [
          { name: 'worker 1', counts: [1, 0] },
          { name: 'worker 2', counts: [0, 1] },
        ],
      },
      {
        name: 'agent',
        slices: [
          { name: 'library', counts: [1, 0] },
          { name: 'bot', counts: [0, 1] },
        ],
      },
    ]);
  });

  it('is the same whichever process has carried what, and however often each has told', () => {
    const request = fc.record({
      unit: fc.integer({ min: 0, max: 5 }).map((unit) => (unit === 0 ? null : `u${unit}`)),
      served: fc.integer({ min: 0, max: 1 }),
      outcome: fc.integer({ min: 0, max: 3 }),
      latencyMs: fc.integer({ min: 0, max: 5000 }),
      cost: fc.option(fc.integer({ min: 0, max: 50 }), { nil: Number.NaN }),
      process: fc.integer({ min: 0, max: 2 }),
      isTold: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(request, { maxLength: 60 }), (requests) => {
        const one = newBench(1);
        const three = newBench(3);
        for (const { unit, process, isTold, cost, latencyMs, ...rest } of requests) {
          // A unit has one variant, so that it does not matter which request of it came first.
          const assigned = unit === null ? 0 : unit.charCodeAt(1) % 2;
          const values = valuesOf(cost, Number.NaN);
          const row = settled(unit, assigned, { ...rest, latencyMs, servedMs: latencyMs, values });
          one.collectors[0]!.add(row);
          three.collectors[process]!.add(row);
          if (isTold) three.recorders[process]!.flush();
        }
        expect(countsOf(three.collected())).toEqual(countsOf(one.collected()));
      }),
    );
  });

  it('begins a new stratum with another split, and still knows those of before', () => {
    const bench = newBench();
    bench.collectors[0]!.add(settled('a', 0));
    bench.recorders[0]!.flush();
    const next = experimentWith('80%');
    bench.analysis.adopt(next);
    bench.advance(1000);
    // One of before was under way, and comes late.
    bench.collectors[0]!.add(settled('b', 0));
    const [collector] = bench.collectorsFor(next);
    collector!.add(settled('a', 1));
    const { strata, doubts } = bench.collected();
    expect(strata.map(({ shares }) => shares[1])).toEqual([500_000, 800_000]);
    expect(strata.map(({ units }) => units.arms.map(({ units: count }) => count))).toEqual([
      [2, 0],
      [0, 1],
    ]);
    expect(strata.map(({ units }) => units.crossed)).toEqual([0, 0]);
    expect(doubts).toEqual([]);
  });

  it('keeps the last 32 splits, closes all but two, and says what it has let go', () => {
    const bench = newBench(1, experimentWith('1%'));
    for (let percent = 1; percent <= 40; percent++) {
      const snapshot = experimentWith(`${percent}%`);
      bench.analysis.adopt(snapshot);
      const [collector] = bench.collectorsFor(snapshot);
      collector!.add(settled('a', 0));
      bench.recorders[0]!.flush();
    }
    const { strata, doubts } = bench.collected();
    expect(strata).toHaveLength(32);
    expect(strata.map(({ units }) => units.arms[0]!.units)).toEqual(new Array(32).fill(1));
    expect(doubts).toEqual(['only the last 32 splits are kept; 8 before them are left out']);
    // What comes for one that is closed comes too late.
    bench.collectorsFor(experimentWith('20%'))[0]!.add(settled('b', 0));
    expect(bench.collected().doubts[1]).toBe('1 of 41 requests are not in the numbers');
  });

  it('begins anew when what is asked is changed, and forgets what is no longer analysed', () => {
    const bench = newBench();
    bench.collectors[0]!.add(settled('a', 0));
    expect(bench.collected().strata).toHaveLength(1);
    const other = snapshotOf(withExperiment('analysis: { metrics: [{ name: errors, margin: 2% }] }'));
    bench.analysis.adopt(other);
    // Of requests under the old rules nothing is counted.
    bench.collectors[0]!.add(settled('a', 0));
    expect(bench.collected().strata).toEqual([]);
    bench.analysis.adopt(snapshotOf(withExperiment()));
    expect([bench.analysis.collected('ranking'), bench.analysis.plan('ranking')]).toEqual([null, null]);
  });

  it('is handed over when a batch is full; what nobody takes is lost, counted and said', () => {
    const bench = newBench();
    for (let i = 0; i < ROWS_MAX; i++) bench.collectors[0]!.add(settled(`u${i}`, 0));
    expect(bench.analysis.collected('ranking')!.strata[0]!.assigned[0]!.requests).toBe(ROWS_MAX);
    bench.refuse(true);
    for (let i = 0; i < 10; i++) bench.collectors[0]!.add(settled(`u${i}`, 0));
    bench.recorders[0]!.flush();
    bench.refuse(false);
    bench.collectors[0]!.add(settled('a', 0));
    expect(bench.collected().doubts).toEqual(['10 of 523 requests are not in the numbers']);
    expect(bench.dropped.value).toBe(10);
  });
});

describe('what cannot be added up', () => {
  it('is lost and told of, and no request fails for it', () => {
    const said: string[] = [];
    const note = (_facts: object, sentence: string) => void said.push(sentence);
    const analysis = new Analysis({
      ...{ clock: { wallMs: () => NOW }, random: systemRandom, log: { info: note, warn: note } },
    });
    const snapshot = experimentWith();
    analysis.adopt(snapshot);
    const { digest, measures } = snapshot.analyses.get('ranking')!;
    const subject = {
      experiment: 'ranking',
      route: 'api',
      digest,
      epoch: 1,
      shares: [500_000, 500_000],
      measures,
    };
    const facts = Uint16Array.of(0, 9, 9, 0, 0, 0, 0);
    const delta = {
      subjects: [subject],
      listeners: ['in'],
      rows: 1,
      facts,
      numbers: new Float64Array(9),
      dropped: 0,
    };
    expect(analysis.take(delta, 'worker 1')).toBe(false);
    expect(said).toEqual(['what was collected cannot be added up; this is a bug']);
  });
});

describe('many experiments', () => {
  it('follow fewer units each, in halves', () => {
    const followed = (experiments: number) => {
      const entries = Array.from(
        { length: experiments },
        (_, i) => `  e${i}: { variants: { control: {}, candidate: { weight: 50% } }, analysis: {} }`,
      );
      const snapshot = snapshotOf(
        `version: 1\nrequireMetadata: false\nupstreams: { app: "127.0.0.1:9001" }\nexperiments:\n${entries.join('\n')}\n`,
      );
      return newBench(1, snapshot, 'e0');
    };
    for (const [experiments, limit] of [
      [32, 32_768],
      [33, 16_384],
    ] as const) {
      const bench = followed(experiments);
      for (let unit = 0; unit < limit; unit++) bench.collectors[0]!.add(settled(`u${unit}`, 0));
      bench.recorders[0]!.flush();
      expect(bench.analysis.samples()[0]!.unitsFollowed).toBe(limit);
      bench.collectors[0]!.add(settled('one more', 0));
      bench.recorders[0]!.flush();
      expect(Math.abs(bench.analysis.samples()[0]!.unitsFollowed / limit - 0.5)).toBeLessThan(0.02);
    }
  });
});

describe('an event', () => {
  const event = (unit: string, more: object = {}) => ({
    ...{ experiment: 'ranking', metric: 'sold', unit, value: 3, atMs: null, id: null },
    ...more,
  });

  it('is of the variant that its unit has, also when the split has changed since', () => {
    const bench = newBench();
    bench.collectors[0]!.add(settled('a', 1));
    bench.recorders[0]!.flush();
    bench.analysis.adopt(experimentWith('80%'));
    expect(bench.analysis.post([event('a'), event('a'), event('nobody')])).toEqual({
      ...{ accepted: 2, unknown: 1, duplicate: 0, notFollowed: 0 },
    });
    const [stratum] = bench.collected().strata;
    expect(stratum!.assigned[1]!.metrics.get('sold')!.moments).toMatchObject({ count: 2, mean: 3 });
    expect(stratum!.units.arms[1]!.sums.get('sold')).toMatchObject({
      units: 1,
      numerator: 6,
      denominator: 1,
    });
  });

  it('is known again by its id, in its experiment and for its metric', () => {
    const bench = newBench();
    bench.collectors[0]!.add(settled('a', 1));
    bench.recorders[0]!.flush();
    const counts = bench.analysis.post([
      event('a', { id: '1' }),
      event('a', { id: '1' }),
      event('a', { id: '2' }),
    ]);
    expect(counts).toMatchObject({ accepted: 2, duplicate: 1 });
  });

  it('whose time is ahead of ours tells how far the clocks differ; one that is late does not', () => {
    const bench = newBench();
    bench.analysis.post([event('a', { atMs: NOW - 3_600_000 })]);
    expect(bench.collected().skewMs).toBe(0);
    bench.analysis.post([event('a', { atMs: NOW + 90_000 }), event('a', { atMs: NOW + 5 })]);
    expect(bench.collected().skewMs).toBe(90_000);
    // An hour later it is forgiven.
    bench.advance(3_600_001);
    expect(bench.collected().skewMs).toBe(0);
  });

  it('of an experiment or a metric that is not there is refused, and none is counted', () => {
    const bench = newBench();
    bench.collectors[0]!.add(settled('a', 1));
    bench.recorders[0]!.flush();
    const said = (more: object) => () => bench.analysis.post([event('a'), event('a', more)]);
    expect(said({ experiment: 'other' })).toThrow('the experiment "other" is not here, or has no analysis');
    expect(said({ metric: 'cost' })).toThrow('ranking has no metric "cost" of events; it has sold');
    expect(bench.collected().strata[0]!.assigned[1]!.metrics.get('sold')!.moments.count).toBe(0);
  });
});

describe('two experiments', () => {
  const TWO = `
version: 1
requireMetadata: false
upstreams: { app: "127.0.0.1:9001" }
routes: [{ name: api, match: { path: /* }, experiments: [one, two] }]
experiments:
  one: { variants: { control: {}, candidate: { weight: 50% } }, analysis: { metrics: [latency] } }
  two: { variants: { control: {}, other: { weight: 50% } }, analysis: {} }
`;

  it('are joined by the units that are in both', () => {
    const snapshot = snapshotOf(TWO);
    const analysis = new Analysis({ clock: { wallMs: () => NOW }, random: systemRandom, log: silentLog });
    analysis.adopt(snapshot);
    const recorder = new Recorder({
      key: analysis.key,
      take: (delta) => analysis.take(delta, 'worker 1'),
      dropped: new Counter(),
      malformed: new Counter(),
    });
    const [one, two] = ['one', 'two'].map((experiment) => {
      const { digest, measures } = snapshot.analyses.get(experiment)!;
      return recorder.collector({
        ...{ experiment, route: 'api', digest, epoch: 1, shares: [500_000, 500_000], measures },
      });
    });
    for (let unit = 0; unit < 100; unit++) {
      one!.add(settled(`u${unit}`, unit % 2, { latencyMs: 5 }));
      if (unit < 40) two!.add(settled(`u${unit}`, unit < 30 ? 0 : 1, { latencyMs: 900 }));
    }
    recorder.flush();
    const [pair] = analysis.pairs('one');
    expect(pair).toMatchObject({ other: 'two', otherVariants: ['control', 'other'], otherFallback: 0 });
    expect(pair!.cells.map((row) => row.map(({ units }) => units))).toEqual([
      [15, 5],
      [15, 5],
    ]);
    expect(pair!.cells[0]![0]!.sums.get('latency')).toMatchObject({ numerator: 75, denominator: 15 });
    expect(analysis.pairs('two')[0]!.cells[0]![0]!.sums.get('latency')!.numerator).toBe(15 * 900);
  });
});
