/** The request that `explain` is about, as people describe it: like for curl, or pasted whole. */
import { isIP } from 'node:net';
import { TOKEN } from '../config/schema-values.ts';
import { didYouMean } from '../config/suggest.ts';
import type { DescribedRequest } from './explain-request.ts';
import { CliError, Exit } from './io.ts';

export interface RequestDescription {
  /** Path and query, or a whole URL; `-`: a request as it is sent, on standard input. */
  readonly target: string;
  /** Default: that of the pasted request, else GET. */
  readonly method?: string | undefined;
  /** `name: value`; added to those of a pasted request. */
  readonly header: readonly string[];
  /** `name=value; other=value`. */
  readonly cookie?: readonly string[] | undefined;
  readonly outbound?: boolean | undefined;
  readonly clientIdentity?: string | undefined;
  readonly clientAddress?: string | undefined;
  readonly listener?: string | undefined;
}

const METHOD = /^[A-Z][A-Z-]*$/;
const USUAL_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
/** A head is not larger; what is behind it is not looked at. */
const PASTE_MAX_BYTES = 256 * 1024;

/**
 * @param input Read when the target is `-`.
 * @throws CliError for what cannot be a request.
 */
export async function describe(
  description: RequestDescription,
  input: AsyncIterable<Uint8Array | string>,
): Promise<DescribedRequest> {
  const { target, header, cookie = [], method, clientAddress } = description;
  if (method !== undefined) checkMethod(method);
  if (clientAddress !== undefined) checkAddress(clientAddress);
  const typed = target === '-' ? pasted(await readAll(input)) : { method: 'GET', target, headers: [] };
  const headers = new Map<string, string>();
  for (const line of typed.headers) addField(headers, line);
  for (const line of header) addField(headers, line);
  for (const line of cookie) addField(headers, `cookie: ${line}`);
  const { host, path, query } = split(typed.target);
  return {
    direction: description.outbound === true ? 'outbound' : 'inbound',
    method: method ?? typed.method,
    host: host ?? headers.get('host') ?? '',
    path,
    query,
    headers,
    clientIdentity: description.clientIdentity ?? null,
    clientAddress: clientAddress ?? null,
    listener: description.listener,
  };
}

/** @throws CliError for what is none, and for `get`: methods differ by case, so it would match no route for GET */
function checkMethod(method: string): void {
  const isMeant = !USUAL_METHODS.includes(method) && USUAL_METHODS.includes(method.toUpperCase());
  if (TOKEN.test(method) && !isMeant) return;
  const meant = method.replace(/[^A-Za-z]/g, '').toUpperCase();
  const near = USUAL_METHODS.includes(meant) ? didYouMean(meant, USUAL_METHODS) : '; write one such as GET';
  throw new CliError(Exit.usage, `--method ${JSON.stringify(method)} is not a method${near}`);
}

function checkAddress(address: string): void {
  if (isIP(address) !== 0) return;
  throw new CliError(
    Exit.usage,
    `--client-address ${JSON.stringify(address)} is not an IP address; write one such as 10.1.2.3 or fd00::1, without a port`,
  );
}

interface Typed {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly string[];
}

/** `TARGET`, or `METHOD TARGET`; nothing is `/`. @throws CliError for anything else */
export function fromWords(words: readonly string[]): { target: string; method?: string } {
  const [first = '/', second, ...more] = words;
  if (second === undefined) return { target: first };
  if (more.length === 0 && METHOD.test(first)) return { method: first, target: second };
  throw new CliError(
    Exit.usage,
    `${JSON.stringify(words.join(' '))} is not a request; write a path, or a method and a path`,
  );
}

function pasted(text: string): Typed {
  const [start = '', ...lines] = text.replace(/^\s+/, '').split(/\r?\n/);
  const match = /^([A-Z][A-Z-]*) (\S+)(?: HTTP\/[0-9.]+)?$/.exec(start.trim());
  if (match === null)
    throw new CliError(
      Exit.usage,
      'what is on standard input does not begin with a request line such as GET / HTTP/1.1',
    );
  const end = lines.indexOf('');
  return { method: match[1]!, target: match[2]!, headers: end === -1 ? lines : lines.slice(0, end) };
}

function addField(headers: Map<string, string>, line: string): void {
  const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line);
  if (match === null)
    throw new CliError(Exit.usage, `${JSON.stringify(line)} is not a header; write 'name: value'`);
  const [, name = '', value = ''] = match;
  const before = headers.get(name.toLowerCase());
  const between = name.toLowerCase() === 'cookie' ? '; ' : ', ';
  headers.set(name.toLowerCase(), before === undefined ? value : `${before}${between}${value}`);
}

function split(text: string): { host: string | null; path: string; query: string } {
  const url = /^https?:\/\/([^/?#]*)([^#]*)/i.exec(text);
  const rest = url === null ? text : (url[2] ?? '');
  const target = url !== null && !rest.startsWith('/') ? `/${rest}` : rest;
  if (!target.startsWith('/') && target !== '*')
    throw new CliError(Exit.usage, `${JSON.stringify(text)} is neither a path that begins with / nor a URL`);
  const mark = target.indexOf('?');
  return {
    host: url?.[1] ?? null,
    path: mark === -1 ? target : target.slice(0, mark),
    query: mark === -1 ? '' : target.slice(mark + 1),
  };
}

async function readAll(input: AsyncIterable<Uint8Array | string>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of input) {
    chunks.push(Buffer.from(chunk));
    bytes += chunk.length;
    if (bytes > PASTE_MAX_BYTES) break;
  }
  return Buffer.concat(chunks).toString('utf8').slice(0, PASTE_MAX_BYTES);
}
