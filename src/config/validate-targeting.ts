/**
 * Targeting rules and segments that cannot be compiled, name what is not there, or are more than a request should be
 * asked. Pure. Every rule is compiled by itself, so that each mistake is told, with its place.
 */
import type { Segments } from '../experiment/segment.ts';
import { compileTargeting, DEPTH_MAX, RULES_MAX } from '../experiment/targeting.ts';
import { TargetingError } from '../experiment/targeting-error.ts';
import type { TargetingRule } from '../experiment/targeting-rule.ts';
import { pathParameters } from '../routing/path-parameters.ts';
import type { ConfigIssue, ConfigPath } from './issue.ts';
import type { IssueAt } from './parse.ts';
import type { Config } from './schema.ts';
import { didYouMean } from './suggest.ts';
import { type PlacedRule, rulesIn } from './targeting-rules.ts';

/** How much a rule comes to, the segments it names included. */
interface Extent {
  readonly rules: number;
  readonly depth: number;
}

const NOTHING: Extent = { rules: 0, depth: 0 };

/** Every mistake and warning in the targeting of the experiments and in the segments. */
export function targetingIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  const lists: { path: ConfigPath; rules: readonly TargetingRule[] }[] = [];
  for (const [name, { rules }] of Object.entries(config.segments))
    if (rules !== undefined) lists.push({ path: ['segments', name, 'rules'], rules });
  for (const [name, { targeting }] of Object.entries(config.experiments))
    lists.push({ path: ['experiments', name, 'targeting'], rules: targeting });
  const placed = lists.flatMap(({ path, rules }) => [...rulesIn(rules, path)]);
  const measure = new Measure(config);
  const issues = [
    ...placed.flatMap((one) => ruleIssues(one, config, issueAt)),
    ...placed.flatMap((one) => vainIssues(one, config, issueAt)),
    ...unused(config, placed, issueAt),
  ];
  for (const name of Object.keys(config.segments)) measure.ofSegment(name);
  for (const { path, rules } of lists) {
    const message = measure.problem(rules);
    if (message !== null) issues.push(issueAt(path, message, { isKey: true }));
  }
  for (const name of measure.cycles)
    issues.push(
      issueAt(['segments', name], 'this segment is made of itself, by way of its rules', { isKey: true }),
    );
  return issues;
}

/** What is wrong with a rule by itself; those inside it are rules of their own. */
function ruleIssues({ rule, path }: PlacedRule, config: Config, issueAt: IssueAt): ConfigIssue[] {
  if (rule.all !== undefined || rule.any !== undefined || typeof rule.not === 'object') return [];
  const { segment } = rule;
  if (segment !== undefined && !Object.hasOwn(config.segments, segment)) {
    const near = didYouMean(segment, Object.keys(config.segments));
    return [issueAt([...path, 'segment'], `there is no segment ${JSON.stringify(segment)}${near}`)];
  }
  try {
    compileTargeting(rule, segment === undefined ? undefined : outline(config, segment));
    return [];
  } catch (error) {
    if (!(error instanceof TargetingError)) throw error;
    return [issueAt([...path, ...error.path], error.message)];
  }
}

/** A rule about what no request has here. */
function vainIssues({ rule, path }: PlacedRule, config: Config, issueAt: IssueAt): ConfigIssue[] {
  const warn = (key: string, message: string): ConfigIssue[] => [
    issueAt([...path, key], message, { severity: 'warning' }),
  ];
  if (rule.claim !== undefined && config.identity.jwt === undefined) {
    const message = 'identity.jwt is not configured, so no token is read and there is never a claim';
    return warn('claim', message);
  }
  const parameter = rule.pathParameter;
  if (parameter === undefined) return [];
  const [section, name] = path;
  const routes = (config.routes ?? []).filter(
    ({ experiments }) => section !== 'experiments' || experiments.includes(String(name)),
  );
  const hasIt = routes.some(({ match }) => pathParameters(match.path)?.has(parameter) === true);
  return hasIt
    ? []
    : warn(
        'pathParameter',
        `no route ${section === 'experiments' ? 'of this experiment ' : ''}has {${parameter}} in its path`,
      );
}

/** A segment of the same kind, with nothing in it. */
function outline(config: Config, name: string): Segments {
  const isRules = config.segments[name]?.rules !== undefined;
  return new Map([
    [name, isRules ? { kind: 'rules', name, clauses: [] } : { kind: 'ids', name, has: () => false }],
  ]);
}

function unused(config: Config, placed: readonly PlacedRule[], issueAt: IssueAt): ConfigIssue[] {
  const used = new Set(placed.map(({ rule }) => rule.segment));
  return Object.keys(config.segments)
    .filter((name) => !used.has(name))
    .map((name) =>
      issueAt(['segments', name], 'no rule names this segment', { isKey: true, severity: 'warning' }),
    );
}

/** Counts what lists of rules come to; each segment is looked into once. */
class Measure {
  /** Segments that hold themselves. */
  readonly cycles = new Set<string>();
  readonly #config: Config;
  readonly #known = new Map<string, Extent>();
  readonly #open = new Set<string>();

  constructor(config: Config) {
    this.#config = config;
  }

  /** Why these rules are too many or too deep, or null. */
  problem(rules: readonly TargetingRule[]): string | null {
    const extent = this.#ofList(rules);
    if (extent.rules > RULES_MAX)
      return `comes to ${extent.rules} rules, those of its segments included; the limit is ${RULES_MAX}`;
    if (extent.depth > DEPTH_MAX)
      return `rules are nested ${extent.depth} deep, those of its segments included; the limit is ${DEPTH_MAX}`;
    return null;
  }

  #ofList(rules: readonly TargetingRule[]): Extent {
    let [count, depth] = [0, 0];
    for (const rule of rules) {
      const extent = this.#ofRule(rule);
      count += extent.rules;
      depth = Math.max(depth, extent.depth);
    }
    return { rules: count, depth };
  }

  #ofRule(rule: TargetingRule): Extent {
    const inside = this.#inside(rule);
    return { rules: inside.rules + 1, depth: inside.depth + 1 };
  }

  #inside(rule: TargetingRule): Extent {
    if (rule.all !== undefined) return this.#ofList(rule.all);
    if (rule.any !== undefined) return this.#ofList(rule.any);
    if (typeof rule.not === 'object') return this.#ofRule(rule.not);
    return rule.segment === undefined ? NOTHING : this.ofSegment(rule.segment);
  }

  ofSegment(name: string): Extent {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    if (this.#open.has(name)) {
      this.cycles.add(name);
      return NOTHING;
    }
    this.#open.add(name);
    const rules = Object.hasOwn(this.#config.segments, name) ? this.#config.segments[name]?.rules : undefined;
    const extent = this.#ofList(rules ?? []);
    this.#open.delete(name);
    this.#known.set(name, extent);
    return extent;
  }
}
