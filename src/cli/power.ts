/**
 * `fairlead power`: how many observations, and how long, before an experiment starts. Arithmetic on what is typed; asks
 * no sidecar and reads no file. docs/power.md explains the numbers.
 */
import { type SampleSize, sampleSize } from '../analysis/power.ts';
import { countInWords, differenceInWords, durationInWords, inWords } from '../analysis/wording.ts';
import { Exit, type Io } from './io.ts';
import { type PowerInput, type PowerOptions, readPower } from './power-input.ts';
import { table } from './table.ts';

interface Row {
  readonly control: number;
  readonly candidate: number;
  /** Of all variants, others included. */
  readonly observations: number;
  readonly durationSeconds: number | null;
}

/** @throws CliError for options that make no sense together. */
export function powerCommand(options: PowerOptions, io: Io): number {
  const input = readPower(options);
  const sizes = sampleSize(input);
  const rows: Record<keyof SampleSize, Row | null> = {
    oneLook: rowOf(sizes.oneLook, input),
    sequentialHalf: rowOf(sizes.sequentialHalf, input),
    sequential: rowOf(sizes.sequential, input),
  };
  io.out(
    options.output === 'json'
      ? `${JSON.stringify(toJson(options, input, rows), null, 2)}\n`
      : toText(options, input, rows),
  );
  return Exit.ok;
}

function rowOf(
  compared: number | null,
  { candidateShare, comparedShare, ratePerSecond }: PowerInput,
): Row | null {
  if (compared === null) return null;
  const control = Math.ceil(compared * (1 - candidateShare));
  const candidate = Math.ceil(compared * candidateShare);
  const observations = Math.ceil((control + candidate) / comparedShare);
  return {
    control,
    candidate,
    observations,
    durationSeconds: ratePerSecond === null ? null : Math.ceil(observations / ratePerSecond),
  };
}

function toJson(options: PowerOptions, input: PowerInput, rows: Record<keyof SampleSize, Row | null>) {
  const { baseline, effect, power, settings } = input;
  return { metric: options.metric, baseline, effect, power, ...settings, ...rows };
}

function toText(
  options: PowerOptions,
  input: PowerInput,
  rows: Record<keyof SampleSize, Row | null>,
): string {
  const { baseline, effect, unit, power, settings } = input;
  const [found, alpha] = [inWords(power, 'share'), inWords(settings.alpha, 'share')];
  const lines = [
    ['one look, at the end', found, ...cellsOf(rows.oneLook)],
    ['looks at any time', '50%', ...cellsOf(rows.sequentialHalf)],
    ['looks at any time', found, ...cellsOf(rows.sequential)],
  ];
  const counted = options.metric === 'ratio' ? 'UNITS' : 'OBSERVATIONS';
  return [
    `${nameOf(options)}: ${inWords(baseline, unit)} or ${inWords(baseline + effect, unit)} (${differenceInWords(effect, unit)})`,
    `a false alarm in ${alpha} of experiments, ${settings.sides === 'two' ? 'both ways' : 'one way'}\n`,
    table(['', 'FOUND', counted, 'CONTROL', 'CANDIDATE', 'DURATION'], lines),
  ].join('\n');
}

function cellsOf(row: Row | null): string[] {
  if (row === null) return ['-', '-', '-', '-'];
  const { observations, control, candidate, durationSeconds } = row;
  const duration =
    durationSeconds === null ? '-' : durationInWords(durationSeconds * 1000).replace(/^about /, '');
  return [countInWords(observations), countInWords(control), countInWords(candidate), duration];
}

/** `p99` for the quantile 99% or 0.99. */
function nameOf({ metric, quantile }: PowerOptions): string {
  if (metric !== 'quantile') return metric;
  return `p${quantile.endsWith('%') ? quantile.slice(0, -1) : 100 * Number(quantile)}`;
}
