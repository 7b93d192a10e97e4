/** What is wrong with upstreams beyond the shape of single values. Pure. */
import type { ConfigIssue } from './issue.ts';
import type { IssueAt } from './parse.ts';
import type { Config } from './schema.ts';
import type { UpstreamConfig } from './schema-upstream.ts';
import { formatDuration } from './units.ts';

/** Every mistake and warning in upstreams. */
export function upstreamIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  const names = Object.keys(config.upstreams);
  if (names.length === 0)
    return [issueAt(['upstreams'], 'there is no upstream; name at least one, such as app: "127.0.0.1:8080"')];
  const issues: ConfigIssue[] = [];
  const used = new Set<string | undefined>(names.length === 1 || config.routes === undefined ? names : []);
  for (const route of config.routes ?? []) used.add(route.upstream);
  for (const experiment of Object.values(config.experiments)) {
    for (const variant of Object.values(experiment.variants)) used.add(variant.upstream);
  }
  for (const [name, upstream] of Object.entries(config.upstreams)) {
    issues.push(...balanceIssues(config, name, upstream, issueAt));
    const ids = upstream.endpoints.map((endpoint) => endpoint.id);
    for (const [index, id] of ids.entries()) {
      if (ids.indexOf(id) !== index)
        issues.push(issueAt(['upstreams', name, 'endpoints', index], `the endpoint ${id} is listed twice`));
    }
    if (!used.has(name))
      issues.push(
        issueAt(['upstreams', name], 'no route and no variant uses this upstream', {
          isKey: true,
          severity: 'warning',
        }),
      );
  }
  return issues;
}

function balanceIssues(
  config: Config,
  name: string,
  upstream: UpstreamConfig,
  issueAt: IssueAt,
): ConfigIssue[] {
  const { balance, hashKey, outlier, slowStart } = upstream;
  const issues: ConfigIssue[] = [];
  const at = (key: string, message: string, severity: ConfigIssue['severity'] = 'error'): void => {
    issues.push(issueAt(['upstreams', name, key], message, { severity }));
  };
  if (balance === 'ringHash') {
    if (hashKey === undefined)
      at('balance', 'ringHash needs a hashKey: what requests have in common, such as { header: x-user-id }');
    if (slowStart > 0)
      at('slowStart', 'with ringHash the key decides, so slowStart has no effect', 'warning');
  } else if (hashKey !== undefined) {
    at('hashKey', `with balance: ${balance} nothing is hashed; the hashKey belongs to ringHash`);
  }
  for (const source of hashKey ?? []) {
    if (source.request === true)
      at('hashKey', 'a new key for every request keeps nobody at an endpoint; leave request out');
    if (source.claim !== undefined && config.identity.jwt === undefined)
      at(
        'hashKey',
        'identity.jwt is not configured, so no token is verified and there is never a claim',
        'warning',
      );
  }
  if (outlier !== false && outlier.ejectFor > outlier.ejectForMax) {
    const { ejectFor, ejectForMax } = outlier;
    at(
      'outlier',
      `ejectFor ${formatDuration(ejectFor)} is longer than ejectForMax ${formatDuration(ejectForMax)}`,
    );
  }
  return issues;
}
