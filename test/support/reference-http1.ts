/**
 * A second reading of RFC 9112, slow and made of regular expressions, for comparing the codec with. It shares no
 * code and no table with src/http1 and was written from the grammar. Whole messages only.
 */

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const AUTHORITY =
  /^(?:(?:[A-Za-z0-9._~!$&'()*+;=-]|%[0-9A-Fa-f]{2})+|\[(?=[^\]]*:[^\]]*:)[0-9A-Fa-f:.]+\])(?::(\d{0,5}))?$/;
const REQUEST_LINE = new RegExp(`^(${TOKEN}) ([\\x21\\x22\\x24-\\x7e]+) HTTP/1\\.([01])$`);
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/;
const FIELD = new RegExp(`^(${TOKEN}):([\\t\\x20-\\x7e\\x80-\\xff]*)$`);
const METHOD_MAX_BYTES = 32;

export interface ReferenceMessage {
  readonly startLine: string;
  readonly fields: readonly string[];
  readonly body: 'none' | 'chunked' | 'untilClose' | `length ${number}`;
  /** Bytes up to the body. */
  readonly size: number;
}

/** The message at the beginning of `text`, or null when it is refused or its head is not complete. */
export function referenceRequest(text: string): ReferenceMessage | null {
  const skipped = text.startsWith('\r\n') ? 2 : 0;
  const lines = headLines(text.slice(skipped));
  const start = REQUEST_LINE.exec(lines?.[0] ?? '');
  if (lines === null || start === null) return null;
  const [, method = '', target = '', minor] = start;
  const fields = readFields(lines);
  if (
    fields === null ||
    !isTarget(method, target) ||
    method === 'CONNECT' ||
    method.length > METHOD_MAX_BYTES
  )
    return null;
  const hosts = values(fields, 'host');
  if (
    hosts.length > 1 ||
    (hosts.length === 0 && minor === '1') ||
    !hosts.every((host) => isAuthority(trimmed(host)))
  )
    return null;
  const isCounted = method === 'TRACE' || method === 'OPTIONS';
  const forwards = values(fields, 'max-forwards').map(trimmed);
  if (isCounted && (forwards.length > 1 || !forwards.every((count) => /^\d*[1-9]\d*$/.test(count))))
    return null;
  const body = framing(fields, minor === '1', 'none');
  return body && { startLine: lines[0]!, fields: tidy(fields), body, size: skipped + sizeOf(lines) };
}

/** The same for the response to `method`. */
export function referenceResponse(text: string, method: string): ReferenceMessage | null {
  const lines = headLines(text);
  const start = STATUS_LINE.exec(lines?.[0] ?? '');
  const fields = lines && readFields(lines);
  if (lines === null || start === null || fields === null) return null;
  const status = Number(start[2]);
  const body = framing(fields, start[1] === '1', 'untilClose');
  if (body === null) return null;
  const result = { startLine: lines[0]!, fields: tidy(fields), size: sizeOf(lines) };
  const isWithoutLength = status < 200 || status === 204;
  if (isWithoutLength && (body === 'chunked' || body.startsWith('length'))) return null;
  return { ...result, body: isWithoutLength || status === 304 || method === 'HEAD' ? 'none' : body };
}

function headLines(text: string): string[] | null {
  const end = text.indexOf('\r\n\r\n');
  return end < 0 ? null : text.slice(0, end).split('\r\n');
}

function sizeOf(lines: readonly string[]): number {
  return lines.reduce((size, line) => size + line.length + 2, 2);
}

function readFields(lines: readonly string[]): [string, string][] | null {
  const fields = lines.slice(1).map((line) => FIELD.exec(line));
  return fields.includes(null) ? null : fields.map((field) => [field![1]!, field![2]!]);
}

function tidy(fields: readonly (readonly [string, string])[]): string[] {
  return fields.map(([name, value]) => `${name}: ${trimmed(value)}`);
}

/** `trim` would take a non-breaking space too. */
function trimmed(value: string): string {
  return value.replace(/^[ \t]+|[ \t]+$/g, '');
}

function values(fields: readonly (readonly [string, string])[], lowerName: string): string[] {
  return fields.filter(([name]) => name.toLowerCase() === lowerName).map(([, value]) => value);
}

function isTarget(method: string, target: string): boolean {
  if (target.startsWith('/')) return true;
  if (target === '*') return method === 'OPTIONS';
  const absolute = /^https?:\/\/([^/?]*)([/?].*)?$/i.exec(target);
  return absolute !== null && isAuthority(absolute[1]!);
}

function isAuthority(text: string): boolean {
  const match = AUTHORITY.exec(text);
  return match !== null && Number(match[1] ?? 0) <= 65535;
}

function framing(
  fields: readonly (readonly [string, string])[],
  isHttp11: boolean,
  absent: 'none' | 'untilClose',
): ReferenceMessage['body'] | null {
  const lengths = values(fields, 'content-length');
  const codings = values(fields, 'transfer-encoding');
  if (lengths.length + codings.length === 0) return absent;
  if (lengths.length + codings.length > 1) return null;
  if (codings.length === 1) return isHttp11 && /^ *chunked *$/i.test(codings[0]!) ? 'chunked' : null;
  const digits = /^ *(\d{1,16}) *$/.exec(lengths[0]!)?.[1];
  if (digits === undefined || BigInt(digits) > BigInt(Number.MAX_SAFE_INTEGER)) return null;
  return BigInt(digits) === 0n ? 'none' : `length ${Number(digits)}`;
}

/** Data, trailer lines and size of the chunked body at the beginning of `text`; null when it is refused or not complete. */
export function referenceChunked(text: string): { data: string; trailers: string; size: number } | null {
  let data = '';
  let at = 0;
  for (;;) {
    const line = /^([0-9A-Fa-f]{1,16})(?:;[\t\x20-\x7e\x80-\xff]*)?\r\n/.exec(text.slice(at));
    if (line === null) return null;
    const size = Number.parseInt(line[1]!, 16);
    at += line[0].length;
    if (size === 0) break;
    if (text.slice(at + size, at + size + 2) !== '\r\n') return null;
    data += text.slice(at, at + size);
    at += size + 2;
  }
  const section = new RegExp(`^((?:${TOKEN}:[\\t\\x20-\\x7e\\x80-\\xff]*\\r\\n)*)\\r\\n`).exec(
    text.slice(at),
  );
  if (section === null || FORBIDDEN_TRAILER.test(section[1]!)) return null;
  return { data, trailers: section[1]!, size: at + section[0].length };
}

const FORBIDDEN_TRAILER =
  /^(?:host|content-(?:length|type|encoding|range)|transfer-encoding|connection|keep-alive|proxy-(?:connection|authenticate|authorization)|te|trailer|upgrade|expect|x-forwarded-[^:]*|via|x-request-id|trace(?:parent|state)|baggage|(?:set-)?cookie|vary|cache-control|retry-after|http2-settings|authorization|forwarded|if-(?:match|none-match|modified-since|unmodified-since|range)|max-forwards|range|x-real-ip|x-(?:experiment|fairlead)[^:]*):/im;
