/**
 * An experiment's life: dates in order, a winner where one is needed, who answers for it, and what it requires of
 * other experiments. Pure.
 */
import { PREREQUISITE_DEPTH_MAX } from '../experiment/prerequisite.ts';
import type { ConfigIssue, ConfigPath } from './issue.ts';
import type { IssueAt } from './parse.ts';
import type { Config } from './schema.ts';
import type { ExperimentConfig } from './schema-experiment.ts';
import { didYouMean } from './suggest.ts';

const METADATA = ['owner', 'hypothesis', 'successCriteria', 'rollbackPlan'] as const;
/** Of the one route there is when none is declared. */
const ONLY_ROUTE = 'all';

type At = (
  keys: ConfigPath,
  message: string,
  options?: { isKey?: boolean; severity?: ConfigIssue['severity'] },
) => void;

/** Every mistake and warning about status, dates, metadata, protected routes and prerequisites. */
export function lifecycleIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  const routes = config.routes?.map(({ name }) => name) ?? [ONLY_ROUTE];
  for (const [index, route] of config.protect.entries()) {
    if (!routes.includes(route))
      issues.push(
        issueAt(['protect', index], `there is no route ${JSON.stringify(route)}${didYouMean(route, routes)}`),
      );
  }
  for (const [name, experiment] of Object.entries(config.experiments)) {
    const at: At = (keys, message, options) => {
      issues.push(issueAt(['experiments', name, ...keys], message, options));
    };
    winnerIssues(experiment, at);
    dateIssues(experiment, at);
    metadataIssues(config, experiment, at);
    protectionIssues(config, name, at);
    requirementIssues(config, experiment, at);
  }
  return [...issues, ...chainIssues(config, issueAt)];
}

function winnerIssues({ status, winner, onExpiry, variants }: ExperimentConfig, at: At): void {
  const names = Object.keys(variants);
  if (winner !== undefined && !names.includes(winner))
    at(['winner'], `there is no variant ${JSON.stringify(winner)}${didYouMean(winner, names)}`);
  if (winner !== undefined) return;
  if (status === 'concluded') at(['status'], 'a concluded experiment names who has won: winner: VARIANT');
  else if (onExpiry === 'winner') at(['onExpiry'], 'there is no winner; name it: winner: VARIANT');
}

function dateIssues(experiment: ExperimentConfig, at: At): void {
  const { startsAt, endsAt, onExpiry, staleAfter, fallBackAfter } = experiment;
  if (startsAt !== undefined && endsAt !== undefined && endsAt <= startsAt)
    at(['endsAt'], 'endsAt is not after startsAt');
  if (onExpiry !== undefined && endsAt === undefined && fallBackAfter === undefined)
    at(['onExpiry'], 'without endsAt it never expires; give endsAt or leave onExpiry out');
  if (fallBackAfter !== undefined && staleAfter === 'off')
    at(['fallBackAfter'], 'with staleAfter: off it is never stale; give staleAfter a time');
}

function metadataIssues({ requireMetadata }: Config, experiment: ExperimentConfig, at: At): void {
  if (requireMetadata === false || experiment.status === 'draft') return;
  const missing = METADATA.filter((key) => experiment[key] === undefined);
  if (missing.length === 0) return;
  at([], `${missing.join(', ')}: missing; outside draft an experiment says what it is for`, {
    isKey: true,
    severity: requireMetadata === true ? 'error' : 'warning',
  });
}

function protectionIssues(config: Config, name: string, at: At): void {
  if (config.experiments[name]?.allowProtected !== undefined) return;
  const routes = config.routes ?? [{ name: ONLY_ROUTE, experiments: Object.keys(config.experiments) }];
  for (const route of routes) {
    if (!config.protect.includes(route.name) || !route.experiments.includes(name)) continue;
    const hint = 'needs allowProtected: { approvedBy: NAME, reason: TEXT }';
    at([], `the route ${JSON.stringify(route.name)} is protected, and an experiment on it ${hint}`, {
      isKey: true,
    });
  }
}

function requirementIssues(config: Config, experiment: ExperimentConfig, at: At): void {
  for (const [index, { experiment: name, variant }] of experiment.requires.entries()) {
    const required = Object.hasOwn(config.experiments, name) ? config.experiments[name] : undefined;
    if (required === undefined) {
      const near = didYouMean(name, Object.keys(config.experiments));
      at(['requires', index, 'experiment'], `there is no experiment ${JSON.stringify(name)}${near}`);
      continue;
    }
    const variants = Object.keys(required.variants);
    for (const wanted of variant) {
      if (variants.includes(wanted)) continue;
      const near = didYouMean(wanted, variants);
      at(['requires', index, 'variant'], `${name} has no variant ${JSON.stringify(wanted)}${near}`);
    }
    if (required.layer !== undefined && required.layer === experiment.layer)
      at(['requires', index], `${name} is in the same layer, so no unit is in both`, { severity: 'warning' });
  }
}

/** Cycles, and chains that are too long; each is told once, at the experiment that comes first in the file. */
function chainIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  const depths = new Map<string, number>();
  const told = new Set<string>();
  const issues: ConfigIssue[] = [];
  const depthOf = (name: string, path: readonly string[]): number => {
    const known = depths.get(name);
    if (known !== undefined) return known;
    const start = path.indexOf(name);
    if (start >= 0) {
      const cycle = path.slice(start);
      if (!cycle.some((one) => told.has(one)))
        issues.push(
          issueAt(
            ['experiments', cycle[0]!, 'requires'],
            `${[...cycle, name].join(' requires ')}, which is a circle`,
          ),
        );
      for (const one of cycle) told.add(one);
      return 0;
    }
    let depth = 0;
    for (const { experiment } of ownExperiment(config, name)?.requires ?? [])
      depth = Math.max(depth, 1 + depthOf(experiment, [...path, name]));
    depths.set(name, depth);
    return depth;
  };
  for (const name of Object.keys(config.experiments)) {
    if (depthOf(name, []) !== PREREQUISITE_DEPTH_MAX + 1) continue;
    const message = `more than ${PREREQUISITE_DEPTH_MAX} experiments stand one behind the other`;
    issues.push(issueAt(['experiments', name, 'requires'], message));
  }
  return issues;
}

function ownExperiment(config: Config, name: string): ExperimentConfig | undefined {
  return Object.hasOwn(config.experiments, name) ? config.experiments[name] : undefined;
}
