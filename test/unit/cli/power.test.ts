/** `fairlead power`: what is typed, and what comes out. */
import { describe, expect, test } from 'vitest';
import { CliError, Exit } from '../../../src/cli/io.ts';
import { runProgram } from '../../../src/cli/program.ts';
import { Recorder } from '../../support/recorder.ts';

async function power(line: string) {
  const io = new Recorder();
  const code = await runProgram(['power', ...line.split(' ')], io);
  return { code, out: io.stdout, err: io.stderr };
}

describe('fairlead power', () => {
  test('prints observations, arms and the duration', async () => {
    const { code, out } = await power(
      '--baseline 5% --mde 0.5pp --split 50/50 --alpha 5% --power 80% --rate 100/s',
    );
    expect(code).toBe(Exit.ok);
    expect(out).toContain('proportion: 5% or 5.5% (+0.5 pp)');
    // The formula of R's power.prop.test.
    expect(out).toMatch(/one look, at the end +80% +62,468 +31,234 +31,234 +10 min/);
    expect(out).toMatch(/looks at any time +80% +142,242 /);
  });

  test('prints JSON with seconds, and counts the traffic of other variants in the duration', async () => {
    const { out } = await power('--baseline 5% --mde 10% --split 40/10 --rate 600/min -o json');
    const answer = JSON.parse(out);
    expect(answer).toMatchObject({
      metric: 'proportion',
      baseline: 0.05,
      alpha: 0.05,
      sides: 'two',
      tunedFor: 5000,
    });
    expect(answer.effect).toBeCloseTo(0.005, 12);
    const { observations, control, candidate, durationSeconds } = answer.oneLook;
    expect((control + candidate) / observations).toBeCloseTo(0.5, 3);
    expect(control / candidate).toBeCloseTo(4, 3);
    expect(durationSeconds).toBe(Math.ceil(observations / 10));
  });

  test.each([
    ['--metric mean --baseline 120ms --sd 80 --mde 5%', 'mean: 120 ms or 126 ms (+6 ms)'],
    ['--metric ratio --baseline 5% --per-unit 20 --correlation 0.1 --mde 10%', 'UNITS'],
    ['--metric ratio --baseline 80 --sd 40 --per-unit 20 --correlation 0.1 --mde 2', 'ratio: 80 or 82 (+2)'],
    ['--metric quantile --baseline 250ms --mde 10% --quantile 95%', 'p95: 250 ms or 275 ms (+25 ms)'],
    ['--baseline 5% --mde -1pp --one-sided', 'one way'],
  ])('understands %s', async (line, expected) => {
    expect((await power(line)).out).toContain(expected);
  });

  test.each([
    ['--baseline 5 --mde 1pp', '--baseline 5'],
    ['--baseline 5% --mde 0', '--mde 0'],
    ['--baseline 5% --mde 96pp', '--mde 96pp'],
    ['--metric mean --baseline 5 --sd 1 --mde 1pp', '--mde 1pp'],
    ['--metric mean --baseline 5 --mde 1', 'needs --sd'],
    ['--metric ratio --baseline 5% --mde 1pp --per-unit 3', 'needs --correlation'],
    ['--metric ratio --baseline 5% --mde 1pp --per-unit 3 --correlation 2', '--correlation 2'],
    ['--baseline 5% --mde 1pp --split 60/60', '--split 60/60'],
    ['--baseline 5% --mde 1pp --rate 5', '--rate 5'],
    ['--baseline 5% --mde 1pp --alpha 60%', '--alpha 60%'],
    ['--baseline 5% --mde 1pp --power 20%', '--power 20%'],
  ])('refuses %s', async (line, expected) => {
    const failure = await power(line).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(CliError);
    expect((failure as CliError).exitCode).toBe(Exit.usage);
    expect((failure as CliError).message).toContain(expected);
  });
});
