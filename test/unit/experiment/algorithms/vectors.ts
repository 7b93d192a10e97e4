/** Reads test/vectors and counts what was run, so that a file that is read but not used is noticed. */
import { readFileSync } from 'node:fs';

export function vectors<T>(system: string): T {
  return JSON.parse(readFileSync(new URL(`../../../vectors/${system}.json`, import.meta.url), 'utf8')) as T;
}
