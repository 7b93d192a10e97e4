/** What was collected of an experiment is forgotten: by the one writer of the rules, and as any change of what is analysed. */
import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemRandom } from '../../../src/base/clock.ts';
import { Analysis } from '../../../src/control/analysis.ts';
import type { KeptAnalysis } from '../../../src/control/analysis-file.ts';
import { ConfigHistory } from '../../../src/control/config-history.ts';
import { ExperimentResults } from '../../../src/control/experiment-results.ts';
import type { ControlState } from '../../../src/control/state.ts';
import { Recorder } from '../../../src/telemetry/collection/recorder.ts';
import { silentLog } from '../../../src/telemetry/log.ts';
import { Counter } from '../../../src/telemetry/series.ts';
import { FAILURE, settled } from '../../support/analysis-bench.ts';
import { ControlFolder, halfAndHalf, START_MS } from '../../support/control.ts';

const FORGET = { kind: 'forget-results', experiment: 'ranking', reason: 'v2.1 is out' } as const;

/** A sidecar's control plane with what it collects; the clock goes on by hand. */
class Bench {
  readonly control: ControlState;
  readonly analysis: Analysis;
  readonly results: ExperimentResults;
  readonly recorder: Recorder;
  nowMs = 0;

  private constructor(control: ControlState, kept: KeptAnalysis | null) {
    this.control = control;
    const clock = { now: () => this.nowMs, wallMs: () => START_MS + this.nowMs };
    this.analysis = new Analysis({ clock, random: systemRandom, log: silentLog, kept });
    this.analysis.adopt(control.snapshot);
    control.subscribe((next) => this.analysis.adopt(next));
    this.results = new ExperimentResults({
      source: this.analysis,
      snapshot: () => control.snapshot,
      clock,
    });
    this.recorder = new Recorder({
      key: this.analysis.key,
      take: (delta) => this.analysis.take(delta, 'worker 1'),
      dropped: new Counter(),
      malformed: new Counter(),
    });
  }

  static async open(folder: ControlFolder, kept: KeptAnalysis | null = null): Promise<Bench> {
    return new Bench(await folder.open(), kept);
  }

  /** As those who carry the traffic do under the rules of now. */
  collector(experiment = 'ranking') {
    const { analyses, experiments } = this.control.snapshot;
    const { digest, measures } = analyses.get(experiment)!;
    const { epoch, variants } = experiments.get(experiment)!;
    const shares = variants.map(({ weightPpm }) => weightPpm);
    return this.recorder.collector({ experiment, route: 'all', digest, epoch, shares, measures });
  }

  /** A second later, one request of each of so many users: every other gets the candidate, which fails. */
  collect(users: number, collector = this.collector()): void {
    this.nowMs += 1_000;
    for (let user = 0; user < users; user++) {
      const variant = user % 2;
      collector.add(settled(`u${user}`, variant, variant === 1 ? { outcome: FAILURE } : {}));
    }
    this.recorder.flush();
  }

  kept(): KeptAnalysis {
    const forms = JSON.parse(JSON.stringify([...this.analysis.forms()])) as [string, unknown][];
    return { key: this.analysis.key, experiments: new Map(forms) };
  }

  verdict(): string {
    this.nowMs += 60_000;
    return this.results.of('ranking')!.verdict.kind;
  }

  /** Why its numbers are not to be believed, as a scrape has it. */
  causes() {
    return this.results.trust().find(({ experiment }) => experiment === 'ranking')!.causes;
  }

  amount(experiment = 'ranking') {
    return this.results.amountOf(experiment);
  }
}

const NOTHING = { since: null, requests: 0, units: 0 };
let folder: ControlFolder;
let bench: Bench;

/** With `other` beside `ranking`. */
function declare(ranking = 'analysis: { metrics: [errors] }'): void {
  const variants = 'variants: { control: {}, candidate: { weight: 50% } }';
  const text = `version: 1
upstreams: { app: "127.0.0.1:9001" }
stateFile: ${folder.stateFile}
requireMetadata: false
experiments:
  ranking: { ${variants}, ${ranking} }
  other: { ${variants}, analysis: {} }
`;
  writeFileSync(folder.file, text);
}

beforeEach(async () => {
  folder = new ControlFolder();
  declare();
  bench = await Bench.open(folder);
});
afterEach(async () => {
  await folder.remove();
});

describe('what was collected and is to be forgotten', () => {
  test('is in no result any more, whatever had been found and however lately it was looked at', () => {
    bench.collect(400);
    expect(bench.amount()).toEqual({
      since: new Date(START_MS + 1_000).toISOString(),
      requests: 400,
      units: 400,
    });
    expect(bench.results.of('ranking')!.verdict.kind).toBe('breach');
    expect(bench.control.change(FORGET, 'operator:ann').ok).toBe(true);
    expect(bench.results.of('ranking')).toMatchObject({
      state: 'empty',
      since: null,
      verdict: { kind: 'insufficient', reason: 'no requests yet' },
      comparisons: [],
      invalid: [],
    });
    expect(bench.amount()).toEqual(NOTHING);
  });

  test('does not come back with what was under way, nor from a worker that has not heard of it', () => {
    const before = bench.collector();
    bench.collect(400);
    bench.control.change(FORGET, 'operator:ann');
    bench.collect(400, before);
    expect(bench.amount()).toEqual(NOTHING);
    bench.collect(10);
    expect(bench.amount()).toMatchObject({ requests: 10, units: 10 });
  });

  test('does not make the shares of the units wrong for good', () => {
    const collector = bench.collector();
    for (let user = 0; user < 400; user++) collector.add(settled(`u${user}`, 0));
    bench.recorder.flush();
    expect(bench.verdict()).toBe('invalid');
    expect(bench.causes()).toContain('shares');
    bench.control.change(FORGET, 'operator:ann');
    bench.collect(20);
    expect(bench.results.of('ranking')!.shares.p).toBeGreaterThan(0.1);
    expect(bench.causes()).not.toContain('shares');
  });

  test('makes units that come again new ones, which have been on one variant', () => {
    bench.collect(400);
    const collector = bench.collector();
    for (let user = 0; user < 400; user++) collector.add(settled(`u${user}`, (user + 1) % 2));
    bench.recorder.flush();
    expect(bench.results.of('ranking')!.crossover.state).toBe('breach');
    bench.control.change(FORGET, 'operator:ann');
    bench.collect(400);
    expect(bench.results.of('ranking')!.crossover).toMatchObject({ share: 0 });
  });

  test('does not come back after a restart, also when the process was killed before it kept that', async () => {
    bench.collect(400);
    const before = bench.kept();
    bench.control.change(FORGET, 'operator:ann');
    bench.collect(30);
    const after = bench.kept();
    await bench.control.flush();
    bench = await Bench.open(folder, before);
    expect(bench.amount()).toEqual(NOTHING);
    bench = await Bench.open(folder, after);
    expect(bench.amount()).toMatchObject({ requests: 30 });
  });

  test('stays forgotten through other changes, a reload and a second time', async () => {
    bench.collect(400);
    bench.control.change(FORGET, 'operator:ann');
    bench.collect(30);
    bench.control.change({ ...halfAndHalf, weightsPpm: { candidate: 200_000 } }, 'operator:ann');
    bench.control.change({ kind: 'clear', experiment: 'ranking', reason: 'back' }, 'operator:ann');
    declare('analysis: { metrics: [errors] }, hypothesis: said anew');
    expect(await bench.control.reload('file')).toMatchObject({ ok: true, changed: true });
    expect(bench.amount()).toMatchObject({ requests: 30 });
    bench.control.change(FORGET, 'operator:ann');
    expect(bench.amount()).toEqual(NOTHING);
  });

  test('is that of one experiment; the others go on', () => {
    bench.collect(400);
    bench.collect(50, bench.collector('other'));
    bench.control.change(FORGET, 'operator:ann');
    expect(bench.amount('other')).toMatchObject({ requests: 50 });
  });
});

describe('forgetting', () => {
  test('is on record with who and why, and in the history of the rules', () => {
    const history = new ConfigHistory(bench.control, { wallMs: () => START_MS });
    bench.control.change(FORGET, 'operator:ann');
    expect(folder.events.at(-1)).toMatchObject({
      ...{ kind: 'audit', action: 'forget-results', target: 'ranking', actor: 'operator:ann' },
      ...{ reason: 'v2.1 is out', before: 'what was collected', after: 'nothing' },
    });
    expect(history.list()[0]).toMatchObject({
      by: 'operator:ann',
      reason: 'v2.1 is out',
      changes: ['ranking: its analysis begins anew'],
    });
  });

  test('is refused for an experiment without an analysis', async () => {
    declare('status: running');
    await bench.control.reload('file');
    expect(bench.control.change(FORGET, 'operator:ann')).toMatchObject({
      ok: false,
      code: 'not_analysed',
      message: 'the experiment ranking has no analysis',
    });
  });

  test('never happens by an update: what a release before it has kept goes on', async () => {
    bench.collect(400);
    const kept = bench.kept();
    await bench.control.flush();
    const text = readFileSync(folder.stateFile, 'utf8');
    expect(text).toContain('"forgets": 0');
    writeFileSync(folder.stateFile, text.replaceAll(/,\s*"forgets": 0/g, ''));
    bench = await Bench.open(folder, kept);
    expect(folder.warnings()).toEqual([]);
    expect(bench.amount()).toMatchObject({ requests: 400, units: 400 });
  });
});
