/** Mistakes in what happens when an attempt fails. Pure. */
import type { ConfigIssue, ConfigPath } from './issue.ts';
import type { IssueAt } from './parse.ts';
import type { Config, RouteConfig } from './schema.ts';
import { formatDuration } from './units.ts';
import { TAKEN } from './validate-traffic.ts';
import { fallbackName } from './weights.ts';

export function retryIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  return [
    ...headerIssues(config, issueAt),
    ...(config.routes ?? []).flatMap((route, index) => routeIssues(config, route, index, issueAt)),
  ];
}

function headerIssues({ deadlines, propagation }: Config, issueAt: IssueAt): ConfigIssue[] {
  const { header } = deadlines;
  if (header === undefined) return [];
  const { header: context, overrideHeader, explainHeader, tokenHeader } = propagation;
  const isOurs = [context, overrideHeader, explainHeader, tokenHeader].includes(header);
  if (!isOurs && header.startsWith('x-') && !TAKEN.test(header)) return [];
  return [
    issueAt(
      ['deadlines', 'header'],
      `the header ${header} may say something else; take a name that begins with x-`,
    ),
  ];
}

function routeIssues(config: Config, route: RouteConfig, index: number, issueAt: IssueAt): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  const warn = (keys: ConfigPath, message: string): void => {
    issues.push(issueAt(['routes', index, ...keys], message, { severity: 'warning' }));
  };
  const { request, firstByte } = config.timeouts;
  const { retries, failover } = route;
  const perTry = retries === undefined || retries === false ? undefined : retries.perTry;
  const after = failover === false ? undefined : failover.after;
  const check = (keys: ConfigPath, what: string, ms: number | undefined): void => {
    if (ms === undefined) return;
    if (request > 0 && ms >= request)
      warn(
        keys,
        `${what} is not shorter than timeouts.request ${formatDuration(request)}: nothing follows it`,
      );
    else if (firstByte > 0 && ms > firstByte && !route.streaming)
      warn(keys, `${what} is longer than timeouts.firstByte ${formatDuration(firstByte)}, which comes first`);
  };
  check(['retries', 'perTry'], 'perTry', perTry);
  check(['failover', 'after'], 'after', after);
  if (after !== undefined && !route.experiments.some((name) => hasOtherUpstream(config, route, name)))
    warn(['failover', 'after'], 'no variant on this route has an upstream that the fallback does not have');
  return issues;
}

function hasOtherUpstream(config: Config, route: RouteConfig, name: string): boolean {
  const experiment = Object.hasOwn(config.experiments, name) ? config.experiments[name] : undefined;
  if (experiment === undefined) return false;
  const own = route.upstream ?? Object.keys(config.upstreams)[0];
  const safe = experiment.variants[fallbackName(experiment) ?? '']?.upstream ?? own;
  return Object.values(experiment.variants).some(({ upstream }) => (upstream ?? own) !== safe);
}
