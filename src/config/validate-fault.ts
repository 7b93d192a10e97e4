/** What is to be said of faults that the configuration makes on purpose. Pure. */
import type { ConfigIssue, ConfigPath } from './issue.ts';
import type { IssueAt } from './parse.ts';
import type { Config } from './schema.ts';

/** A fault without an end is one that somebody forgets. */
export function faultIssues({ routes = [], experiments }: Config, issueAt: IssueAt): ConfigIssue[] {
  const places: ConfigPath[] = [];
  for (const [index, { fault }] of routes.entries())
    if (fault !== undefined && fault.until === undefined) places.push(['routes', index, 'fault']);
  for (const [name, { variants }] of Object.entries(experiments))
    for (const [variant, { fault }] of Object.entries(variants))
      if (fault !== undefined && fault.until === undefined)
        places.push(['experiments', name, 'variants', variant, 'fault']);
  return places.map((path) =>
    issueAt(path, 'this fault has no end, and requests fail until it is taken out; give it an until', {
      isKey: true,
      severity: 'warning',
    }),
  );
}
