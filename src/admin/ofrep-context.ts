/**
 * The evaluation context of OpenFeature, read as the request that it describes. `headers`, `cookies`, `query`,
 * `pathParameters` and `claims` are maps; `method`, `path`, `clientAddress` and `clientIdentity` are text; every other
 * attribute that is text, a number or a yes or no is a header of that name. Pure; no message repeats a value.
 */
import { atPointer, parsePointer } from '../base/json-pointer.ts';
import { cookiesIn, describedAttributes, type Lookup } from '../experiment/described-request.ts';
import type { Claim, RequestAttributes } from '../experiment/model.ts';

export interface EvaluationContext {
  /** '': none is given. */
  readonly targetingKey: string;
  readonly request: RequestAttributes;
}

/** A context that cannot be used; `code` is one of OpenFeature's. */
export class ContextError extends Error {
  override readonly name = 'ContextError';
  readonly code: 'PARSE_ERROR' | 'INVALID_CONTEXT';

  constructor(code: 'PARSE_ERROR' | 'INVALID_CONTEXT', message: string) {
    super(message);
    this.code = code;
  }
}

const MAPS = ['headers', 'cookies', 'query', 'pathParameters', 'claims'] as const;
const TEXTS = ['targetingKey', 'method', 'path', 'clientAddress', 'clientIdentity'] as const;
const RESERVED: ReadonlySet<string> = new Set([...MAPS, ...TEXTS]);

type Tree = Readonly<Record<string, unknown>>;
type Texts = Readonly<Partial<Record<(typeof TEXTS)[number], string>>>;
type Maps = Readonly<Partial<Record<(typeof MAPS)[number], Tree>>>;

/** Reads the token of a request, when the context has no claims. */
export type TokenReader = (request: RequestAttributes) => { claim(pointer: string): Claim | null } | null;

/** @param body Of the request to evaluate; no body is an empty one. @throws ContextError */
export function readContext(body: unknown, readToken: TokenReader): EvaluationContext {
  if (!isTree(body ?? {})) throw new ContextError('PARSE_ERROR', 'the body is no JSON object');
  const context = (body as Tree | null | undefined)?.context ?? {};
  if (!isTree(context)) throw new ContextError('INVALID_CONTEXT', 'context is no object');
  const texts: Texts = Object.fromEntries(TEXTS.map((name) => [name, textAt(context, name)]));
  const maps: Maps = Object.fromEntries(MAPS.map((name) => [name, treeAt(context, name)]));
  return { targetingKey: texts.targetingKey ?? '', request: requestOf(context, { texts, maps }, readToken) };
}

interface Parts {
  readonly texts: Texts;
  readonly maps: Maps;
}

function requestOf(context: Tree, { texts, maps }: Parts, readToken: TokenReader): RequestAttributes {
  const headers = headersOf(context, maps.headers ?? {});
  const target = texts.path ?? '/';
  const mark = target.indexOf('?');
  const { claims } = maps;
  let token: ReturnType<TokenReader> | undefined;
  const request: RequestAttributes = describedAttributes({
    method: texts.method ?? 'GET',
    path: mark === -1 ? target : target.slice(0, mark),
    headers,
    cookies:
      maps.cookies === undefined ? cookiesIn(headers.get('cookie') ?? null) : lookup('cookies', maps.cookies),
    query:
      maps.query === undefined
        ? new URLSearchParams(mark === -1 ? '' : target.slice(mark))
        : lookup('query', maps.query),
    pathParameters: lookup('pathParameters', maps.pathParameters ?? {}),
    clientIdentity: texts.clientIdentity ?? null,
    clientAddress: texts.clientAddress ?? null,
    claim: (pointer) => {
      if (claims !== undefined) return claimAt(claims, pointer);
      if (token === undefined) token = readToken(request);
      return token?.claim(pointer) ?? null;
    },
  });
  return request;
}

/** What is said to be a header goes before what is taken for one. */
function headersOf(context: Tree, declared: Tree): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const [name, value] of Object.entries(context)) {
    if (!RESERVED.has(name) && isScalar(value)) headers.set(name.toLowerCase(), String(value));
  }
  for (const [name, value] of Object.entries(declared)) {
    const values = Array.isArray(value) ? value : [value];
    if (!values.every(isScalar)) throw invalid('headers', 'text, numbers, yes or no, or lists of them');
    headers.set(name.toLowerCase(), values.join(', '));
  }
  return headers;
}

function lookup(name: string, tree: Tree): Lookup {
  const texts = new Map<string, string>();
  for (const [key, value] of Object.entries(tree)) {
    if (!isScalar(value)) throw invalid(name, 'text, numbers, and yes or no');
    texts.set(key, String(value));
  }
  return texts;
}

/** Whoever asks stands where the upstream does, behind all that verifies: what it says of its user is as good. */
function claimAt(claims: Tree, pointer: string): Claim | null {
  const steps = parsePointer(pointer);
  const value = steps === null ? undefined : atPointer(claims, steps);
  return isScalar(value) ? { value, isVerified: true } : null;
}

function textAt(context: Tree, name: string): string | undefined {
  const value = context[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw new ContextError('INVALID_CONTEXT', `${name} is no text`);
  return value;
}

function treeAt(context: Tree, name: string): Tree | undefined {
  const value = context[name];
  if (value === undefined || value === null) return undefined;
  if (!isTree(value)) throw new ContextError('INVALID_CONTEXT', `${name} is no object`);
  return value;
}

function invalid(name: string, wanted: string): ContextError {
  return new ContextError('INVALID_CONTEXT', `${name} holds something else than ${wanted}`);
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isScalar(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}
