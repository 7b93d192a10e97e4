/** What is to be said of limits on load: those that contradict themselves, and those that do nothing. Pure. */
import type { ConfigIssue, ConfigPath } from './issue.ts';
import type { Config } from './schema.ts';
import type { ConcurrencyConfig } from './schema-overload.ts';
import { fallbackName } from './weights.ts';

type IssueAt = (
  path: ConfigPath,
  message: string,
  options?: { readonly isKey?: boolean; readonly severity?: ConfigIssue['severity'] },
) => ConfigIssue;

export function overloadIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  const at = (path: ConfigPath, message: string, severity: ConfigIssue['severity'] = 'error'): void => {
    issues.push(issueAt(path, message, { isKey: true, severity }));
  };
  for (const [name, { concurrency }] of Object.entries(config.upstreams))
    checkConcurrency(concurrency, ['upstreams', name, 'concurrency'], at);
  for (const [name, experiment] of Object.entries(config.experiments)) {
    for (const [variant, { concurrency, rateLimit }] of Object.entries(experiment.variants)) {
      const path = ['experiments', name, 'variants', variant];
      checkConcurrency(concurrency, [...path, 'concurrency'], at);
      if (rateLimit?.over === 'refuse' || variant !== fallbackName(experiment)) continue;
      if (rateLimit !== undefined)
        at(
          [...path, 'rateLimit'],
          'this is the fallback variant: what is beyond the limit is answered 429',
          'warning',
        );
    }
  }
  for (const [index, { rateLimit, experiments }] of (config.routes ?? []).entries()) {
    if (rateLimit?.by === 'unit' && experiments.length === 0)
      at(
        ['routes', index, 'rateLimit', 'by'],
        'no experiment is on this route, so there is no unit; name the sources, such as by: { header: x-api-key }',
      );
  }
  const { overload } = config;
  if (overload !== undefined && overload.eventLoopDelay === undefined && overload.memory === undefined)
    at(['overload'], 'neither eventLoopDelay nor memory is given, so nothing is ever shed', 'warning');
  return issues;
}

function checkConcurrency(
  concurrency: ConcurrencyConfig | undefined,
  path: ConfigPath,
  at: (path: ConfigPath, message: string) => void,
): void {
  if (concurrency?.kind !== 'adaptive') return;
  const { initial, min, max } = concurrency;
  if (min <= initial && initial <= max) return;
  at(path, `min ${min}, initial ${initial} and max ${max} are not in this order`);
}
