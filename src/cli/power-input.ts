/** What is typed after `fairlead power`, as the question it asks. Pure; every mistake is a usage error with what was expected. */
import {
  meanSpread,
  type PowerQuestion,
  proportionSpread,
  quantileSpread,
  ratioSpread,
  type Spread,
} from '../analysis/power.ts';
import type { MetricUnit } from '../analysis/wording.ts';
import { CliError, Exit } from './io.ts';

export interface PowerOptions {
  readonly metric: Spread['kind'];
  readonly baseline: string;
  readonly mde: string;
  readonly split: string;
  readonly alpha: string;
  readonly power: string;
  readonly oneSided?: boolean;
  readonly tunedFor: number;
  readonly sd?: string;
  readonly perUnit?: string;
  readonly correlation?: string;
  readonly quantile: string;
  readonly logSd: string;
  readonly rate?: string;
  readonly output: 'text' | 'json';
}

export interface PowerInput extends PowerQuestion {
  readonly baseline: number;
  readonly unit: MetricUnit;
  /** Of all observations, how many are of the two variants. */
  readonly comparedShare: number;
  /** Observations of all variants. */
  readonly ratePerSecond: number | null;
}

/** @throws CliError for what cannot be. */
export function readPower(options: PowerOptions): PowerInput {
  const isShare = options.metric === 'proportion' || (options.metric === 'ratio' && options.sd === undefined);
  const baseline = isShare ? share('--baseline', options.baseline) : amount('--baseline', options.baseline);
  const effect = effectOf(options.mde, baseline, isShare);
  const [controlPart, candidatePart] = splitOf(options.split);
  const comparedShare = controlPart + candidatePart;
  const candidateShare = candidatePart / comparedShare;
  const spread = spreadOf(options, { baseline, effect, isShare, candidateShare });
  const alpha = share('--alpha', options.alpha);
  const power = share('--power', options.power);
  if (alpha >= 0.5) fail('--alpha', options.alpha, 'less than 50%');
  if (power < 0.5) fail('--power', options.power, 'from 50%');
  return {
    baseline,
    unit: isShare ? 'share' : options.baseline.endsWith('ms') ? 'ms' : 'number',
    effect,
    candidateShare,
    comparedShare,
    spread,
    power,
    settings: { alpha, sides: options.oneSided ? 'one' : 'two', tunedFor: options.tunedFor },
    ratePerSecond: options.rate === undefined ? null : rateOf(options.rate),
  };
}

interface Compared {
  readonly baseline: number;
  readonly effect: number;
  readonly isShare: boolean;
  readonly candidateShare: number;
}

function spreadOf(options: PowerOptions, { baseline, effect, isShare, candidateShare }: Compared): Spread {
  if (options.metric === 'quantile')
    return quantileSpread(
      { control: baseline, candidate: baseline + effect },
      share('--quantile', options.quantile),
      amount('--log-sd', options.logSd),
    );
  const request = isShare
    ? proportionSpread(baseline, baseline + effect, candidateShare)
    : meanSpread(amount('--sd', needed('--sd', options.sd)));
  if (options.metric !== 'ratio') return request;
  const perUnit = amount('--per-unit', needed('--per-unit', options.perUnit));
  const correlation = Number(needed('--correlation', options.correlation));
  if (!(perUnit >= 1)) fail('--per-unit', options.perUnit!, 'from 1');
  if (!(correlation >= 0 && correlation <= 1)) fail('--correlation', options.correlation!, 'from 0 to 1');
  return ratioSpread(request, perUnit, correlation);
}

/** `0.5pp`: points of a share. `10%`: of the baseline. Else in the metric's own unit. */
function effectOf(text: string, baseline: number, isShare: boolean): number {
  const found = /^([+-]?[\d.]+)(pp|%|ms)?$/.exec(text);
  const value = Number(found?.[1]);
  const unit = found?.[2];
  if (!Number.isFinite(value) || value === 0) fail('--mde', text, 'a difference, such as 0.5pp, 10% or 12');
  if (unit === 'pp' && !isShare) fail('--mde', text, 'no points, as the baseline is no share');
  const effect = unit === '%' ? (baseline * value) / 100 : unit === 'pp' ? value / 100 : value;
  const isPossible = isShare ? baseline + effect > 0 && baseline + effect < 1 : true;
  if (!isPossible) fail('--mde', text, 'one that leaves the candidate between 0% and 100%');
  return effect;
}

/** `90/10`, control first, in percent; what is left is of other variants. */
function splitOf(text: string): readonly [number, number] {
  const [control, candidate, ...others] = text.split('/').map((part) => Number(part.replace(/%$/, '')) / 100);
  const isSplit = others.length === 0 && control! > 0 && candidate! > 0 && control! + candidate! <= 1 + 1e-9;
  if (!isSplit) fail('--split', text, 'two shares such as 90/10');
  return [control!, candidate!];
}

const PER_SECOND: Readonly<Record<string, number>> = { s: 1, min: 60, h: 3600, d: 86_400 };

function rateOf(text: string): number {
  const found = /^([\d.]+)\/(s|min|h|d)$/.exec(text);
  const rate = Number(found?.[1]) / PER_SECOND[found?.[2] ?? 's']!;
  if (!(rate > 0)) fail('--rate', text, 'a rate such as 100/s, 20/min or 5000/d');
  return rate;
}

/** `5%` or `0.05`. */
function share(option: string, text: string): number {
  const value = text.endsWith('%') ? Number(text.slice(0, -1)) / 100 : Number(text);
  if (!(value > 0 && value < 1)) fail(option, text, 'between 0% and 100%');
  return value;
}

/** `250ms` or `250`. */
function amount(option: string, text: string): number {
  const value = Number(text.replace(/ms$/, ''));
  if (!(value > 0 && value < Number.POSITIVE_INFINITY)) fail(option, text, 'a number above 0');
  return value;
}

function needed(option: string, text: string | undefined): string {
  if (text === undefined) throw new CliError(Exit.usage, `error: this metric needs ${option}`);
  return text;
}

function fail(option: string, text: string, expected: string): never {
  throw new CliError(Exit.usage, `error: option '${option} ${text}' is invalid. It must be ${expected}.`);
}
