/**
 * The values of `{id}` in the path of a route. A parameter takes one whole segment, so which one it is is known when
 * the route is compiled: matching keeps nothing, and a route whose parameters nobody reads pays nothing.
 */
import type { PathMatch } from './match.ts';

/** By name: which segment of the path, from 0. */
export type PathParameters = ReadonlyMap<string, number>;

/** The parameters of a path, null when it has none. */
export function pathParameters(path: PathMatch): PathParameters | null {
  if (path.kind !== 'pattern') return null;
  const parameters = new Map<string, number>();
  for (const [index, segment] of path.segments.entries())
    if (segment.kind === 'parameter') parameters.set(segment.name, index);
  return parameters.size === 0 ? null : parameters;
}

/**
 * The value in a path that matched, percent-decoded so that an id is the same here as in the query or a header; as it
 * is when it is no UTF-8. Null when there is no parameter of the name, or nothing in its place.
 */
export function parameterOf(parameters: PathParameters, path: string, name: string): string | null {
  const index = parameters.get(name);
  if (index === undefined) return null;
  let start = 1;
  for (let i = 0; i < index; i++) {
    const slash = path.indexOf('/', start);
    if (slash === -1) return null;
    start = slash + 1;
  }
  const slash = path.indexOf('/', start);
  const text = path.slice(start, slash === -1 ? path.length : slash);
  return text === '' ? null : decoded(text);
}

function decoded(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
