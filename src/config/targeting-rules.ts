/** Walking the targeting rules of a configuration, those inside others and those of segments too. Pure. */
import type { TargetingRule } from '../experiment/targeting-rule.ts';
import type { ConfigPath } from './issue.ts';
import type { SegmentConfig } from './schema-segment.ts';

export interface PlacedRule {
  readonly rule: TargetingRule;
  readonly path: ConfigPath;
}

/** Every rule of a list that is declared at `path`, each before those inside it. */
export function* rulesIn(rules: readonly TargetingRule[], path: ConfigPath): Generator<PlacedRule> {
  for (const [index, rule] of rules.entries()) yield* rulesOf(rule, [...path, index]);
}

function* rulesOf(rule: TargetingRule, path: ConfigPath): Generator<PlacedRule> {
  yield { rule, path };
  if (rule.all !== undefined) yield* rulesIn(rule.all, [...path, 'all']);
  if (rule.any !== undefined) yield* rulesIn(rule.any, [...path, 'any']);
  if (typeof rule.not === 'object') yield* rulesOf(rule.not, [...path, 'not']);
}

/** Every rule that a list comes to: with those of the segments it names, and of the ones they name, each once. */
export function* rulesReached(
  rules: readonly TargetingRule[],
  segments: Readonly<Record<string, SegmentConfig>>,
): Generator<TargetingRule> {
  const lists = [rules];
  const seen = new Set<string>();
  for (let list = lists.pop(); list !== undefined; list = lists.pop()) {
    for (const { rule } of rulesIn(list, [])) {
      yield rule;
      const name = rule.segment;
      if (name === undefined || seen.has(name) || !Object.hasOwn(segments, name)) continue;
      seen.add(name);
      lists.push(segments[name]?.rules ?? []);
    }
  }
}
