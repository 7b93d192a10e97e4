/** Rollouts: blueprints that exist, shares that grow, and experiments whose weights can be moved at all. Pure. */
import { REGRESSIONS } from '../analysis/rollout/rollout-plan.ts';
import { isExact } from './algorithm-shares.ts';
import { metricsOf, roleOf } from './compile-analysis.ts';
import { findBlueprint, isCounted, rolloutFieldsOf, sharesOf } from './compile-rollout.ts';
import type { ConfigIssue, ConfigPath } from './issue.ts';
import type { IssueAt } from './parse.ts';
import type { Config } from './schema.ts';
import type { ExperimentConfig } from './schema-experiment.ts';
import type { AnalysisGuardrailConfig, GuardrailConfig, RolloutFields } from './schema-rollout.ts';
import { didYouMean } from './suggest.ts';
import { formatDuration } from './units.ts';

/** Bounds of `fairlead_request_duration_seconds`: between two of them nobody knows how many there were. */
export const LATENCY_BOUNDS_MS: readonly number[] = [
  0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000,
];

type At = (keys: ConfigPath, message: string) => void;

/** Every mistake in rollouts and blueprints. */
export function rolloutIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  for (const [name, fields] of Object.entries(config.blueprints ?? {})) {
    const at: At = (keys, message) => issues.push(issueAt(['blueprints', name, ...keys], message));
    fieldIssues(config, fields, at);
  }
  for (const [name, experiment] of Object.entries(config.experiments)) {
    const { rollout, variants, algorithm } = experiment;
    if (rollout === undefined) continue;
    const at: At = (keys, message) =>
      issues.push(issueAt(['experiments', name, 'rollout', ...keys], message));
    if (Object.keys(variants).length !== 2)
      at([], 'a rollout is of one candidate beside control: the experiment must have two variants');
    if (isExact(algorithm))
      at([], `the shares are the numbers of ${algorithm.name}, so no rollout can move them`);
    const own = typeof rollout === 'string' ? { blueprint: rollout } : rollout;
    const keys = typeof rollout === 'string' ? [] : ['blueprint'];
    if (own.blueprint !== undefined && findBlueprint(config, own.blueprint) === null)
      at(keys, missingBlueprint(config, own.blueprint));
    if (typeof rollout !== 'string') fieldIssues(config, rollout, at);
    shareIssues(rolloutFieldsOf(config, experiment), at);
    askedIssues(config, experiment, at);
  }
  return issues;
}

function missingBlueprint({ blueprints = {} }: Config, reference: string): string {
  const [name = '', version] = reference.split('@');
  const found = Object.hasOwn(blueprints, name) ? blueprints[name] : undefined;
  if (found === undefined)
    return `there is no blueprint ${JSON.stringify(name)}${didYouMean(name, Object.keys(blueprints))}`;
  const wanted = `say which version: ${name}@${found.version}`;
  return version === undefined ? wanted : `the blueprint ${name} is version ${found.version}, not ${version}`;
}

function fieldIssues(config: Config, fields: RolloutFields, at: At): void {
  const ways = (['steps', 'linear', 'exponential'] as const).filter((way) => fields[way] !== undefined);
  if (ways.length > 1) at([ways[1]!], `the steps are said twice, by ${ways.join(' and ')}; say one`);
  for (const [index, guardrail] of (fields.guardrails ?? []).entries())
    latencyIssue(guardrail, ['guardrails', index], at);
  for (const [index, step] of (fields.steps ?? []).entries()) {
    if (typeof step !== 'object') continue;
    for (const [number, guardrail] of (step.guardrails ?? []).entries())
      latencyIssue(guardrail, ['steps', index, 'guardrails', number], at);
  }
  const webhooks = config.webhooks.map(({ name }) => name);
  for (const [index, { webhook }] of (fields.hooks ?? []).entries()) {
    if (webhooks.includes(webhook)) continue;
    const near = didYouMean(webhook, webhooks);
    at(['hooks', index, 'webhook'], `there is no webhook ${JSON.stringify(webhook)}${near}`);
  }
  for (const [index, { method }] of (fields.preflight?.probes ?? []).entries()) {
    if (method !== 'GET' && method !== 'HEAD')
      at(['preflight', 'probes', index, 'method'], 'a probe changes nothing: GET or HEAD');
  }
  if (ways.length === 1) shareIssues(fields, at);
}

/** Once for a blueprint, and for a rollout that says them itself. */
function shareIssues(fields: RolloutFields | null, at: At): void {
  if (fields?.steps === undefined) return;
  const shares = sharesOf(fields);
  const wrong = shares.findIndex((share, index) => index > 0 && share <= shares[index - 1]!);
  if (wrong > 0) at([], 'each step has a larger share than the one before');
  const times = fields.steps.flatMap((step) =>
    typeof step === 'object' && step.at !== undefined ? [step.at] : [],
  );
  if (times.some((time, index) => index > 0 && time <= times[index - 1]!))
    at([], 'each step is due after the one before');
}

/** What is asked of the mirror and of the analysis of the experiment is there. */
function askedIssues(config: Config, experiment: ExperimentConfig, at: At): void {
  const fields = rolloutFieldsOf(config, experiment);
  const own = (fields?.steps ?? []).flatMap((step) =>
    typeof step === 'object' ? (step.guardrails ?? []) : [],
  );
  const asked = [...(fields?.guardrails ?? []), ...own];
  const isMirrored = asked.some((guardrail) => isCounted(guardrail) && guardrail.metric === REGRESSIONS);
  if (isMirrored && experiment.mirror === undefined)
    at(['guardrails'], 'a guardrail of regressions needs a mirror: mirror: { share: 5% }');
  const metrics = experiment.analysis === undefined ? [] : metricsOf(experiment.analysis);
  const known = metrics.filter((metric) => roleOf(metric) === 'guardrail').map(({ name }) => name);
  for (const guardrail of asked) {
    if (isCounted(guardrail) || known.includes(guardrail.analysis)) continue;
    const name = JSON.stringify(guardrail.analysis);
    const isGoal = metrics.some((metric) => metric.name === guardrail.analysis);
    const hint = isGoal ? '; it is a goal: give it role: guardrail' : didYouMean(guardrail.analysis, known);
    at(['guardrails'], `the analysis has no guardrail ${name}${hint}`);
  }
}

function latencyIssue(guardrail: GuardrailConfig | AnalysisGuardrailConfig, path: ConfigPath, at: At): void {
  if (!isCounted(guardrail)) return;
  const { above } = guardrail;
  if (above === undefined || LATENCY_BOUNDS_MS.includes(above)) return;
  const known = LATENCY_BOUNDS_MS.filter((bound) => bound >= 1).map((bound) => formatBound(bound));
  at([...path, 'above'], `requests are counted up to ${known.join(', ')}; take one of these`);
}

function formatBound(ms: number): string {
  return Number.isInteger(ms) ? formatDuration(ms) : `${ms}ms`;
}
