/** Mistakes in what caches are told, in routing keys, in bucket headers and in what excluded traffic gets. Pure. */
import type { ConfigIssue, ConfigPath } from './issue.ts';
import type { IssueAt } from './parse.ts';
import type { Config } from './schema.ts';
import { didYouMean } from './suggest.ts';

/** Fields of others that begin like ours. */
export const TAKEN = /^x-(?:forwarded-|request-id$|fairlead-|real-ip$|cache$)/;

export function trafficIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  return [
    ...Object.keys(config.experiments).flatMap((name) => variantIssues(config, name, issueAt)),
    ...headerIssues(config, issueAt),
  ];
}

/** Variants that are named and are not there. */
function variantIssues(config: Config, name: string, issueAt: IssueAt): ConfigIssue[] {
  const { variants, excludedVariant, routingKeys } = config.experiments[name]!;
  const named: [ConfigPath, string][] = routingKeys.flatMap(({ map }, index) =>
    Object.entries(map).map(([key, variant]): [ConfigPath, string] => [
      ['routingKeys', index, 'map', key],
      variant,
    ]),
  );
  if (excludedVariant !== undefined) named.push([['excludedVariant'], excludedVariant]);
  return named
    .filter(([, variant]) => !Object.hasOwn(variants, variant))
    .map(([path, variant]) =>
      issueAt(
        ['experiments', name, ...path],
        `there is no variant ${JSON.stringify(variant)}${didYouMean(variant, Object.keys(variants))}`,
      ),
    );
}

/** Headers that we write: no two of them may be one, nor one that somebody else writes. */
function headerIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  const { header, overrideHeader, explainHeader } = config.propagation;
  const owners = new Map<string, string>();
  for (const own of [header, overrideHeader, explainHeader]) owners.set(own, 'propagation');
  const issues: ConfigIssue[] = [];
  const check = (path: ConfigPath, field: string, owner: string): void => {
    const other = owners.get(field);
    if (!field.startsWith('x-') || TAKEN.test(field))
      issues.push(
        issueAt(
          path,
          `the header ${field} may be somebody else's; take a name of your own that begins with x-`,
        ),
      );
    else if (other !== undefined && other !== owner)
      issues.push(issueAt(path, `the header ${field} is used by ${other} already`));
    owners.set(field, other ?? owner);
  };
  for (const [name, { bucketHeader }] of Object.entries(config.experiments)) {
    if (bucketHeader !== undefined)
      check(['experiments', name, 'bucketHeader'], bucketHeader, `the experiment ${JSON.stringify(name)}`);
  }
  for (const [index, { cache }] of (config.routes ?? []).entries()) {
    if (cache.keyHint !== undefined)
      check(['routes', index, 'cache', 'keyHint'], cache.keyHint, 'the keyHint of routes');
  }
  return issues;
}
