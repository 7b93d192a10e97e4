/**
 * The kinds of single values that the configuration is made of, as zod schemas: they read the text people write
 * and give the number or structure that `compile.ts` uses. The message of every failure is a whole sentence.
 */
import { z } from 'zod';
import { type PathMatch, parsePathMatch } from '../routing/match.ts';
import { ADDRESS_PATTERN, ENDPOINT_PATTERN, parseAddress, parseEndpoint } from './address.ts';
import type { DeclaredEndpoint, SocketAddress } from './snapshot.ts';
import { parseTimestamp, TIMESTAMP_PATTERN } from './timestamp.ts';
import {
  DURATION_PATTERN,
  type Parsed,
  PERCENT_PATTERN,
  parseDuration,
  parseLongDuration,
  parsePercent,
  parseSize,
  SIZE_PATTERN,
} from './units.ts';

/** A string that `read` turns into something else; `expected` is what a value of another type is told. */
export function readString<T>(read: (text: string) => Parsed<T>, expected: string, pattern: string | null) {
  const text = z.string({ error: (issue) => `${found(issue.input)}; expected ${expected}` });
  const documented = pattern === null ? text : text.meta({ pattern });
  return documented.transform((value, context): T => {
    const result = read(value);
    if (result.ok) return result.value;
    context.issues.push({ code: 'custom', message: result.problem, input: value });
    return z.NEVER;
  });
}

/** `10s` -> 10000. */
export const duration = () =>
  readString((text) => parseDuration(text), 'a duration such as 250ms or 10s', DURATION_PATTERN);

/** A duration that must be longer than nothing. */
export const positiveDuration = () =>
  readString(
    (text) => {
      const result = parseDuration(text);
      return result.ok && result.value === 0
        ? { ok: false, problem: `found ${text}; it must be longer than 0` }
        : result;
    },
    'a duration such as 250ms or 10s',
    DURATION_PATTERN,
  );

/** A duration longer than nothing that no timer waits for: `90d`, up to ten years. */
export const longDuration = () =>
  readString(
    (text) => {
      const result = parseLongDuration(text);
      return result.ok && result.value === 0
        ? { ok: false, problem: `found ${text}; it must be longer than 0` }
        : result;
    },
    'a duration such as 12h or 90d',
    DURATION_PATTERN,
  );

/** `2026-12-01T09:00:00+01:00` -> milliseconds since the epoch. */
export const timestamp = () =>
  readString(parseTimestamp, 'a point in time such as 2026-12-01T09:00:00+01:00', TIMESTAMP_PATTERN);

/** `64KiB` -> 65536, between the two limits; `0` is let through only when `min` is 0. */
export const size = (min: number, max: number) =>
  readString(
    (text) => {
      const result = parseSize(text);
      if (!result.ok || (result.value >= min && result.value <= max)) return result;
      return { ok: false, problem: `found ${text}; expected from ${min} to ${max} bytes` };
    },
    'a size such as 64KiB',
    SIZE_PATTERN,
  );

/** `5%` -> 50000 ppm. */
export const percent = () => readString(parsePercent, 'a percentage such as 5%', PERCENT_PATTERN);

/** A percentage above 0. */
export const positivePercent = () =>
  readString(
    (text) => {
      const result = parsePercent(text);
      return result.ok && result.value === 0
        ? { ok: false, problem: `found ${text}; it must be more than 0%` }
        : result;
    },
    'a percentage such as 5%',
    PERCENT_PATTERN,
  );

export const listenAddress = () =>
  readString<SocketAddress>(
    (text) => parseAddress(text, 'listen'),
    'an address such as 127.0.0.1:15106 or unix:/run/app.sock',
    ADDRESS_PATTERN,
  );

/** An address, or `off`. */
export const optionalListenAddress = () =>
  readString<SocketAddress | null>(
    (text) => (text === 'off' ? { ok: true, value: null } : parseAddress(text, 'listen')),
    'an address such as 127.0.0.1:15100, or off',
    `^off$|${ADDRESS_PATTERN}`,
  );

export const endpoint = () =>
  readString<DeclaredEndpoint>(
    parseEndpoint,
    'an address such as 127.0.0.1:9001 or unix:/run/app.sock',
    ENDPOINT_PATTERN,
  );

export const pathMatch = () =>
  readString<PathMatch>(
    (text) => {
      try {
        return { ok: true, value: parsePathMatch(text) };
      } catch (error) {
        return { ok: false, problem: error instanceof Error ? error.message : String(error) };
      }
    },
    'a path such as /api/*, /health or /users/{id}',
    '^/',
  );

/** Host of a route, lower-cased: an exact name or `*.suffix`, without port. */
export const hostMatch = () => readString(readHost, 'a host such as api.example.com or *.example.com', null);

function readHost(text: string): Parsed<string> {
  const lower = text.toLowerCase();
  if (/^https?:\/\//.test(lower))
    return { ok: false, problem: `${JSON.stringify(text)} is a URL; write the host alone` };
  if (/^(\[[0-9a-f:.]+\]|[^:]+):[0-9]+$/.test(lower)) {
    return { ok: false, problem: `${JSON.stringify(text)} holds a port; hosts are matched without it` };
  }
  const isHost =
    /^(\*\.)?[a-z0-9_]([a-z0-9_-]*)(\.[a-z0-9_-]+)*$/.test(lower) || /^\[[0-9a-f:.]+\]$/.test(lower);
  if (isHost) return { ok: true, value: lower };
  return {
    ok: false,
    problem: `${JSON.stringify(text)} is no host; write api.example.com, or *.example.com for all below it`,
  };
}

/** A token (RFC 9110 section 5.6.2): what a method or the name of a field may be. */
export const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** A method token, upper-cased when it is one of the usual ones in lower case. */
export const method = () =>
  readString(
    (text): Parsed<string> => {
      if (!TOKEN.test(text)) return { ok: false, problem: `${JSON.stringify(text)} is no method` };
      if (text.toUpperCase() === 'CONNECT')
        return { ok: false, problem: 'CONNECT is not supported by this proxy' };
      return { ok: true, value: text.toUpperCase() };
    },
    'a method such as GET',
    TOKEN.source,
  );

/** A field name, lower-cased. */
export const headerName = () =>
  readString(
    (text): Parsed<string> =>
      /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/.test(text)
        ? { ok: true, value: text.toLowerCase() }
        : { ok: false, problem: `${JSON.stringify(text)} is no header name` },
    'a header name such as x-user-id',
    "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$",
  );

/** A cookie name (RFC 6265 token); case matters. */
export const cookieName = () =>
  readString(
    (text): Parsed<string> =>
      /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/.test(text)
        ? { ok: true, value: text }
        : { ok: false, problem: `${JSON.stringify(text)} is no cookie name` },
    'a cookie name such as sid',
    "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$",
  );

/** Text of 1 to `max` characters; numbers and booleans are told to be quoted. */
export const text = (max: number) =>
  z
    .string({
      error: (issue) =>
        `${found(issue.input)}; expected text${isBare(issue.input) ? ', so put it in quotes' : ''}`,
    })
    .min(1, 'found an empty text; expected at least one character')
    .max(max, `found a text that is longer than ${max} characters`);

/** Names of listeners, routes and upstreams. They become metric labels. */
export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;
/** Names of experiments: keys of an RFC 9651 dictionary and parts of a baggage key. */
export const EXPERIMENT_PATTERN = /^[a-z][a-z0-9_.-]{0,62}$/;
/** Names of variants: RFC 9651 tokens. */
export const VARIANT_PATTERN = /^[A-Za-z][A-Za-z0-9_.-]{0,62}$/;

export const NAME_HELP = 'letters, digits, _ . - and at most 63 of them, the first a letter or digit';
export const EXPERIMENT_HELP = 'lower-case letters, digits, _ . - and at most 63 of them, the first a letter';
export const VARIANT_HELP = 'letters, digits, _ . - and at most 63 of them, the first a letter';

export const name = (pattern: RegExp, help: string) =>
  z
    .string({
      error: (issue) =>
        `${found(issue.input)}; expected a name${isBare(issue.input) ? ', so put it in quotes' : ''}`,
    })
    .regex(pattern, {
      error: (issue) => `${JSON.stringify(issue.input)} is no name here; a name is ${help}`,
    });

/** What a value is, for messages: `found the number 5`. */
export function found(value: unknown): string {
  if (value === undefined) return 'nothing is given';
  if (value === null) return 'found nothing';
  if (Array.isArray(value)) return 'found a list';
  if (typeof value === 'object') return 'found a map';
  if (typeof value === 'string')
    return `found ${JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value)}`;
  return `found ${typeof value === 'number' ? 'the number ' : ''}${String(value)}`;
}

function isBare(value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'boolean';
}
