/**
 * Messages for properties: made of parts that are valid, odd or wrong, and then damaged by a few bytes. Most are
 * near the border between what is taken and what is refused, which is where parsers disagree.
 */
import * as fc from 'fast-check';

const METHODS = [
  'GET',
  'POST',
  'PUT',
  'HEAD',
  'DELETE',
  'OPTIONS',
  'PATCH',
  'TRACE',
  'CONNECT',
  'PURGE',
  'M-SEARCH',
  'OPTIO0S',
  'get',
  'FOO',
];
const TARGETS = [
  '/',
  '/a?b=c',
  '*',
  '//',
  '/../x',
  'http://b.example/p',
  'http://b.example',
  'https://[::1]:8/?q',
  'http://u@b/',
  '/%00',
  '/a#b',
  '/\\',
  'x',
  '/{}|^`"<>',
];
const VERSIONS = ['HTTP/1.1', 'HTTP/1.0', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/2.0', 'http/1.1', 'HTTP/1.2'];
const FIELDS = [
  'Content-Length: 5',
  'Content-Length: 0',
  'Content-Length: 05',
  'Content-Length: 5, 5',
  'Content-Length: +5',
  'Content-Length : 5',
  'content-length:\t5 ',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: Chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding:chunked\t',
  'Transfer-Encoding: xchunked',
  'Connection: close',
  'Connection: keep-alive',
  'Connection: keep-alive, x-a',
  'Connection: upgrade',
  'Upgrade: websocket',
  'X-A: b',
  'X-A:',
  'X-A: \x80\xff',
  'X-A: a, "b"; c',
  ' folded',
  'X-A : b',
  ': b',
  'X',
  'Expect: 100-continue',
  'TE: trailers',
  'Trailer: x-sum',
  'Cookie: a=b; c=d',
  'Host: twice',
  'Content_Length: 5',
  "!#$%&'*+-.^_`|~: 1",
  'X-B: \x01',
  'X-B: a\x00b',
  'X-B: a\nb',
  'X-B: a\rb',
];
const BODIES = [
  '',
  'hello',
  'hello',
  '5\r\nhello\r\n0\r\n\r\n',
  '5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n',
  '0\r\n\r\n',
  '5\r\nhello0\r\n\r\n',
  '1\r\nx\r\n'.repeat(3),
  '05\r\nhello\r\n00\r\nHost: x\r\n\r\n',
];
const LINE_ENDS = ['\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', '\r\r\n'];

/** A byte put in, taken out or changed. */
interface Edit {
  readonly at: number;
  readonly kind: 'insert' | 'delete' | 'replace';
  readonly byte: number;
}

const INTERESTING_BYTES = [...'\r\n\t \0:,;"\\/#?%0159aAfFxX\x7f\x80\xff'].map((character) =>
  character.charCodeAt(0),
);

const edit: fc.Arbitrary<Edit> = fc.record({
  at: fc.nat(400),
  kind: fc.constantFrom('insert', 'delete', 'replace'),
  byte: fc.oneof(fc.constantFrom(...INTERESTING_BYTES), fc.integer({ min: 0, max: 255 })),
});

function damaged(text: string, edits: readonly Edit[]): Buffer {
  let result = text;
  for (const { at, kind, byte } of edits) {
    const where = at % (result.length + 1);
    const insert = kind === 'delete' ? '' : String.fromCharCode(byte);
    result = result.slice(0, where) + insert + result.slice(where + (kind === 'insert' ? 0 : 1));
  }
  return Buffer.from(result, 'latin1');
}

const edits = fc.oneof(
  { weight: 3, arbitrary: fc.constant([]) },
  { weight: 2, arbitrary: fc.array(edit, { minLength: 1, maxLength: 3 }) },
);
/** One of these messages, perhaps damaged. */
export function damagedOf(texts: readonly string[]): fc.Arbitrary<Buffer> {
  return fc.tuple(fc.constantFrom(...texts), edits).map(([text, changes]) => damaged(text, changes));
}

const lineEnd = fc.oneof(
  { weight: 20, arbitrary: fc.constant('\r\n') },
  { weight: 1, arbitrary: fc.constantFrom(...LINE_ENDS) },
);
const fieldLines = fc
  .array(fc.tuple(fc.constantFrom(...FIELDS), lineEnd), { maxLength: 3 })
  .map((lines) => lines.map(([field, end]) => field + end).join(''));

/** Parts that fit together: most of these are taken when they are not damaged. */
const SOUND_TARGETS = [
  '/',
  '/a?b=c',
  '//',
  '/../x',
  'http://b.example/p',
  'http://b.example',
  'https://[::1]:8/?q',
  '/%00',
  '/\\',
  '/{}|^`"<>',
];
const SOUND_FIELDS = FIELDS.filter((line) =>
  /^(Connection|X-A: |X-A:$|Expect|TE|Cookie|Content_|!#)/.test(line),
);
const SOUND_BODIES = [
  '\r\n',
  'Content-Length: 5\r\n\r\nhello',
  'Content-Length: 0\r\n\r\n',
  'content-length:05 \r\n\r\nhello',
  'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  'Transfer-Encoding:  Chunked \r\nTrailer: x-sum\r\n\r\n5;a=b\r\nhello\r\n00\r\nX-Sum: 1\r\n\r\n',
  'transfer-encoding: chunked\r\n\r\n0\r\n\r\n',
];
const soundFields = fc
  .array(fc.constantFrom(...SOUND_FIELDS), { maxLength: 3 })
  .map((lines) => lines.map((line) => `${line}\r\n`).join(''));

const soundRequest = fc
  .tuple(
    fc.constantFrom(...METHODS.slice(0, 8)),
    fc.constantFrom(...SOUND_TARGETS),
    fc.constantFrom('1', '1', '1', '0'),
    soundFields,
    fc.constantFrom(...SOUND_BODIES),
  )
  .map(
    ([method, target, minor, fields, rest]) =>
      `${method} ${target} HTTP/1.${minor}\r\nHost: a.example\r\n${fields}${rest}`,
  );
const oddRequest = fc
  .tuple(
    fc.constantFrom(...METHODS),
    fc.constantFrom(...TARGETS),
    fc.constantFrom(...VERSIONS),
    lineEnd,
    fieldLines,
    fc.constantFrom(...BODIES),
  )
  .map(
    ([method, target, version, end, fields, body]) =>
      `${method} ${target} ${version}${end}Host: a.example\r\n${fields}\r\n${body}`,
  );

/** One request with whatever body follows it, perhaps damaged. */
export const requestBytes: fc.Arbitrary<Buffer> = fc
  .tuple(fc.oneof(soundRequest, oddRequest), edits)
  .map(([text, changes]) => damaged(text, changes));

/** One to three requests on one connection. */
export const pipelinedBytes: fc.Arbitrary<Buffer> = fc
  .array(requestBytes, { minLength: 1, maxLength: 3 })
  .map((all) => Buffer.concat(all));

const STATUS_LINES = [
  'HTTP/1.1 200 OK',
  'HTTP/1.0 200 OK',
  'HTTP/1.1 404 Not Found',
  'HTTP/1.1 204 No Content',
  'HTTP/1.1 304 Not Modified',
  'HTTP/1.1 500 ',
  'HTTP/1.1 200',
  'HTTP/1.1 999 x',
  'HTTP/1.1 20 OK',
  'ICY 200 OK',
];

const soundResponse = fc
  .tuple(fc.constantFrom(...STATUS_LINES.slice(0, 8)), soundFields, fc.constantFrom(...SOUND_BODIES))
  .map(([line, fields, rest]) => `${line}\r\n${fields}${rest}`);
const oddResponse = fc
  .tuple(fc.constantFrom(...STATUS_LINES), lineEnd, fieldLines, fc.constantFrom(...BODIES))
  .map(([line, end, fields, body]) => `${line}${end}${fields}\r\n${body}`);

/** One response with whatever body follows it, perhaps damaged. */
export const responseBytes: fc.Arbitrary<Buffer> = fc
  .tuple(fc.oneof(soundResponse, oddResponse), edits)
  .map(([text, changes]) => damaged(text, changes));

/** Where to cut; numbers beyond the message are folded into it by `cutsWithin`. */
export const cuts: fc.Arbitrary<number[]> = fc.array(fc.nat(1000), { maxLength: 12 });

export function cutsWithin(bytes: Buffer, places: readonly number[]): number[] {
  return places.map((place) => place % (bytes.length + 1));
}
