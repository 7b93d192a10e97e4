/**
 * What this proxy writes of its own: chunk framing and its own answers. The only writer of Content-Length and
 * Transfer-Encoding. Never holds a connection, never reads anything that was received.
 *
 * RFC 9112 section 7.1 (chunked), RFC 9457 (problem details).
 */
import type { ErrorCode, Side } from '../base/error.ts';

/** The field line that announces a chunked body. */
export const TRANSFER_ENCODING_CHUNKED = 'transfer-encoding: chunked\r\n';

/** What follows the data of a chunk. */
export const CHUNK_END = '\r\n';

/** The end of a body without trailers. */
export const LAST_CHUNK = '0\r\n\r\n';

/** The line before the data of a chunk of that many bytes, which must be above 0: 0 would end the body. */
export function chunkHead(bytes: number): string {
  return `${bytes.toString(16)}\r\n`;
}

/** The end of a body with trailer lines as `ChunkDecoder.trailers` holds them. */
export function lastChunk(trailers: string): string {
  return trailers === '' ? LAST_CHUNK : `0\r\n${trailers}\r\n`;
}

/** The field line that announces a body of that many bytes. */
export function contentLength(bytes: number): string {
  return `content-length: ${bytes}\r\n`;
}

export interface Problem {
  readonly status: number;
  readonly code: ErrorCode;
  readonly title: string;
  readonly detail?: string | undefined;
  readonly side: Side;
  /** The request id, if there is one. */
  readonly instance?: string | undefined;
  readonly retryAfterSeconds?: number | undefined;
  /** Answering a HEAD: the fields without the body. */
  readonly isHead: boolean;
  /** Announce that the connection is closed after this. */
  readonly close: boolean;
  /** Lines to add, each with its CRLF. */
  readonly extraFields?: string | undefined;
}

/** A whole answer as latin1 (in fact ASCII), with a body of application/problem+json. Never stored by a cache. */
export function problemResponse(problem: Problem): string {
  const { status, code, title, detail, side, instance } = problem;
  const body = asciiJson({ type: `urn:fairlead:error:${code}`, title, status, detail, code, side, instance });
  const retryAfter =
    problem.retryAfterSeconds === undefined ? '' : `retry-after: ${Math.ceil(problem.retryAfterSeconds)}\r\n`;
  const head =
    `HTTP/1.1 ${status} ${statusText(status)}\r\n` +
    `content-type: application/problem+json\r\n${contentLength(body.length)}cache-control: no-store\r\n` +
    `${retryAfter}${problem.extraFields ?? ''}${problem.close ? 'connection: close\r\n' : ''}\r\n`;
  return problem.isHead ? head : head + body;
}

/** JSON in which every character is one byte, so that the length of the string is the length of the body. */
function asciiJson(value: object): string {
  return JSON.stringify(value).replace(
    /[\x7f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

const STATUS_TEXTS: ReadonlyMap<number, string> = new Map([
  [100, 'Continue'],
  [101, 'Switching Protocols'],
  [200, 'OK'],
  [204, 'No Content'],
  [304, 'Not Modified'],
  [400, 'Bad Request'],
  [403, 'Forbidden'],
  [404, 'Not Found'],
  [405, 'Method Not Allowed'],
  [408, 'Request Timeout'],
  [413, 'Content Too Large'],
  [414, 'URI Too Long'],
  [417, 'Expectation Failed'],
  [421, 'Misdirected Request'],
  [426, 'Upgrade Required'],
  [429, 'Too Many Requests'],
  [431, 'Request Header Fields Too Large'],
  [499, 'Client Closed Request'],
  [500, 'Internal Server Error'],
  [501, 'Not Implemented'],
  [502, 'Bad Gateway'],
  [503, 'Service Unavailable'],
  [504, 'Gateway Timeout'],
  [505, 'HTTP Version Not Supported'],
]);

/** The reason phrase of the statuses that this proxy answers with; '' for another one. */
export function statusText(status: number): string {
  return STATUS_TEXTS.get(status) ?? '';
}
