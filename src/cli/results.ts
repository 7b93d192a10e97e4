/**
 * `fairlead results [NAME]`: is the candidate better, worse, or is it not known yet? Reads what a running sidecar says of
 * its experiments, and ends with 1 when that is that a guardrail is breached, or that the numbers are not to be believed.
 */
import type { Results } from '../analysis/results/results.ts';
import { type AdminTarget, adminGet } from './admin-client.ts';
import { Exit, type Io } from './io.ts';
import { overviewText, type ResultsStyle, resultsText } from './results-text.ts';

export interface ResultsOptions extends AdminTarget {
  /** Null: all of them, a line each. */
  readonly name: string | null;
  readonly output: 'text' | 'json';
  readonly by: 'assigned' | 'served';
  readonly wide?: boolean;
}

type Verdict = Pick<Results, 'experiment' | 'verdict'>;

/** 1 when a guardrail is breached or the numbers are invalid. @throws CliError */
export async function resultsCommand(options: ResultsOptions, io: Io): Promise<number> {
  const { name, output } = options;
  const path = name === null ? '/v1/results' : `/v1/experiments/${encodeURIComponent(name)}/results`;
  const answer = await adminGet(options, path, io.env);
  const verdicts = name === null ? (answer as { results: readonly Verdict[] }).results : [answer as Verdict];
  if (output === 'json') io.out(`${JSON.stringify(name === null ? verdicts : answer, null, 2)}\n`);
  else if (name === null) io.out(overviewText(verdicts, styleOf(options, io)));
  else io.out(resultsText(answer as Results, styleOf(options, io)));
  return verdicts.some(({ verdict }) => isNegative(verdict)) ? Exit.negative : Exit.ok;
}

function isNegative({ kind }: Results['verdict']): boolean {
  return kind === 'breach' || kind === 'invalid';
}

function styleOf({ by, wide }: ResultsOptions, { isTerminal }: Io): ResultsStyle {
  const width = isTerminal ? (process.stdout.columns ?? 80) : null;
  return { by, isWide: wide === true, isColoured: isTerminal, width };
}
