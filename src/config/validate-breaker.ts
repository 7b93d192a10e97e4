/** What the schema cannot say of breakers. Pure. */
import type { ConfigPath } from './issue.ts';
import type { Limit } from './limit-text.ts';
import { QUANTILE_SHARES, type QuantileName } from './schema-breaker.ts';
import type { ExperimentConfig } from './schema-experiment.ts';
import { formatDuration } from './units.ts';
import { budgetIssues } from './validate-budget.ts';
import { fallbackName } from './weights.ts';

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
  selfIssues(experiment, at);
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

/** The fallback is what the others are compared with. */
function selfIssues(experiment: ExperimentConfig, at: (keys: ConfigPath, message: string) => void): void {
  const name = fallbackName(experiment);
  const own = name === null ? undefined : experiment.variants[name]?.breaker;
  if (own === undefined || own === false) return;
  const message = 'this is the control that others are compared with; give it a limit of its own';
  for (const key of ['errorRate', ...Object.keys(QUANTILE_SHARES)] as const)
    if (isBeside(own[key as QuantileName])) at(['variants', name!, 'breaker', key], message);
  if (typeof own.slow === 'object' && isBeside(own.slow.rate))
    at(['variants', name!, 'breaker', 'slow', 'rate'], message);
}

function isBeside(limits: 'off' | Limit | readonly Limit[] | undefined): boolean {
  const list = Array.isArray(limits) ? limits : [limits];
  return list.some((limit) => typeof limit === 'object');
}
