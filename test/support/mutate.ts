/** Messages damaged at random, for fuzzing by hand-made rules; the same seed gives the same messages. */
import { seededRandom } from './seeded-random.ts';

const DICTIONARY = [
  '\r\n',
  '\n',
  '\r',
  ' ',
  '\t',
  '\0',
  ':',
  ',',
  ';',
  '0',
  '5',
  'chunked',
  'Content-Length: 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Host: b\r\n',
  '0\r\n\r\n',
  '\r\n\r\n',
  'HTTP/1.0',
  'HTTP/1.1',
  '5\r\nhello\r\n',
  '\x80',
  '\x7f',
  'Connection: close\r\n',
  ' x',
  '/',
  '?',
  '#',
  '*',
  'http://',
  '@',
  '[::1]',
  '%41',
  '%',
  '-',
  '+',
  '0x',
  'X: y\r\n',
];

export type Source = { next(): number };

export function pick<T>(random: Source, all: readonly T[]): T {
  return all[Math.floor(random.next() * all.length)]!;
}

/** One to four changes: a byte, a word, a piece taken out, doubled, or put in from another message. */
function mutate(text: string, corpus: readonly string[], random: Source): string {
  let result = text;
  for (let n = 1 + Math.floor(random.next() * 4); n > 0; n--) {
    const at = Math.floor(random.next() * (result.length + 1));
    const length = Math.floor(random.next() * 8);
    const other = pick(random, corpus);
    const from = Math.floor(random.next() * other.length);
    const inserted = pick(random, [
      String.fromCharCode(Math.floor(random.next() * 256)),
      pick(random, DICTIONARY),
      '',
      result.slice(at, at + length),
      other.slice(from, from + Math.floor(random.next() * 40)),
    ]);
    result = result.slice(0, at) + inserted + result.slice(at + (random.next() < 0.5 ? 0 : 1 + length));
  }
  return result;
}

/**
 * Calls `compare` with damaged messages of the corpus for `ms` milliseconds and until the sum of what it answers is
 * `min`, however slow the machine; answers the sum.
 * Names the seed and the message when it throws. FUZZ_SEED=n repeats a run; FUZZ_MS=n makes it longer.
 */
export async function damage(
  corpus: readonly string[],
  { ms, min }: { ms: number; min: number },
  compare: (text: string, random: Source) => number | Promise<number>,
): Promise<number> {
  const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);
  const random = seededRandom(seed);
  const endMs = performance.now() + Number(process.env.FUZZ_MS ?? ms);
  let compared = 0;
  for (let i = 0; performance.now() < endMs || compared < min; i++) {
    const text = mutate(pick(random, corpus), corpus, random);
    try {
      compared += await compare(text, random);
    } catch (error) {
      throw new Error(`FUZZ_SEED=${seed}, message ${i}: ${JSON.stringify(text)}`, { cause: error });
    }
  }
  return compared;
}
