/** What the schema cannot say of breakers. Pure. */
import type { ConfigPath } from './issue.ts';
import type { ExperimentConfig } from './schema-experiment.ts';
import { formatDuration } from './units.ts';
import { budgetIssues } from './validate-budget.ts';

export function breakerIssues(
  experiment: ExperimentConfig,
  at: (keys: ConfigPath, message: string) => void,
): void {
  const { breaker } = experiment;
  budgetIssues(experiment, at);
  const check = (keys: ConfigPath, openFor: number, openForMax: number): void => {
    if (openFor <= openForMax) return;
    at(keys, `openFor ${formatDuration(openFor)} is longer than openForMax ${formatDuration(openForMax)}`);
  };
  if (breaker !== false) check(['breaker', 'openFor'], breaker.openFor, breaker.openForMax);
  for (const [name, variant] of Object.entries(experiment.variants)) {
    const own = variant.breaker;
    if (own === undefined || own === false) continue;
    if (breaker === false)
      at(
        ['variants', name, 'breaker'],
        'the experiment has breaker: false, so there is nothing to differ from',
      );
    else
      check(
        ['variants', name, 'breaker'],
        own.openFor ?? breaker.openFor,
        own.openForMax ?? breaker.openForMax,
      );
  }
}
