/** What the schema cannot say of error budgets and of too many openings. Pure. */
import type { ConfigPath } from './issue.ts';
import type { BudgetConfig } from './schema-budget.ts';
import type { ExperimentConfig } from './schema-experiment.ts';
import { formatDuration, PPM } from './units.ts';
import { fallbackName } from './weights.ts';

type At = (keys: ConfigPath, message: string) => void;

/** What is counted over a longer time is of no use by then, and would be kept for nothing. */
const PERIOD_MAX_MS = 366 * 86_400_000;
const SHORT_MIN_MS = 1000;

export function budgetIssues(experiment: ExperimentConfig, at: At): void {
  const { breaker } = experiment;
  if (breaker !== false && breaker.budget !== undefined) check(breaker.budget, ['breaker', 'budget'], at);
  for (const [name, { breaker: own }] of Object.entries(experiment.variants)) {
    if (own === undefined || own === false) continue;
    if (own.budget !== undefined && own.budget !== 'off')
      check(own.budget, ['variants', name, 'breaker', 'budget'], at);
    if (own.maxTrips !== undefined && own.maxTrips !== 'off' && name === fallbackName(experiment))
      at(
        ['variants', name, 'breaker', 'maxTrips'],
        `${name} is the fallback, and a kill gives it to everyone; leave maxTrips out here`,
      );
  }
}

function check({ target, period, burn = [] }: BudgetConfig, path: ConfigPath, at: At): void {
  if (target >= PPM) at([...path, 'target'], 'found 100%; a target of less leaves a budget');
  if (period > PERIOD_MAX_MS)
    at([...path, 'period'], `found ${formatDuration(period)}; expected at most 366d`);
  for (const [index, { long, short }] of burn.entries()) {
    const keys = [...path, 'burn', index];
    if (long > period)
      at([...keys, 'long'], `${formatDuration(long)} is longer than the period ${formatDuration(period)}`);
    if (short >= long)
      at([...keys, 'short'], `${formatDuration(short)} is not shorter than long, ${formatDuration(long)}`);
    if (short < SHORT_MIN_MS) at([...keys, 'short'], `found ${formatDuration(short)}; expected at least 1s`);
  }
}
