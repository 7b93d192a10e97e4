/**
 * The field names this proxy knows, and how one is recognised while a head is parsed: a hash of its length, first
 * and last byte finds the only candidate, then every byte is compared. No allocation; no name is taken for
 * another one.
 */
import { ascii, fours, isWord, isWordByFours, LOWER } from './grammar.ts';

/** Numbers for the names that something here asks about; everything else is `other`. */
export const Field = {
  other: 0,
  host: 1,
  contentLength: 2,
  transferEncoding: 3,
  connection: 4,
  keepAlive: 5,
  proxyConnection: 6,
  te: 7,
  trailer: 8,
  upgrade: 9,
  expect: 10,
  forwardedFor: 11,
  forwardedProto: 12,
  forwardedHost: 13,
  via: 14,
  requestId: 15,
  traceparent: 16,
  tracestate: 17,
  baggage: 18,
  cookie: 19,
  vary: 20,
  cacheControl: 21,
  retryAfter: 22,
  proxyAuthenticate: 23,
  proxyAuthorization: 24,
  setCookie: 25,
  http2Settings: 26,
  xFairleadVariant: 27,
  maxForwards: 28,
  userAgent: 29,
  grpcTimeout: 30,
} as const;

/** One of the numbers in `Field`. At most 31 of them: `Head` keeps a set of ids in one integer. */
export type FieldId = (typeof Field)[keyof typeof Field];

/** The names by id, lower case; '' for `other`. */
export const FIELD_NAMES: readonly string[] = [
  '',
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'via',
  'x-request-id',
  'traceparent',
  'tracestate',
  'baggage',
  'cookie',
  'vary',
  'cache-control',
  'retry-after',
  'proxy-authenticate',
  'proxy-authorization',
  'set-cookie',
  'http2-settings',
  'x-fairlead-variant',
  'max-forwards',
  'user-agent',
  'grpc-timeout',
];

const WORDS: readonly Uint8Array[] = FIELD_NAMES.map(ascii);
/** Shorter ones are compared byte by byte. */
const FOURS_MIN_LENGTH = 4;
const WORD_FOURS: readonly Int32Array[] = WORDS.map((word) =>
  word.length < FOURS_MIN_LENGTH ? new Int32Array() : fours(word),
);

/** 128 places for 30 names; the multipliers were searched for so that no two names share a place. */
const PLACES = 128;
const LENGTH_FACTOR = 1;
const FIRST_FACTOR = 5;
const LAST_FACTOR = 8;
const BY_HASH: Uint8Array = hashTable();

/** By `Field` id, 1 for what is meant for every recipient: a Connection field that names it does not remove it. */
export const IS_END_TO_END: Uint8Array = endToEndTable();

/** The `Field` id of the name bytes[start, end), in any case. The range must not be empty; `view` is of the same bytes. */
export function recognise(bytes: Uint8Array, view: DataView, start: number, end: number): number {
  const length = end - start;
  const id = BY_HASH[hash(length, LOWER[bytes[start]!]!, LOWER[bytes[end - 1]!]!)]!;
  if (id === Field.other || WORDS[id]!.length !== length) return Field.other;
  const isIt =
    length < FOURS_MIN_LENGTH
      ? isWord(bytes, start, end, WORDS[id]!)
      : isWordByFours(view, start, end, WORD_FOURS[id]!);
  return isIt ? id : Field.other;
}

function hash(length: number, first: number, last: number): number {
  return (length * LENGTH_FACTOR + first * FIRST_FACTOR + last * LAST_FACTOR) & (PLACES - 1);
}

function hashTable(): Uint8Array {
  const table = new Uint8Array(PLACES);
  for (let id = 1; id < WORDS.length; id++) {
    const word = WORDS[id]!;
    const place = hash(word.length, word[0]!, word[word.length - 1]!);
    if (table[place] !== 0)
      throw new Error(`${FIELD_NAMES[id]} and ${FIELD_NAMES[table[place]!]} share a hash`);
    table[place] = id;
  }
  return table;
}

function endToEndTable(): Uint8Array {
  const table = new Uint8Array(32);
  for (const id of [
    Field.host,
    Field.contentLength,
    Field.transferEncoding,
    Field.expect,
    Field.forwardedFor,
    Field.forwardedProto,
    Field.forwardedHost,
    Field.via,
    Field.requestId,
    Field.traceparent,
    Field.tracestate,
    Field.baggage,
    Field.cookie,
    Field.vary,
    Field.cacheControl,
    Field.setCookie,
    Field.xFairleadVariant,
  ])
    table[id] = 1;
  return table;
}
