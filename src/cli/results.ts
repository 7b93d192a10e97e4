/**
 * `fairlead results [NAME]`: is the candidate better, worse, or is it not known yet? Reads what a running sidecar says of
 * its experiments, and ends with 1 when that is that a guardrail is breached, or that the numbers are not to be believed.
 * `--forget` begins the analysis of one anew.
 */
import type { Amount } from '../analysis/results/amount.ts';
import type { Results } from '../analysis/results/results.ts';
import { countInWords } from '../analysis/wording.ts';
import { type AdminTarget, adminDelete, adminGet } from './admin-client.ts';
import { CliError, Exit, type Io } from './io.ts';
import { overviewText, type ResultsStyle, resultsText } from './results-text.ts';

export interface ResultsOptions extends AdminTarget {
  /** Null: all of them, a line each. */
  readonly name: string | null;
  readonly output: 'text' | 'json';
  readonly by: 'assigned' | 'served';
  readonly wide?: boolean;
  /** Forget what was collected instead. */
  readonly forget?: boolean;
  readonly reason: string;
}

type Verdict = Pick<Results, 'experiment' | 'verdict'>;

/** 1 when a guardrail is breached or the numbers are invalid. @throws CliError */
export async function resultsCommand(options: ResultsOptions, io: Io): Promise<number> {
  const { name, output } = options;
  if (options.forget === true) return forget(options, io);
  const path = name === null ? '/v1/results' : pathOf(name);
  const answer = await adminGet(options, path, io.env);
  const verdicts = name === null ? (answer as { results: readonly Verdict[] }).results : [answer as Verdict];
  if (output === 'json') io.out(`${JSON.stringify(name === null ? verdicts : answer, null, 2)}\n`);
  else if (name === null) io.out(overviewText(verdicts, styleOf(options, io)));
  else io.out(resultsText(answer as Results, styleOf(options, io)));
  return verdicts.some(({ verdict }) => isNegative(verdict)) ? Exit.negative : Exit.ok;
}

async function forget(options: ResultsOptions, io: Io): Promise<number> {
  const { name, output, reason } = options;
  if (name === null)
    throw new CliError(Exit.usage, '--forget needs the experiment: fairlead results NAME --forget');
  const answer = await adminDelete(options, pathOf(name), { reason }, io.env);
  const { forgotten } = answer as { readonly forgotten: Amount };
  if (output === 'json') io.out(`${JSON.stringify(answer, null, 2)}\n`);
  else io.err(`${name}: ${amountInWords(forgotten)}; its analysis begins anew\n`);
  return Exit.ok;
}

/** `1,010 requests of 100 units since 2026-11-21T19:00:00.000Z are forgotten` */
function amountInWords({ since, requests, units }: Amount): string {
  if (since === null) return 'nothing was collected yet';
  return `${countInWords(requests)} requests of ${countInWords(units)} units since ${since} are forgotten`;
}

function pathOf(name: string): string {
  return `/v1/experiments/${encodeURIComponent(name)}/results`;
}

function isNegative({ kind }: Results['verdict']): boolean {
  return kind === 'breach' || kind === 'invalid';
}

function styleOf({ by, wide }: ResultsOptions, { isTerminal }: Io): ResultsStyle {
  const width = isTerminal ? (process.stdout.columns ?? 80) : null;
  return { by, isWide: wide === true, isColoured: isTerminal, width };
}
