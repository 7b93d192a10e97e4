/** What the decision log must not share: its file is moved aside when it is full. Pure. */
import type { ConfigIssue, ConfigPath } from './issue.ts';
import type { Config } from './schema.ts';

export function decisionIssues(
  config: Config,
  issueAt: (path: ConfigPath, message: string) => ConfigIssue,
): ConfigIssue[] {
  const { decisions, accessLog, exposures, stateFile } = config;
  if (decisions === undefined) return [];
  const others = { 'accessLog.file': accessLog.file, 'exposures.file': exposures.file, stateFile };
  return Object.entries(others).flatMap(([name, file]) => {
    if (file !== decisions.file) return [];
    return [issueAt(['decisions', 'file'], `it is ${name} as well, and would be moved aside with it`)];
  });
}
