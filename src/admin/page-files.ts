/**
 * The built page, read once into memory: what a request for it is answered with. Nothing that is put into the folder
 * later is ever served, and no path of a request is ever looked up on the disk.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';

/** One file of it. */
export interface PageFile {
  /** `/`, or `/assets/index-B1x2.js`. */
  readonly url: string;
  readonly type: string;
  readonly etag: string;
  /** Its name changes with what is in it. */
  readonly isImmutable: boolean;
  readonly body: Buffer;
}

const INDEX = 'index.html';
const ASSETS = 'assets';
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
};

/** Reads `index.html` and what is in `assets/`; null: it has not been built. Files of other kinds are left out. */
export function readPage(folder: string): PageFile[] | null {
  try {
    const index = fileOf('/', readFileSync(join(folder, INDEX)), INDEX);
    const assets = readdirSync(join(folder, ASSETS))
      .filter((name) => Object.hasOwn(TYPES, extname(name)))
      .map((name) => fileOf(`/${ASSETS}/${name}`, readFileSync(join(folder, ASSETS, name)), name));
    return [index, ...assets];
  } catch {
    return null;
  }
}

function fileOf(url: string, body: Buffer, name: string): PageFile {
  return {
    url,
    type: TYPES[extname(name)]!,
    etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
    isImmutable: url !== '/',
    body,
  };
}
