/** What counts as a failure: of a route, or else of an experiment, or else 5xx and no answer. Pure. */
import { DEFAULT_FAILURES, FAILURE_KINDS, FailureRule } from '../resilience/failure-rule.ts';
import type { FailuresConfig } from './schema-failures.ts';

/** Of the first that says something. */
export function compileFailures(...configs: readonly (FailuresConfig | undefined)[]): FailureRule {
  const config = configs.find((one) => one !== undefined);
  if (config === undefined) return DEFAULT_FAILURES;
  const isKind = (listed: string | number): boolean => FAILURE_KINDS.some((kind) => kind === listed);
  return new FailureRule({
    statuses: config.on.filter((listed) => !isKind(listed)),
    errors: FAILURE_KINDS.filter((kind) => config.on.includes(kind)),
    fields: Object.entries(config.headers).map(([name, value]) => ({
      name,
      value: value === '*' ? null : value,
    })),
  });
}
