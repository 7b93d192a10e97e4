import { describe, expect, it } from 'vitest';
import { ERRORS } from '../../../src/base/error.ts';
import {
  chunkHead,
  contentLength,
  LAST_CHUNK,
  lastChunk,
  problemResponse,
  statusText,
} from '../../../src/http1/encode.ts';
import { decode, response } from '../../support/http1.ts';

const PROBLEM = {
  status: 502,
  code: 'upstream_reset',
  title: 'The upstream broke.',
  side: 'upstream',
  isHead: false,
  close: false,
} as const;

describe('chunk framing', () => {
  it('is written in lower-case hex and ends with an empty line', () => {
    expect(chunkHead(1)).toBe('1\r\n');
    expect(chunkHead(65_535)).toBe('ffff\r\n');
    expect(lastChunk('')).toBe('0\r\n\r\n');
    expect(lastChunk('X-A: 1\r\n')).toBe('0\r\nX-A: 1\r\n\r\n');
    expect(contentLength(1234)).toBe('content-length: 1234\r\n');
  });

  it('is what the decoder reads', () => {
    expect(decode(`${chunkHead(3)}abc\r\n${LAST_CHUNK}`)).toMatchObject({ data: 'abc', isDone: true });
    expect(decode(`${chunkHead(3)}abc\r\n${lastChunk('X-A: 1\r\n')}`)).toMatchObject({
      data: 'abc',
      trailers: 'X-A: 1\r\n',
      isDone: true,
    });
  });
});

describe('an answer of our own', () => {
  it('is problem+json with the length of its body, never stored', () => {
    const text = problemResponse({ ...PROBLEM, detail: 'after 3 bytes', instance: 'req-1' });
    const [head, body] = text.split('\r\n\r\n') as [string, string];
    expect(head.split('\r\n')).toEqual([
      'HTTP/1.1 502 Bad Gateway',
      'content-type: application/problem+json',
      `content-length: ${body.length}`,
      'cache-control: no-store',
    ]);
    expect(JSON.parse(body)).toEqual({
      type: 'urn:fairlead:error:upstream_reset',
      title: 'The upstream broke.',
      status: 502,
      detail: 'after 3 bytes',
      code: 'upstream_reset',
      side: 'upstream',
      instance: 'req-1',
    });
  });

  it('leaves out what is not there', () => {
    expect(JSON.parse(problemResponse(PROBLEM).split('\r\n\r\n')[1]!)).not.toHaveProperty('detail');
  });

  it('has no body for HEAD, but its length', () => {
    const get = problemResponse(PROBLEM);
    const head = problemResponse({ ...PROBLEM, isHead: true });
    expect(get.startsWith(head)).toBe(true);
    expect(head.endsWith('\r\n\r\n')).toBe(true);
  });

  it('says when to try again, that it closes, and what else it is told to', () => {
    const text = problemResponse({
      ...PROBLEM,
      retryAfterSeconds: 4.2,
      close: true,
      extraFields: 'x-request-id: 1\r\n',
    });
    expect(text).toContain('\r\nretry-after: 5\r\nx-request-id: 1\r\nconnection: close\r\n\r\n');
    expect(problemResponse(PROBLEM)).not.toContain('connection:');
  });

  it('is ASCII, so that its length in characters is its length in bytes', () => {
    const text = problemResponse({ ...PROBLEM, detail: 'é 漢 😀 \x7f "quoted"' });
    expect(text).toMatch(/^[\x09\x0a\x0d\x20-\x7e]*$/);
    expect(JSON.parse(text.split('\r\n\r\n')[1]!).detail).toBe('é 漢 😀 \x7f "quoted"');
  });

  it('is a response that our own parser takes, for every error of the table', () => {
    for (const [code, { status, title, side }] of Object.entries(ERRORS)) {
      const text = problemResponse({ ...PROBLEM, code: code as keyof typeof ERRORS, status, title, side });
      const outcome = response(text);
      expect(outcome).toMatchObject({ kind: 'head', status, reason: statusText(status) });
      expect(outcome.kind === 'head' && outcome.body).toBe(
        `length ${text.length - text.indexOf('\r\n\r\n') - 4}`,
      );
      expect(statusText(status)).not.toBe('');
    }
  });
});
