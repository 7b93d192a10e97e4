/** What is shipped of the page: little, complete, and nothing from elsewhere. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { builtPage } from './support/built.ts';

const GZIP_MAX_BYTES = 150 * 1024;
/** Names of things, which nobody asks anything of. */
const NAMESPACES = /https?:\/\/www\.w3\.org\/[\w/]+/g;

let built: Awaited<ReturnType<typeof builtPage>>;
beforeAll(async () => {
  built = await builtPage();
}, 60_000);
afterAll(() => built?.remove());

function assets(): string[] {
  return readdirSync(join(built.folder, 'assets'));
}

test('one script and one style sheet, with names that change with what is in them', () => {
  expect(
    assets()
      .map((name) => name.replace(/-[\w-]{8}\./, '-HASH.'))
      .sort(),
  ).toEqual(['index-HASH.js', 'style-HASH.css']);
});

test('all of it is at most 150 KB as it is packed', () => {
  const files = [
    join(built.folder, 'index.html'),
    ...assets().map((name) => join(built.folder, 'assets', name)),
  ];
  const bytes = files.reduce((sum, file) => sum + gzipSync(readFileSync(file)).length, 0);
  expect(bytes).toBeLessThan(GZIP_MAX_BYTES);
});

test('of src/ it takes what is pure and about analysis, of packages three', () => {
  const paths = built.modules.map((path) => path.replace(/^.*?\/(?=(?:src|page|node_modules)\/)/, ''));
  const folders = (root: string, pattern: RegExp) =>
    [...new Set(paths.filter((path) => path.startsWith(root)).map((path) => pattern.exec(path)?.[1]))].sort();
  expect(folders('src/', /^src\/(\w+)\//)).toEqual(['analysis']);
  expect(folders('node_modules/', /^node_modules\/((?:@[^/]+\/)?[^/]+)/)).toEqual([
    '@preact/signals',
    '@preact/signals-core',
    'preact',
    'uplot',
  ]);
});

test('no address of another place is in it, and no script or style in the HTML', () => {
  for (const name of assets()) {
    const text = readFileSync(join(built.folder, 'assets', name), 'utf8').replace(NAMESPACES, '');
    expect(text.match(/https?:\/\/[\w.-]+/g) ?? []).toEqual([]);
  }
  const html = readFileSync(join(built.folder, 'index.html'), 'utf8');
  expect(html).not.toMatch(/<style|\sstyle=|<script(?![^>]*\ssrc=)|\son\w+=/);
});
