/**
 * Settings from the environment: `FAIRLEAD_ADMIN__TOKEN_FILE=/run/secrets/token` is `admin.tokenFile`. They win
 * over the file. Pure: the environment is an argument.
 *
 * Two underscores go one level down; case, `_` and `-` inside a name do not matter; a number picks from a list.
 * Lists and maps are written as YAML: `FAIRLEAD_UPSTREAMS__APP__ENDPOINTS='["127.0.0.1:9001"]'`.
 * A variable with `__` that fits nothing is an error. One without is only read when it names a top-level value,
 * because Kubernetes itself sets FAIRLEAD_PORT and the like for a Service of that name.
 */
import type { ConfigPath } from './issue.ts';
import { knownKeysAt, schemasAt } from './json-schema.ts';
import { didYouMean } from './suggest.ts';
import { parseYaml } from './yaml.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface EnvironmentProblem {
  readonly variable: string;
  readonly path: ConfigPath;
  readonly message: string;
}

export interface Overlay {
  /** A copy of the tree with the settings put in. */
  readonly value: unknown;
  readonly problems: readonly EnvironmentProblem[];
  /** Which variable gave the value at a path or above it, or null. */
  variableAt(path: ConfigPath): string | null;
}

const PREFIX = 'FAIRLEAD_';
/** Names a shell or image sets for other purposes. */
const NOT_SETTINGS = new Set(['version']);
const SCALARS = new Set(['string', 'integer', 'boolean']);

/** @param tree The plain values of the file. */
export function applyEnvironment(tree: unknown, environment: Environment): Overlay {
  const problems: EnvironmentProblem[] = [];
  const applied: { variable: string; path: ConfigPath }[] = [];
  let value = tree;
  for (const variable of Object.keys(environment).sort()) {
    const text = environment[variable];
    if (text === undefined || !variable.startsWith(PREFIX)) continue;
    const found = resolvePath(variable.slice(PREFIX.length).split('__'), value);
    if (found.path === null) {
      if (found.problem !== null) problems.push({ variable, path: [], message: found.problem });
      continue;
    }
    const read = readValue(text, found.path);
    if (read.problem !== null) {
      problems.push({ variable, path: found.path, message: read.problem });
      continue;
    }
    value = withValue(value, found.path, read.value);
    applied.push({ variable, path: found.path });
  }
  return { value, problems, variableAt: (path) => findVariable(applied, path) };
}

function findVariable(
  applied: readonly { variable: string; path: ConfigPath }[],
  path: ConfigPath,
): string | null {
  const covers = (prefix: ConfigPath): boolean => prefix.every((step, index) => step === path[index]);
  return applied.findLast((entry) => covers(entry.path))?.variable ?? null;
}

function resolvePath(
  names: readonly string[],
  tree: unknown,
): { path: ConfigPath | null; problem: string | null } {
  const path: (string | number)[] = [];
  let node = tree;
  for (const name of names) {
    const step = resolveStep(name, path, node);
    if (step === null) {
      if (names.length === 1) return { path: null, problem: null };
      const known = knownKeysAt(path);
      return {
        path: null,
        problem: `nothing is called ${JSON.stringify(name.toLowerCase())} there${didYouMean(name, known)}`,
      };
    }
    path.push(step);
    node =
      typeof node === 'object' && node !== null
        ? (node as Record<string | number, unknown>)[step]
        : undefined;
  }
  if (names.length === 1 && !isTopLevelScalar(path)) return { path: null, problem: null };
  return { path, problem: null };
}

function isTopLevelScalar(path: ConfigPath): boolean {
  if (NOT_SETTINGS.has(String(path[0]))) return false;
  return schemasAt(path).every(({ type }) => SCALARS.has(String(type)));
}

function resolveStep(name: string, path: ConfigPath, node: unknown): string | number | null {
  const isSame = (key: string): boolean => simplify(key) === simplify(name);
  const known = knownKeysAt(path).find(isSame);
  if (known !== undefined) return known;
  const schemas = schemasAt(path);
  if (/^[0-9]+$/.test(name) && schemas.some((schema) => schema.items !== undefined)) {
    const length = Array.isArray(node) ? node.length : 0;
    return Number(name) <= length ? Number(name) : null;
  }
  if (!schemas.some((schema) => typeof schema.additionalProperties === 'object')) return null;
  const existing = typeof node === 'object' && node !== null ? Object.keys(node).find(isSame) : undefined;
  return existing ?? name.toLowerCase().replaceAll('_', '-');
}

function readValue(text: string, path: ConfigPath): { value: unknown; problem: string | null } {
  const schemas = schemasAt(path);
  const takes = (type: string): boolean => schemas.some((schema) => schema.type === type);
  const looksStructured = /^\s*[[{]/.test(text);
  if (looksStructured && (takes('object') || takes('array'))) {
    const parsed = parseYaml(text);
    const problem = parsed.problems[0];
    return problem === undefined
      ? { value: parsed.value, problem: null }
      : { value: null, problem: `${problem.message} (column ${problem.column})` };
  }
  if (takes('boolean') && /^(true|false)$/i.test(text))
    return { value: text.toLowerCase() === 'true', problem: null };
  if ((takes('integer') || takes('number')) && /^[0-9]{1,15}$/.test(text))
    return { value: Number(text), problem: null };
  return { value: text, problem: null };
}

/** A copy of `tree` with one value changed; what is not on the path is shared. */
function withValue(tree: unknown, path: ConfigPath, value: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  if (typeof step === 'number') {
    const list = Array.isArray(tree) ? [...tree] : [];
    list[step] = withValue(list[step], rest, value);
    return list;
  }
  const map = Object.assign(
    Object.create(null),
    typeof tree === 'object' && !Array.isArray(tree) ? tree : {},
  );
  map[step] = withValue(map[step], rest, value);
  return map;
}

function simplify(name: string): string {
  return name.toLowerCase().replaceAll(/[-_.]/g, '');
}
