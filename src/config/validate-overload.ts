/** What is to be said of limits on load: those that contradict themselves, and those that do nothing. Pure. */
import type { ConfigIssue, ConfigPath } from './issue.ts';
import type { IssueAt } from './parse.ts';
import type { Config, RouteConfig } from './schema.ts';
import type { ExperimentConfig } from './schema-experiment.ts';
import type { ConcurrencyConfig, RateLimitConfig } from './schema-overload.ts';
import { fallbackName } from './weights.ts';

const MIB = 1024 * 1024;

/** An idle process has 67 to 83 MB (docs/workers.md). */
const IDLE_BYTES = 100 * MIB;

type At = (path: ConfigPath, message: string, severity?: ConfigIssue['severity']) => void;

/** Every mistake and warning in what is limited and shed. */
export function overloadIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  const at: At = (path, message, severity = 'error') => {
    issues.push(issueAt(path, message, { isKey: true, severity }));
  };
  for (const [name, { concurrency }] of Object.entries(config.upstreams))
    checkConcurrency(concurrency, ['upstreams', name, 'concurrency'], at);
  for (const name of Object.keys(config.experiments)) checkVariants(config, name, at);
  for (const [index, route] of (config.routes ?? []).entries())
    checkRoute(config, route, ['routes', index, 'rateLimit', 'by'], at);
  const { overload } = config;
  if (overload !== undefined && overload.eventLoopDelay === undefined && overload.memory === undefined)
    at(['overload'], 'neither eventLoopDelay nor memory is given, so nothing is ever shed', 'warning');
  checkMemory(config, at);
  return issues;
}

/** Below what a process has when it does nothing, requests are shed for ever. */
function checkMemory({ overload, workers }: Config, at: At): void {
  const memory = overload?.memory;
  if (memory?.kind !== 'bytes') return;
  const processes = workers === 'auto' ? 1 : workers;
  if (memory.bytes >= processes * IDLE_BYTES) return;
  const each = Math.floor(memory.bytes / processes / MIB);
  const what = processes === 1 ? '' : `, that is for each of ${processes} workers`;
  at(
    ['overload', 'memory'],
    `${each} MiB${what}: about what a process has that does nothing, so most requests would be shed all the time`,
    'warning',
  );
}

function checkVariants(config: Config, name: string, at: At): void {
  const experiment = config.experiments[name]!;
  for (const [variant, { concurrency, rateLimit }] of Object.entries(experiment.variants)) {
    const path = ['experiments', name, 'variants', variant];
    checkConcurrency(concurrency, [...path, 'concurrency'], at);
    checkEvidence(experiment, variant, [...path, 'concurrency'], at);
    if (rateLimit === undefined) continue;
    checkSources(config, rateLimit.by, [...path, 'rateLimit', 'by'], at);
    if (rateLimit.over === 'fallback' && variant === fallbackName(experiment))
      at(
        [...path, 'rateLimit'],
        'this is the fallback variant: what is beyond the limit is answered 429',
        'warning',
      );
  }
}

/** A variant that hangs has as many calls as it has places, and a breaker wants more of them. */
function checkEvidence(experiment: ExperimentConfig, variant: string, path: ConfigPath, at: At): void {
  const { concurrency, breaker: own } = experiment.variants[variant]!;
  const { breaker } = experiment;
  if (concurrency?.kind !== 'fixed' || breaker === false || own === false) return;
  const slow = own?.slow ?? (variant === fallbackName(experiment) ? undefined : breaker.slow);
  const least = own?.minimumRequests ?? breaker.minimumRequests;
  if (slow === undefined || slow === 'off' || concurrency.max >= least) return;
  at(
    path,
    `${concurrency.max} is less than the ${least} calls that the breaker needs (minimumRequests), so a variant that hangs from its first call never trips it: only timeouts end those calls`,
    'warning',
  );
}

function checkRoute(
  config: Config,
  { rateLimit, experiments, match }: RouteConfig,
  path: ConfigPath,
  at: At,
): void {
  if (rateLimit === undefined) return;
  const { by } = rateLimit;
  if (by === 'unit' && experiments.length === 0)
    at(
      path,
      'no experiment is on this route, so there is no unit; name the sources, such as by: { header: x-api-key }',
    );
  checkSources(config, by, path, at);
  const segments = match.path.kind === 'pattern' ? match.path.segments : [];
  for (const { path: name } of Array.isArray(by) ? by : []) {
    if (name === undefined) continue;
    if (segments.some((segment) => segment.kind === 'parameter' && segment.name === name)) continue;
    at(path, `the path of this route has no {${name}}, so all its requests share one limit`, 'warning');
  }
}

function checkSources(config: Config, by: RateLimitConfig['by'], path: ConfigPath, at: At): void {
  for (const { request, claim } of Array.isArray(by) ? by : []) {
    if (request === true)
      at(path, 'a new unit for every request is never limited; say by: all, or what requests have in common');
    if (claim !== undefined && config.identity.jwt === undefined)
      at(
        path,
        'identity.jwt is not configured, so no token is verified and there is never a claim',
        'warning',
      );
  }
}

function checkConcurrency(concurrency: ConcurrencyConfig | undefined, path: ConfigPath, at: At): void {
  if (concurrency?.kind !== 'adaptive') return;
  const { initial, min, max } = concurrency;
  if (min <= initial && initial <= max) return;
  at(path, `min ${min}, initial ${initial} and max ${max} are not in this order`);
}
