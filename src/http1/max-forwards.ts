/**
 * Max-Forwards: how many proxies a TRACE or OPTIONS may still pass, for finding out where on its way something goes
 * wrong. With other methods it means nothing and is passed as it came.
 *
 * RFC 9110 section 7.6.2.
 */
import { CLASS, DIGIT, ZERO } from './grammar.ts';

/** What a larger number is taken for; no way is that long. */
const MAX_FORWARDS_MAX = 999_999;

export function isCountingForwards(method: string): boolean {
  return method === 'OPTIONS' || method === 'TRACE';
}

/** The value bytes[start, end), at most 999,999; -1 when it is no number of digits. */
export function readMaxForwards(bytes: Uint8Array, start: number, end: number): number {
  if (start === end) return -1;
  let count = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if ((CLASS[byte]! & DIGIT) === 0) return -1;
    count = Math.min(count * 10 + byte - ZERO, MAX_FORWARDS_MAX);
  }
  return count;
}
