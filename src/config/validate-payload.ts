/** Payloads of one experiment: a flag is of one kind, whichever variant a unit gets. Pure. */
import type { ConfigIssue } from './issue.ts';
import type { IssueAt } from './parse.ts';
import type { Config } from './schema.ts';
import { payloadKind } from './schema-payload.ts';

/** Whether the experiment is a flag with values of its own. */
export function hasPayload({ experiments }: Config, name: string): boolean {
  const { variants = {} } = experiments[name] ?? {};
  return Object.values(variants).some(({ payload }) => payload !== undefined);
}

/** Every variant whose value is of another kind than that of the first one; without a payload it is text, its name. */
export function payloadIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  return Object.entries(config.experiments).flatMap(([experiment, { variants }]) => {
    const all = Object.entries(variants);
    if (all.every(([, { payload }]) => payload === undefined)) return [];
    const [[firstName, first] = ['', {}]] = all;
    const wanted = payloadKind(first.payload ?? firstName);
    return all.flatMap(([name, { payload }]) => {
      const kind = payloadKind(payload ?? name);
      if (kind === wanted) return [];
      const path = ['experiments', experiment, 'variants', name];
      const [at, what] =
        payload === undefined
          ? [path, `has no payload, so its value is its name, a string`]
          : [[...path, 'payload'], `is ${an(kind)}`];
      return [
        issueAt(at, `${what}, and that of ${firstName} is ${an(wanted)}; a flag is of one kind`, {
          isKey: payload === undefined,
        }),
      ];
    });
  });
}

function an(kind: string): string {
  return /^[aeiou]/.test(kind) ? `an ${kind}` : `a ${kind}`;
}
