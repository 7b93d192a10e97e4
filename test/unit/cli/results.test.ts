/** `fairlead results`: what is asked, what is shown, and how it ends. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Results } from '../../../src/analysis/results/results.ts';
import { type CliError, Exit } from '../../../src/cli/io.ts';
import { runProgram } from '../../../src/cli/program.ts';
import { overviewText, type ResultsStyle, resultsText } from '../../../src/cli/results-text.ts';
import { type AdminBench, configWith, newAdminBench, TOKEN } from '../../support/admin.ts';
import { MadeUpExperiment } from '../../support/collected.ts';
import { Recorder } from '../../support/recorder.ts';
import { exampleResults } from '../../support/results-example.ts';

const PLAIN: ResultsStyle = { by: 'assigned', isWide: false, isColoured: false, width: null };

describe('fairlead results', () => {
  let bench: AdminBench;
  let admin: string;

  beforeEach(async () => {
    bench = await newAdminBench();
    admin = await bench.app.listen({ host: '127.0.0.1', port: 0 });
  });
  afterEach(() => bench.close());

  async function run(...words: string[]): Promise<{ code: number; out: string; err: string }> {
    const io = new Recorder();
    const code = await runProgram(['results', ...words, '--admin', admin], io).catch((error: CliError) => {
      io.err(error.message);
      return error.exitCode;
    });
    return { code, out: io.stdout, err: io.stderr };
  }

  /** A thousand users; every so many-th of the candidate's fails. */
  function collect(failing: number, skewMs = 0): void {
    const experiment = new MadeUpExperiment([0.85, 0.1, 0.05], ['control', 'candidate', 'other']);
    experiment.skewMs = skewMs;
    for (let unit = 0; unit < 4000; unit++) {
      const variant = unit % 20 < 17 ? 0 : unit % 20 < 19 ? 1 : 2;
      const isFailure = variant === 1 && failing > 0 && unit % failing === 0;
      experiment.add({ unit, variant, isFailure, ms: 10 + (unit % 7), atMs: 1_699_999_940_000 + unit });
    }
    bench.analysed.experiment = experiment;
  }

  it('ends with 1 when a guardrail is breached, and says what to do first', async () => {
    collect(1);
    const { code, out } = await run('ranking');
    expect(code).toBe(Exit.negative);
    expect(out).toMatch(/^ranking: breach\ntake it back: candidate: errors: worse by more than 1 pp: 100%/);
    expect(out).toMatch(/^METRIC +ROLE +CONTROL +CANDIDATE +DIFFERENCE +INTERVAL +VERDICT$/m);
    expect(out).toMatch(/^METRIC +ROLE +CONTROL +OTHER /m);
  });

  it('ends with 1 when the numbers are not to be believed', async () => {
    collect(0, 90_000);
    const { code, out } = await run('ranking');
    expect(code).toBe(Exit.negative);
    expect(out).toMatch(/^ranking: invalid\nhold, the numbers are not to be believed: clocks differ by 90 s/);
    expect(out).toMatch(/^invalid +clocks differ by 90 s \(at most 60 s\)$/m);
  });

  it('ends with 0 while it is not known yet, and without an analysis', async () => {
    expect(await run('ranking')).toMatchObject({
      code: Exit.ok,
      out: expect.stringMatching(/^ranking: off\nnothing is collected: /),
    });
    collect(0);
    bench.advance(1001);
    expect((await run('ranking')).code).toBe(Exit.ok);
  });

  it('without a name has a line for each experiment, and ends with 1 when one of them is bad', async () => {
    collect(1);
    const { code, out } = await run();
    expect(code).toBe(Exit.negative);
    expect(out).toMatch(/^ranking +breach +take it back: .*\n$/);
    expect(JSON.parse((await run('-o', 'json')).out)).toMatchObject([
      { experiment: 'ranking', verdict: { kind: 'breach' } },
    ]);
  });

  it('as JSON is what the admin API says', async () => {
    collect(1);
    const answer = (await fetch(`${admin}/v1/experiments/ranking/results`)).json();
    expect(JSON.parse((await run('ranking', '-o', 'json')).out)).toEqual(await answer);
  });

  describe('--forget', () => {
    const forget = (...words: string[]) =>
      run(...words, '--forget', '--reason', 'v2.1 is out', '--token', TOKEN);

    beforeEach(async () => {
      bench.writeConfig(configWith('salt: ranking-1', 'salt: ranking-1\n    analysis: {}'));
      expect((await bench.control.reload('file')).ok).toBe(true);
    });

    it('says what is forgotten and ends with 0, whatever had been found', async () => {
      collect(1);
      expect(await forget('ranking')).toEqual({
        code: Exit.ok,
        out: '',
        err: 'ranking: 4,000 requests of 4,000 units since 2023-11-14T22:12:20.000Z are forgotten; its analysis begins anew\n',
      });
      expect(JSON.parse((await forget('ranking', '-o', 'json')).out)).toMatchObject({
        experiment: 'ranking',
        reason: 'v2.1 is out',
        forgotten: { requests: 4000, units: 4000 },
      });
      expect(bench.control.runtime.experiments.get('ranking')!.forgets).toBe(2);
    });

    it('says that there was nothing', async () => {
      bench.analysed.experiment = new MadeUpExperiment([1]);
      const { code, err } = await forget('ranking');
      expect({ code, err }).toEqual({
        code: Exit.ok,
        err: 'ranking: nothing was collected yet; its analysis begins anew\n',
      });
    });

    it('needs the experiment, its analysis and a token', async () => {
      expect(await forget()).toMatchObject({
        code: Exit.usage,
        err: '--forget needs the experiment: fairlead results NAME --forget',
      });
      expect(await forget('rankin')).toMatchObject({
        code: Exit.negative,
        err: expect.stringContaining('there are ranking'),
      });
      expect((await run('ranking', '--forget')).code).toBe(Exit.refused);
      bench.writeConfig(configWith('service: checkout', 'service: checkout'));
      await bench.control.reload('file');
      expect(await forget('ranking')).toMatchObject({
        code: Exit.usage,
        err: expect.stringMatching(/^The experiment ranking has no analysis; nothing is collected/),
      });
    });
  });

  it('of what is not there says what there is', async () => {
    expect(await run('rankin')).toMatchObject({
      code: Exit.negative,
      err: expect.stringContaining('there are ranking'),
    });
  });
});

describe('the text of results', () => {
  const results = exampleResults();
  const lines = (style: Partial<ResultsStyle>, of: Results = results) =>
    resultsText(of, { ...PLAIN, ...style }).split('\n');

  it('fits a terminal of 80 columns', () => {
    expect(Math.max(...lines({ width: 80 }).map(({ length }) => length))).toBeLessThanOrEqual(80);
    expect(Math.max(...lines({}).map(({ length }) => length))).toBeGreaterThan(120);
  });

  it('has colours only when they are wanted, and lines up without counting them', () => {
    const start = '\u001b';
    expect(lines({}).join('')).not.toContain(start);
    const coloured = lines({ isColoured: true });
    expect(coloured[0]).toBe(`ranking: ${start}[32mbetter${start}[0m`);
    const without = coloured.map((line) => line.replaceAll(/\u001b\[\d+m/g, ''));
    expect(without).toEqual(lines({}));
  });

  it('says in full why, with what was counted, when it is wide', () => {
    const wide = lines({ isWide: true }).join('\n');
    expect(wide).toMatch(/^latency +goal +6,562 +1.67% +1 ms +units /m);
    expect(wide).toMatch(/^p99 +goal +15,500 +1.67% +5 ms +requests, assigned /m);
    expect(wide).toMatch(/^ {2}errors: not worse by more than 1 pp: /m);
  });

  it('shows no control character of somebody else', () => {
    const [comparison] = results.comparisons;
    const evil = { ...results, comparisons: [{ ...comparison!, variant: 'x\u001b[2Jy' }] };
    expect(lines({}, evil).join('\n')).toContain('X?[2JY');
  });

  it('of all is one line each, cut where the terminal ends', () => {
    const all = [results, { ...results, experiment: 'a-longer-name' }];
    const text = overviewText(all, { ...PLAIN, width: 60 });
    const rows = text.trimEnd().split('\n');
    expect(rows.map((row) => row.length)).toEqual([60, 60]);
    expect(rows[0]).toMatch(/^ranking {9}better {3}candidate is better: .*…$/);
    expect(overviewText([], PLAIN)).toBe('no experiments\n');
  });
});
