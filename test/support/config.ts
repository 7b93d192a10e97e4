/** Configurations for tests: short to write, valid unless a test makes them otherwise. */
import { compile } from '../../src/config/compile.ts';
import type { Environment } from '../../src/config/environment.ts';
import { type ConfigIssue, formatIssue } from '../../src/config/issue.ts';
import { parseConfig } from '../../src/config/parse.ts';
import { EMPTY_RUNTIME, type RuntimeState } from '../../src/config/runtime.ts';
import type { Config } from '../../src/config/schema.ts';
import type { Snapshot } from '../../src/config/snapshot.ts';

/** The config of a text that must be valid. */
export function configOf(text: string, environment: Environment = {}): Config {
  const { config, issues } = parseConfig(text, 'test.yaml', environment);
  if (config === null) throw new Error(issues.map(formatIssue).join('\n'));
  return config;
}

/** Issues but for the warning that an experiment does not say what it is for, as the short ones of tests and docs do not. */
export function withoutMetadata(issues: readonly ConfigIssue[]): ConfigIssue[] {
  return issues.filter(({ message }) => !message.includes('missing; outside draft'));
}

/** What is said about a text: `line:column path: message` for each mistake and warning. */
export function issuesOf(text: string, environment: Environment = {}): string[] {
  const issues = withoutMetadata(parseConfig(text, 'f', environment).issues);
  return issues.map((issue) => formatIssue(issue).replace(/^f:/, ''));
}

export function snapshotOf(text: string, runtime: RuntimeState = EMPTY_RUNTIME): Snapshot {
  return compile(configOf(text), runtime, 1);
}

/** The smallest file, with a line more for each argument. */
export function minimal(...lines: string[]): string {
  return ['version: 1', 'upstreams: { app: "127.0.0.1:9001" }', ...lines, ''].join('\n');
}

/** One experiment on one route, with control and candidate; `settings` are lines of the experiment. */
export function withExperiment(...settings: string[]): string {
  const own = settings.some((line) => line.startsWith('variants'))
    ? []
    : ['variants: { control: {}, candidate: { weight: 10% } }'];
  return minimal('experiments:', '  ranking:', ...[...own, ...settings].map((line) => `    ${line}`));
}
