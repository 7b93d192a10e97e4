/**
 * A second, independent reader of HTTP/1.1 messages for tests: text in, one message out. It shares no code with
 * `src/http1`, so a mistake there is not repeated here.
 */

export interface Message {
  readonly startLine: string;
  /** Responses only, else 0. */
  readonly status: number;
  readonly fields: readonly (readonly [string, string])[];
  readonly body: string;
  readonly trailers: readonly string[];
  /** Characters of the text that belong to this message. */
  readonly size: number;
  /** `none`, `length`, `chunked` or `close`. */
  readonly framing: 'none' | 'length' | 'chunked' | 'close';
}

export interface ReadOptions {
  /** The response to a HEAD. */
  readonly isBodiless?: boolean;
  /** Nothing more will come: ends a body that only the connection ends. */
  readonly isEnded?: boolean;
}

/** The first message in `text`, or null when it is not complete. */
export function readMessage(text: string, options: ReadOptions = {}): Message | null {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd < 0) return null;
  const [startLine, ...lines] = text.slice(0, headEnd).split('\r\n');
  const fields = lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
  });
  const status = startLine!.startsWith('HTTP/') ? Number(startLine!.split(' ')[1]) : 0;
  const base = { startLine: startLine!, status, fields };
  const at = headEnd + 4;
  const isBodiless = options.isBodiless || (status > 0 && (status < 200 || status === 204 || status === 304));
  if (isBodiless) return { ...base, body: '', trailers: [], size: at, framing: 'none' };
  if (/chunked/i.test(valueIn(fields, 'transfer-encoding') ?? '')) {
    const chunked = readChunked(text, at);
    return chunked && { ...base, ...chunked, framing: 'chunked' };
  }
  const length = valueIn(fields, 'content-length');
  if (length !== null) {
    const end = at + Number(length);
    if (text.length < end) return null;
    return { ...base, body: text.slice(at, end), trailers: [], size: end, framing: 'length' };
  }
  if (status === 0) return { ...base, body: '', trailers: [], size: at, framing: 'none' };
  if (!options.isEnded) return null;
  return { ...base, body: text.slice(at), trailers: [], size: text.length, framing: 'close' };
}

/** The values of a field, joined; null when it is not there. */
export function field(message: { readonly fields: Message['fields'] }, lowerName: string): string | null {
  return valueIn(message.fields, lowerName);
}

function valueIn(fields: Message['fields'], lowerName: string): string | null {
  const values = fields.filter(([name]) => name === lowerName).map(([, value]) => value);
  return values.length === 0 ? null : values.join(', ');
}

function readChunked(text: string, start: number): { body: string; trailers: string[]; size: number } | null {
  let body = '';
  let at = start;
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd < 0) return null;
    const line = text.slice(at, lineEnd);
    if (!/^[0-9a-f]+$/i.test(line)) throw new Error(`Not a chunk size: ${JSON.stringify(line.slice(0, 40))}`);
    const size = Number.parseInt(line, 16);
    at = lineEnd + 2;
    if (size === 0) break;
    if (text.length < at + size + 2) return null;
    body += text.slice(at, at + size);
    if (text.slice(at + size, at + size + 2) !== '\r\n') throw new Error('A chunk does not end with CRLF.');
    at += size + 2;
  }
  const trailers: string[] = [];
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd < 0) return null;
    const line = text.slice(at, lineEnd);
    at = lineEnd + 2;
    if (line === '') return { body, trailers, size: at };
    trailers.push(line);
  }
}
