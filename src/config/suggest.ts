/**
 * "Did you mean": the known name nearest to one that is not known. Pure.
 */

/** What other proxies and older drafts call a key. Only used when the name on the right is a known one. */
const ALIASES: Readonly<Record<string, string>> = {
  arms: 'variants',
  backend: 'upstream',
  backends: 'upstreams',
  bind: 'address',
  breakers: 'breaker',
  circuitbreaker: 'breaker',
  clusters: 'upstreams',
  cluster: 'upstream',
  default: 'fallback',
  errorbudget: 'errorRate',
  errorratio: 'errorRate',
  failurerate: 'errorRate',
  hostname: 'host',
  hosts: 'host',
  listen: 'address',
  logs: 'accessLog',
  methods: 'method',
  paths: 'path',
  percent: 'weight',
  percentage: 'weight',
  prefix: 'path',
  regex: 'matches',
  rule: 'targeting',
  rules: 'targeting',
  seed: 'salt',
  servers: 'endpoints',
  slowrate: 'rate',
  split: 'variants',
  state: 'stateFile',
  targets: 'endpoints',
  timeout: 'timeouts',
  ttl: 'dedupeWindow',
  uri: 'path',
  value: 'equals',
  values: 'in',
};

/** Names longer than this are not compared: the work grows with the square. */
const COMPARED_MAX = 64;

/** The nearest of `known`, or null when none is near enough to be what was meant. */
export function nearest(text: string, known: readonly string[]): string | null {
  const plain = simplify(text);
  const alias = Object.hasOwn(ALIASES, plain) ? ALIASES[plain] : undefined;
  const same = known.find((name) => simplify(name) === plain);
  if (same !== undefined) return same;
  if (alias !== undefined && known.includes(alias)) return alias;
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(Math.min(plain.length, COMPARED_MAX) / 3)) + 1;
  for (const name of known) {
    const distance = editDistance(plain, simplify(name));
    if (distance < bestDistance) {
      best = name;
      bestDistance = distance;
    }
  }
  return best;
}

/** ` (did you mean "x"?)`, or a list of what there is when nothing is near and the list is short. */
export function didYouMean(text: string, known: readonly string[]): string {
  const name = nearest(text, known);
  if (name !== null) return `; did you mean ${JSON.stringify(name)}?`;
  if (known.length === 0 || known.length > 20) return '';
  return `; known here: ${known.join(', ')}`;
}

/** Without case and separators, so that `error_rate` and `errorRate` are the same word. */
function simplify(text: string): string {
  return text.toLowerCase().replaceAll(/[-_. ]/g, '');
}

/** Damerau-Levenshtein (optimal string alignment): insert, delete, change, swap neighbours. */
function editDistance(left: string, right: string): number {
  if (left.length > COMPARED_MAX || right.length > COMPARED_MAX) return COMPARED_MAX;
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const current = [i];
    for (let j = 1; j <= right.length; j++) {
      const cost = left[i - 1] === right[j - 1] ? 0 : 1;
      let best = Math.min(at(current, j - 1) + 1, at(previous, j) + 1, at(previous, j - 1) + cost);
      const isSwap = i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1];
      if (isSwap) best = Math.min(best, at(beforePrevious, j - 2) + 1);
      current.push(best);
    }
    beforePrevious = previous;
    previous = current;
  }
  return at(previous, right.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.MAX_SAFE_INTEGER;
}
