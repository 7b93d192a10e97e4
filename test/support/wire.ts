/**
 * Literate cases of HTTP/1.1 on the wire: reads test/wire/*.md. The format is described in test/wire/README.md.
 * Knows nothing of the codec or of sockets.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readMessage } from './message.ts';

export interface WireCase {
  /** `file.md:line title`. */
  readonly name: string;
  readonly title: string;
  /** What the client sends. */
  readonly request: Buffer;
  /** The same, cut at each `\|`: a piece is sent when the client has got something since the one before. */
  readonly requestPieces: readonly Buffer[];
  /** What the upstream sees, as it is written in the case: complete messages, unless it answers early. */
  readonly upstream: string;
  /** What the upstream sends for each complete request; null: 200 with `ok`. */
  readonly response: Buffer | null;
  /** The same, cut at each `\|`: a piece is sent when the client has got something of the one before. */
  readonly responsePieces: readonly Buffer[];
  /** What the client gets; null: one 200 for each message of `upstream`, and the refusal if there is one. */
  readonly client: string | null;
  readonly refusal: { readonly status: number; readonly code: string } | null;
  /** Sentences below the blocks. */
  readonly isUpstreamClosing: boolean;
  readonly isUpstreamResetting: boolean;
  readonly isEarly: boolean;
  readonly isUpstreamKept: boolean;
  readonly isUpstreamDropped: boolean;
  readonly isBrokenOff: boolean;
  readonly isClientClosed: boolean;
  readonly isTakenByCodec: boolean;
}

/** The limits that the wire suite runs with, so that its cases can be read. */
export const WIRE_LIMITS = { headMaxBytes: 1024, targetMaxBytes: 128, fieldsMax: 16 } as const;

const PLAIN_GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

/** Stands for `\|` in a request or response; no other byte of a block becomes it, since blocks are latin1. */
const PIECE_END = '\u2502';

const DIRECTIVES = {
  isUpstreamClosing: 'The upstream closes.',
  isUpstreamResetting: 'The upstream resets.',
  isEarly: 'The upstream answers early.',
  isUpstreamKept: 'The upstream connection is used again.',
  isUpstreamDropped: 'The upstream connection is not used again.',
  isBrokenOff: 'The response is broken off.',
  isClientClosed: 'The connection is closed.',
  isTakenByCodec: 'The codec takes it.',
} as const;
type Directives = Record<keyof typeof DIRECTIVES, boolean>;

const FOLDER = join(import.meta.dirname, '../wire');

/** The cases of all files of test/wire, in order. */
export function wireCases(): WireCase[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith('.md') && name !== 'README.md')
    .sort()
    .flatMap((name) => parseWireFile(name, readFileSync(join(FOLDER, name), 'utf8')));
}

/** The cases of one file. @throws when something in it is neither prose nor the format. */
export function parseWireFile(file: string, text: string): WireCase[] {
  const cases: WireCase[] = [];
  let title = '';
  let line = 0;
  let body: string[] = [];
  const finish = () => {
    if (title !== '') cases.push(parseCase(`${file}:${line}`, title, body.join('\n')));
  };
  for (const [i, text_] of text.split('\n').entries()) {
    if (text_.startsWith('## ')) {
      finish();
      title = text_.slice(3).trim();
      line = i + 1;
      body = [];
    } else body.push(text_);
  }
  finish();
  return cases;
}

function parseCase(place: string, title: string, text: string): WireCase {
  const blocks = new Map<string, string>();
  const prose = text.replace(/^```(.*)\n([\s\S]*?)^```$/gm, (_, info: string, content: string) => {
    const kind = /^http (request|upstream|response|client)$/.exec(info)?.[1];
    if (kind === undefined) throw new Error(`${place}: unknown block ${info}`);
    if (blocks.has(kind)) throw new Error(`${place}: two blocks ${info}`);
    blocks.set(kind, bytesOf(place, content));
    return '';
  });
  if (prose.includes('```')) throw new Error(`${place}: a block is not closed`);
  const refused = /^Refused with (\d{3}) (\w+)\.$/m.exec(prose);
  const lines = prose.split('\n');
  const upstream =
    blocks.get('upstream') ?? (blocks.has('response') && !blocks.has('request') ? PLAIN_GET : '');
  if (!blocks.has('request') && !blocks.has('response'))
    throw new Error(`${place}: neither a request nor a response`);
  if (upstream === '' && refused === null) throw new Error(`${place}: nothing comes of it`);
  for (const block of ['upstream', 'client'])
    if (blocks.get(block)?.includes(PIECE_END)) throw new Error(`${place}: nobody waits in ${block}`);
  const requestPieces = piecesOf(blocks.get('request') ?? PLAIN_GET);
  const responsePieces = blocks.has('response') ? piecesOf(blocks.get('response')!) : [];
  const directives = Object.entries(DIRECTIVES).map(([key, sentence]) => [key, lines.includes(sentence)]);
  return {
    name: `${place} ${title}`,
    title,
    request: Buffer.concat(requestPieces),
    requestPieces,
    upstream,
    response: blocks.has('response') ? Buffer.concat(responsePieces) : null,
    responsePieces,
    client: blocks.get('client') ?? null,
    refusal: refused && { status: Number(refused[1]), code: refused[2]! },
    ...(Object.fromEntries(directives) as Directives),
  };
}

function piecesOf(text: string): Buffer[] {
  return text.split(PIECE_END).map((piece) => Buffer.from(piece, 'latin1'));
}

/** Bytes as they are written in a block: line breaks of the file are not part of it, `\r\n` are. */
function bytesOf(place: string, content: string): string {
  const text = content.replaceAll('\n', '');
  if (/[^\x20-\x7e]/.test(text))
    throw new Error(`${place}: a byte that is not printable ASCII; write it as \\xHH`);
  return text.replace(/\\(?:x([0-9a-f]{2})|\{([^}]+)\*(\d+)\}|(.))/g, (whole, hex, repeated, count, one) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    if (repeated !== undefined) return repeated.replace(/\\r\\n/g, '\r\n').repeat(Number(count));
    const byte = { r: '\r', n: '\n', t: '\t', '0': '\0', '\\': '\\', '|': PIECE_END }[one as string];
    if (byte === undefined) throw new Error(`${place}: unknown escape ${whole}`);
    return byte;
  });
}

export interface CanonicalOptions {
  /** Methods of the requests that the messages answer, in order; for HEAD. */
  readonly methods?: readonly string[];
  readonly isEnded?: boolean;
}

/**
 * Complete messages of a stream: each head as it is, each body without its chunk framing but with its trailers,
 * because where chunks begin depends on how the bytes came. `rest` is what is left over.
 */
export function canonical(
  stream: string,
  options: CanonicalOptions = {},
): { messages: string[]; rest: string } {
  const messages: string[] = [];
  let rest = stream;
  let answered = 0;
  while (rest !== '') {
    const message = readMessage(rest, {
      isBodiless: options.methods?.[answered] === 'HEAD',
      isEnded: options.isEnded === true,
    });
    if (message === null) break;
    const headEnd = rest.indexOf('\r\n\r\n') + 4;
    const trailers = message.trailers.map((line) => `\r\n${line}`).join('');
    messages.push(`${rest.slice(0, headEnd)}${message.body}${trailers}`);
    rest = rest.slice(message.size);
    if (message.status === 0 || message.status >= 200) answered++;
    if (message.status === 101) break;
  }
  return { messages, rest };
}

/** An incomplete message in the same form: its head and what there is of its body; what is no whole head as it is. */
export function canonicalBeginning(text: string): string {
  const headEnd = text.indexOf('\r\n\r\n') + 4;
  if (headEnd < 4) return text;
  const head = text.slice(0, headEnd);
  if (!/\r\ntransfer-encoding: *chunked/i.test(head)) return text;
  let data = '';
  let at = headEnd;
  for (;;) {
    const line = /^([0-9a-f]+)\r\n/i.exec(text.slice(at));
    if (line === null) return head + data;
    const size = Number.parseInt(line[1]!, 16);
    at += line[0].length;
    data += text.slice(at, at + size);
    at += size + 2;
  }
}
