/** What is collected and judged: metrics that have a source, one each, and settings that fit it. Pure. */
import { MEASURES_MAX } from '../analysis/collection/measure.ts';
import { isBuiltIn, isTooLoose, metricsOf, readMargin, unitOf } from './compile-analysis.ts';
import type { ConfigIssue, ConfigPath } from './issue.ts';
import type { IssueAt } from './parse.ts';
import type { Config } from './schema.ts';
import { type AnalysisConfig, BUILT_IN, type MetricConfig } from './schema-analysis.ts';
import { didYouMean } from './suggest.ts';

/** What is kept of a unit has a byte for its variant, and alpha is shared by all of them. */
const VARIANTS_MAX = 100;

type At = (keys: ConfigPath, message: string) => void;

/** Every mistake in what is to be analysed. */
export function analysisIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  for (const [name, { analysis, variants }] of Object.entries(config.experiments)) {
    if (analysis === undefined) continue;
    const at: At = (keys, message) =>
      issues.push(issueAt(['experiments', name, 'analysis', ...keys], message));
    if (Object.keys(variants).length > VARIANTS_MAX)
      at([], `at most ${VARIANTS_MAX} variants can be compared; found ${Object.keys(variants).length}`);
    checkAnalysis(analysis, at);
  }
  return issues;
}

function checkAnalysis(analysis: AnalysisConfig, at: At): void {
  if (isTooLoose(analysis)) at(['alpha'], 'at most 50%: an interval that is wrong more often says nothing');
  const metrics = metricsOf(analysis);
  const own = metrics.filter(({ name }) => !isBuiltIn(name));
  if (own.length > MEASURES_MAX)
    at(['metrics'], `at most ${MEASURES_MAX} metrics of your own; found ${own.length}`);
  for (const [index, metric] of metrics.entries()) {
    const inMetric: At = (keys, message) => at(['metrics', index, ...keys], message);
    if (metrics.findIndex(({ name }) => name === metric.name) !== index)
      inMetric(['name'], `two metrics are called ${JSON.stringify(metric.name)}`);
    if (isBuiltIn(metric.name)) checkBuiltIn(metric, inMetric);
    else checkOwn(metric, inMetric);
    checkMargin(metric, inMetric);
    if (metric.by === 'served' && metric.over === 'units')
      inMetric(['over'], 'units are compared by what they were assigned; by: served is over requests');
  }
}

function checkBuiltIn(metric: MetricConfig, at: At): void {
  for (const key of ['header', 'trailer', 'event', 'per', 'unit'] as const)
    if (metric[key] !== undefined)
      at([key], `${metric.name} has no ${key}; give your own metric another name`);
  if (/^p[0-9]/.test(metric.name) && metric.over === 'units') at(['over'], 'a quantile is one of requests');
}

function checkOwn(metric: MetricConfig, at: At): void {
  const { name, event, per, over, by, better, role, margin } = metric;
  const sources = (['header', 'trailer', 'event'] as const).filter((key) => metric[key] !== undefined);
  if (sources.length === 0) {
    const near = didYouMean(name, BUILT_IN);
    at(
      [],
      `${JSON.stringify(name)} needs a header, a trailer or event: true, since it is not built in${near}`,
    );
  }
  if (sources.length > 1) at([sources[1]!], `its values come from ${sources.join(' and from ')}; keep one`);
  if (better === undefined) at([], 'say which is better: lower or higher');
  if (event === true && (over === 'requests' || by === 'served'))
    at([over === 'requests' ? 'over' : 'by'], 'events belong to units and not to requests');
  if ((per === 'unit' || per === 'request') && over === 'requests')
    at(['over'], `per: ${per} is compared over units; over requests it is value by value`);
  if (role === 'guardrail' && (margin === undefined || margin === 0) && unitOf(metric) === 'number')
    at([], 'a guardrail on a number needs a margin: without one it never passes');
}

function checkMargin(metric: MetricConfig, at: At): void {
  if (metric.margin === undefined) return;
  const read = readMargin(metric.margin, unitOf(metric));
  if (!read.ok) at(['margin'], read.problem);
}
