/**
 * Which route a request takes. Pure; the table is built once per Snapshot and only read afterwards.
 *
 * The most specific matching route wins, whatever the order in the file:
 *   1. host: an exact name, then the longest `*.suffix`, then any host;
 *   2. path, segment by segment from the left: a literal beats `{parameter}`, which beats the `*` at the end;
 *   3. method: a route that names the method beats one that takes any;
 *   4. then the route that is declared first.
 * A route that does not match takes no part, so `POST /a` falls through a `GET /a` to `/*`.
 *
 * Paths are compared as they were received: case matters, and nothing is decoded or normalised, because what
 * the upstream makes of `%2e%2e` or `//` is not known here. `/x/*` also matches `/x` itself.
 *
 * The cost does not depend on the number of routes: hosts are hashed, paths walk a trie one segment at a time
 * (`path-table.ts`).
 */
import { NOT_FOUND, PathNode, PathTable } from './path-table.ts';

/** One piece of a path pattern between two slashes. */
export type PathSegment =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'parameter'; readonly name: string };

export type PathMatch =
  /** `/x/y`: this path and no other. */
  | { readonly kind: 'exact'; readonly value: string }
  /** `/x/*`: `value` is `/x/`; matches `/x` and everything below it. `/*`: every path. */
  | { readonly kind: 'prefix'; readonly value: string }
  /** `/x/{id}/y`, or with `isPrefix` `/x/{id}/*`. A parameter takes exactly one segment that is not empty. */
  | { readonly kind: 'pattern'; readonly segments: readonly PathSegment[]; readonly isPrefix: boolean };

export interface RouteMatch {
  /** Lower case, without port: `api.example.com`, or `*.example.com` for one or more labels before it. Empty: any. */
  readonly hosts: readonly string[];
  readonly path: PathMatch;
  /** Upper case. Empty: any. */
  readonly methods: readonly string[];
}

/** The root in the path table of routes that name no host. */
const ANY_HOST = 0;

const PARAMETER_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Reads the path of a route as it is written in the config file.
 * @throws RangeError with a sentence that says what was found and what was meant.
 */
export function parsePathMatch(text: string): PathMatch {
  if (!text.startsWith('/')) throw new RangeError(`the path ${quote(text)} does not begin with /`);
  const odd = /[\x00-\x20\x7f-\uffff?#]/.exec(text);
  if (odd) throw new RangeError(pathCharacterProblem(text, odd[0]));
  const isPrefix = text.endsWith('/*');
  const body = isPrefix ? text.slice(0, -1) : text;
  if (body.includes('*')) {
    throw new RangeError(
      `in ${quote(text)} the * is not a last segment; only a path that ends in /* is a prefix`,
    );
  }
  if (!/[{}]/.test(body)) return { kind: isPrefix ? 'prefix' : 'exact', value: body };
  const pieces = (isPrefix ? body.slice(0, -1) : body).slice(1).split('/');
  return { kind: 'pattern', segments: parseSegments(text, pieces), isPrefix };
}

function parseSegments(text: string, pieces: readonly string[]): PathSegment[] {
  const names = new Set<string>();
  return pieces.map((piece): PathSegment => {
    if (!/[{}]/.test(piece)) return { kind: 'literal', text: piece };
    const name = piece.slice(1, -1);
    if (!piece.startsWith('{') || !piece.endsWith('}') || !PARAMETER_NAME.test(name)) {
      throw new RangeError(
        `in ${quote(text)} the segment ${quote(piece)} is not {name}; a parameter is a whole segment`,
      );
    }
    if (names.has(name)) throw new RangeError(`in ${quote(text)} the parameter {${name}} is used twice`);
    names.add(name);
    return { kind: 'parameter', name };
  });
}

function pathCharacterProblem(text: string, character: string): string {
  if (character === '?') return `the path ${quote(text)} holds a query; routes match the path only`;
  if (character === '#') return `the path ${quote(text)} holds a fragment, which clients never send`;
  return `the path ${quote(text)} holds a character that cannot be in a request; percent-encode it`;
}

/** The path of a route as it is written in the config file; the inverse of `parsePathMatch`. */
export function formatPathMatch(match: PathMatch): string {
  if (match.kind === 'exact') return match.value;
  if (match.kind === 'prefix') return `${match.value}*`;
  const pieces = match.segments.map((segment) =>
    segment.kind === 'literal' ? segment.text : `{${segment.name}}`,
  );
  return `/${pieces.join('/')}${match.isPrefix ? '/*' : ''}`;
}

/** The routes of one direction, indexed. Immutable after construction. */
export class RouteTable<T> {
  /** Every value in the order of declaration. */
  readonly all: readonly T[];
  /** Some route names a host: without one, `match` does not look at it. */
  readonly hasHosts: boolean;
  /** Roots in `#paths`. */
  readonly #exactHosts = new Map<string, number>();
  /** By suffix without the `*.`. */
  readonly #suffixHosts = new Map<string, number>();
  readonly #paths: PathTable;

  constructor(entries: readonly { readonly match: RouteMatch; readonly value: T }[]) {
    this.all = Object.freeze(entries.map((entry) => entry.value));
    const roots = [new PathNode()];
    for (const [index, { match }] of entries.entries())
      for (const root of this.#rootsFor(match.hosts, roots)) insert(roots[root]!, match, index);
    this.hasHosts = roots.length > 1;
    this.#paths = new PathTable(roots);
    Object.freeze(this);
  }

  /**
   * The route for a request, or null when none matches.
   * @param host The authority as received, with or without port, any case; '' when there is none.
   * @param path The path without the query; '' means `/`, and `*` (OPTIONS *) is matched by `/*` only.
   */
  match(host: string, path: string, method: string): T | null {
    const index = this.indexOf(host, path, method);
    return index === NOT_FOUND ? null : this.all[index]!;
  }

  /** The same as a position in `all`, `NOT_FOUND` for none. */
  indexOf(host: string, path: string, method: string): number {
    if (this.hasHosts) {
      const found = this.#indexByHost(hostName(host), path, method);
      if (found !== NOT_FOUND) return found;
    }
    return this.#paths.find(ANY_HOST, path, method);
  }

  #indexByHost(name: string, path: string, method: string): number {
    const root = this.#exactHosts.get(name);
    const exact = root === undefined ? NOT_FOUND : this.#paths.find(root, path, method);
    if (exact !== NOT_FOUND || this.#suffixHosts.size === 0) return exact;
    for (let dot = name.indexOf('.'); dot > 0; dot = name.indexOf('.', dot + 1)) {
      const suffixRoot = this.#suffixHosts.get(name.slice(dot + 1));
      const found = suffixRoot === undefined ? NOT_FOUND : this.#paths.find(suffixRoot, path, method);
      if (found !== NOT_FOUND) return found;
    }
    return NOT_FOUND;
  }

  #rootsFor(hosts: readonly string[], roots: PathNode[]): number[] {
    if (hosts.length === 0) return [ANY_HOST];
    return hosts.map((host) => {
      const isSuffix = host.startsWith('*.');
      const map = isSuffix ? this.#suffixHosts : this.#exactHosts;
      const key = (isSuffix ? host.slice(2) : host).toLowerCase();
      const root = map.get(key) ?? roots.push(new PathNode()) - 1;
      map.set(key, root);
      return root;
    });
  }
}

/** Lower case, without port and without the dot that ends a fully qualified name. IPv6 keeps its brackets. */
export function hostName(authority: string): string {
  const colon = authority.lastIndexOf(':');
  const hasPort = colon !== -1 && authority.indexOf(']', colon) === -1;
  const name = (hasPort ? authority.slice(0, colon) : authority).toLowerCase();
  return name.endsWith('.') ? name.slice(0, -1) : name;
}

function insert(root: PathNode, match: RouteMatch, index: number): void {
  const { segments, isPrefix } = toSegments(match.path);
  let node = root;
  for (const segment of segments) {
    if (segment.kind === 'literal') node = node.literal(segment.text);
    else node = node.parameter ??= new PathNode();
  }
  const leaves = isPrefix ? node.prefix : node.exact;
  const methods = match.methods.length === 0 ? [null] : match.methods;
  for (const method of methods) leaves.push({ method, index });
}

function toSegments(path: PathMatch): { segments: readonly PathSegment[]; isPrefix: boolean } {
  if (path.kind === 'pattern') return path;
  const isPrefix = path.kind === 'prefix';
  const body = isPrefix ? path.value.slice(1, -1) : path.value.slice(1);
  const pieces = isPrefix && path.value === '/' ? [] : body.split('/');
  return { segments: pieces.map((text) => ({ kind: 'literal', text })), isPrefix };
}

function quote(text: string): string {
  return JSON.stringify(text);
}
