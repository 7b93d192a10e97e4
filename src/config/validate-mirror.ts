/** Mirroring: a variant that exists, and nothing that changes something without a contract. Pure. */
import { SAFE_MIRRORED } from './compile-mirror.ts';
import type { ConfigIssue, ConfigPath } from './issue.ts';
import type { IssueAt } from './parse.ts';
import type { Config } from './schema.ts';
import type { ExperimentConfig } from './schema-experiment.ts';
import { didYouMean } from './suggest.ts';
import { fallbackName } from './weights.ts';

/** Every mistake in what is mirrored. */
export function mirrorIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  for (const [name, experiment] of Object.entries(config.experiments)) {
    const at = (keys: ConfigPath, message: string): void => {
      issues.push(issueAt(['experiments', name, 'mirror', ...keys], message));
    };
    if (experiment.mirror === undefined) continue;
    candidateIssue(experiment, at);
    methodIssues(experiment.mirror, at);
  }
  return issues;
}

type At = (keys: ConfigPath, message: string) => void;

function candidateIssue(experiment: ExperimentConfig, at: At): void {
  const variants = Object.keys(experiment.variants);
  const control = fallbackName(experiment);
  const { of } = experiment.mirror!;
  if (of === undefined) {
    if (variants.length > 2)
      at([], `say which variant is tried: of: ${variants.find((one) => one !== control)}`);
  } else if (!variants.includes(of)) {
    at(['of'], `there is no variant ${JSON.stringify(of)}${didYouMean(of, variants)}`);
  } else if (of === control) at(['of'], `${of} is the fallback, which the others are compared with`);
}

function methodIssues({ methods = [], contract }: NonNullable<ExperimentConfig['mirror']>, at: At): void {
  for (const [index, method] of methods.entries()) {
    if (!SAFE_MIRRORED.includes(method))
      at(
        ['methods', index],
        `${method} may change something, and would be done three more times; if that does no harm, put it in contract.methods`,
      );
  }
  for (const [index, method] of (contract?.methods ?? []).entries()) {
    if (SAFE_MIRRORED.includes(method))
      at(['contract', 'methods', index], `${method} needs no contract; put it in methods`);
  }
}
