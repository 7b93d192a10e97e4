/** An answer to a mirrored request as it is compared: its body taken out of its coding, within bounds. Never rejects. */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { brotliDecompress, inflate, unzip, zstdDecompress } from 'node:zlib';
import type { Answer } from '../analysis/diff/diff-answers.ts';
import type { RawAnswer } from './mirror-call.ts';

const DECODERS: Readonly<
  Record<string, (body: Buffer, limits: { readonly maxOutputLength: number }) => Promise<Buffer>>
> = {
  gzip: promisify(unzip),
  'x-gzip': promisify(unzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
  zstd: promisify(zstdDecompress),
};

/** @param bodyMaxBytes what is longer, coded or not, is compared by its length and hash */
export async function readAnswer(raw: RawAnswer, bodyMaxBytes: number): Promise<Answer> {
  const { status, problem, headers, ms } = raw;
  const common = { status, problem, headers, ms };
  const plain = raw.body === null ? null : await decode(raw.body, headers, bodyMaxBytes);
  if (plain === null) return { ...common, body: null, hash: raw.hash, bytes: raw.bytes };
  // The same text in another coding is the same.
  const hash = plain === raw.body ? raw.hash : createHash('sha256').update(plain).digest('hex');
  return { ...common, body: plain.toString(), hash, bytes: plain.length };
}

/** Null: it cannot be read. */
async function decode(
  body: Buffer,
  headers: ReadonlyMap<string, string>,
  maxOutputLength: number,
): Promise<Buffer | null> {
  const coding = (headers.get('content-encoding') ?? '').trim().toLowerCase();
  if (coding === '' || coding === 'identity' || body.length === 0) return body;
  if (!Object.hasOwn(DECODERS, coding)) return null;
  return DECODERS[coding]!(body, { maxOutputLength }).catch(() => null);
}
