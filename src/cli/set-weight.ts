/**
 * `fairlead set weight NAME 25` and `fairlead set weight NAME candidate=25% other=5%`: re-weights a running
 * experiment. The sidecar moves as few units as it can; the fallback takes the rest.
 */
import { parsePercent } from '../config/units.ts';
import { type AdminTarget, adminGet, adminPost } from './admin-client.ts';
import { CliError, Exit, type Io } from './io.ts';

export interface SetWeightOptions extends AdminTarget {
  readonly name: string;
  /** `25`, `25%`, or `VARIANT=PERCENT` as often as needed. */
  readonly weights: readonly string[];
  readonly reason: string;
}

interface ExperimentAnswer {
  readonly variants: readonly {
    readonly name: string;
    readonly weight: string;
    readonly isFallback: boolean;
  }[];
}

/** Re-weights and prints the weights that hold now on stderr; 0. @throws CliError */
export async function setWeightCommand(options: SetWeightOptions, io: Io): Promise<number> {
  const url = `/v1/experiments/${encodeURIComponent(options.name)}`;
  const weights = await weightsOf(options, url, io.env);
  const answer = (await adminPost(
    options,
    `${url}/weights`,
    { weights, reason: options.reason },
    io.env,
  )) as ExperimentAnswer;
  const shown = answer.variants.map(({ name, weight }) => `${name} ${weight}`).join(', ');
  io.err(`${options.name}: ${shown}\n`);
  return Exit.ok;
}

async function weightsOf(
  options: SetWeightOptions,
  url: string,
  env: Io['env'],
): Promise<Record<string, string>> {
  const { weights } = options;
  const [only] = weights;
  if (weights.length === 1 && only !== undefined && !only.includes('=')) {
    const percent = readPercent(only);
    const { variants } = (await adminGet(options, url, env)) as ExperimentAnswer;
    return { [theTreatment(options.name, variants)]: percent };
  }
  return Object.fromEntries(weights.map(readPair));
}

function theTreatment(experiment: string, variants: ExperimentAnswer['variants']): string {
  const treatments = variants.filter((variant) => !variant.isFallback).map((variant) => variant.name);
  const [first] = treatments;
  if (treatments.length === 1 && first !== undefined) return first;
  throw new CliError(
    Exit.usage,
    `${experiment} has the treatments ${treatments.join(', ')}; say which, such as ${first ?? 'candidate'}=25%`,
  );
}

function readPair(text: string): [string, string] {
  const equals = text.indexOf('=');
  if (equals <= 0)
    throw new CliError(Exit.usage, `${JSON.stringify(text)} is not VARIANT=PERCENT, such as candidate=25%`);
  return [text.slice(0, equals), readPercent(text.slice(equals + 1))];
}

/** `25` is meant as per cent; the sidecar wants the sign. */
function readPercent(text: string): string {
  const withSign = text.endsWith('%') ? text : `${text}%`;
  const parsed = parsePercent(withSign);
  if (!parsed.ok) throw new CliError(Exit.usage, parsed.problem);
  return withSign;
}
