/** What alerts and dashboards ask of Prometheus, taken apart far enough to compare it with what there is. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const ROOT = join(import.meta.dirname, '../..');
export const RULES = join(ROOT, 'config/prometheus/fairlead-alerts.yaml');
export const RULE_TESTS = join(ROOT, 'config/prometheus/tests');
export const DASHBOARDS = join(ROOT, 'config/grafana');
export const RUNBOOKS = join(ROOT, 'docs/runbooks');

export interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export function rules(): Rule[] {
  const { groups } = parse(readFileSync(RULES, 'utf8')) as { groups: { rules: Rule[] }[] };
  return groups.flatMap((group) => group.rules);
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: { readonly uid: string };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly {
    readonly refId: string;
    readonly expr: string;
    readonly legendFormat: string;
    readonly datasource: { readonly uid: string };
  }[];
}

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly annotations: {
    readonly list: readonly { readonly expr: string; readonly titleFormat: string }[];
  };
  readonly templating: {
    readonly list: readonly {
      readonly name: string;
      readonly type: string;
      readonly query: string | { readonly query: string };
    }[];
  };
  readonly links: readonly { readonly url: string }[];
}

/** The dashboards by the names of their files, without `.json`. */
export function dashboards(): [string, Dashboard][] {
  return readdirSync(DASHBOARDS).map((file) => [
    file.replace(/\.json$/, ''),
    JSON.parse(readFileSync(join(DASHBOARDS, file), 'utf8')) as Dashboard,
  ]);
}

/** Every expression of a dashboard, with what Grafana puts in for its variables. */
export function expressions({ panels, annotations, templating }: Dashboard): string[] {
  const asked = [
    ...panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
    ...annotations.list.map(({ expr }) => expr),
    ...templating.list.flatMap(({ type, query }) =>
      type === 'query' && typeof query === 'object'
        ? [query.query.replace(/^label_values\((.*), \w+\)$/, '$1')]
        : [],
    ),
  ];
  return asked.map(filledIn);
}

export function filledIn(expr: string): string {
  return expr.replaceAll('$__rate_interval', '2m').replaceAll(/\$[a-z]+/g, 'x');
}

/** A metric that is asked for, with the values that each label is compared with. */
export interface Selector {
  readonly name: string;
  readonly labels: Readonly<Record<string, readonly string[]>>;
}

const SELECTOR = /\b((?:fairlead|process|nodejs|job)_[a-z0-9_:]+|up)\b(?:\{([^}]*)\})?/g;

/** The metrics of an expression, the labels it groups by or joins on, and those that it writes. */
export function taken(expr: string): { selectors: Selector[]; labels: string[]; written: string[] } {
  const lists = /\b(?:by|on|without|ignoring|group_left)\s*\(([^)]*)\)/g;
  const labels = [...expr.matchAll(lists)].flatMap(([, list]) => names(list!));
  const writes = /,\s*"(\w+)", "[^"]*", "", ""/g;
  const written = [...expr.matchAll(writes)].map((match) => match[1]!);
  const rest = expr.replaceAll(lists, ' ').replaceAll(writes, ' ');
  const selectors = [...rest.matchAll(SELECTOR)].map(([, name, matchers = '']) => ({
    name: name!,
    labels: Object.fromEntries(
      [...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"/g)].map(([, label, value]) => [
        label,
        value!.split('|'),
      ]),
    ),
  }));
  return { selectors, labels, written };
}

function names(list: string): string[] {
  return list
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}
