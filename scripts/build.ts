/**
 * `npm run build`: src/ and the runtime dependencies as plain JavaScript in dist/, for the package and the image.
 * dist/fairlead.js is what bin/fairlead.js starts; what only some commands need is in chunks beside it, loaded
 * when called; dist/worker.js is what a worker process runs; dist/page is the page of the admin port. dist/LICENSES.txt
 * holds the licence of every package that went in.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { buildPage } from './build-page.ts';
import { inAscii, leanBundle } from './lean-bundle.ts';

const ROOT = join(import.meta.dirname, '..');
const DIST = join(ROOT, 'dist');

rmSync(DIST, { recursive: true, force: true });
const bundle = await rolldown({
  input: { fairlead: join(ROOT, 'src/main.ts'), worker: join(ROOT, 'src/cli/serve-worker.ts') },
  platform: 'node',
  plugins: [leanBundle()],
  // The Kafka client's checksums: the same with the WebAssembly in it, not in a file beside it.
  resolve: { alias: { '@platformatic/wasm-utils': '@platformatic/wasm-utils/bundled' } },
  onLog(level, log) {
    // In a part of hdr-histogram-js that autocannon, with its WebAssembly histograms, does not reach.
    const isExpected = log.code === 'EVAL' && log.id?.includes('/hdr-histogram-js/') === true;
    if (level === 'warn' && !isExpected) throw new Error(log.message);
  },
});
const { output } = await bundle.write({
  dir: DIST,
  format: 'esm',
  entryFileNames: '[name].js',
  chunkFileNames: 'chunks/[name]-[hash].js',
  sourcemap: false,
  // V8 keeps the source, so what is not in it is not in memory. Names of functions stay, for the stack traces.
  minify: {
    compress: false,
    mangle: { keepNames: { function: true, class: true } },
    codegen: { removeWhitespace: true },
  },
});
await bundle.close();
for (const part of output) if (part.type === 'chunk') inAscii(join(DIST, part.fileName));
const ofPage = await buildPage(join(DIST, 'page'));

const modules = output.flatMap((chunk) => (chunk.type === 'chunk' ? chunk.moduleIds : []));
const packages = packagesOf([...modules, ...ofPage]);
writeFileSync(join(DIST, 'LICENSES.txt'), licenceText(packages));
const bytes = output.reduce((sum, chunk) => sum + (chunk.type === 'chunk' ? chunk.code.length : 0), 0);
process.stdout.write(
  `dist/fairlead.js and ${output.length - 1} chunks, ${(bytes / 1e6).toFixed(1)} MB, ${packages.length} packages\n`,
);

/** Folders of the packages that modules came from, sorted. */
function packagesOf(ids: readonly string[]): string[] {
  const folders = new Set<string>();
  for (const id of ids) {
    const match = /^\0?(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(id);
    if (match?.[1] !== undefined) folders.add(match[1]);
  }
  return [...folders].sort();
}

function licenceText(folders: readonly string[]): string {
  const parts = folders.map((folder) => {
    const json = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, unknown>;
    const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
    const text =
      file !== undefined && existsSync(join(folder, file))
        ? readFileSync(join(folder, file), 'utf8').trim()
        : '';
    return `${json.name} ${json.version} (${licenceName(json.license)})\n\n${text || 'No licence file in the package.'}\n`;
  });
  return `Fairlead bundles these packages.\n\n${parts.join(`\n${'-'.repeat(80)}\n\n`)}`;
}

function licenceName(value: unknown): string {
  if (typeof value === 'string') return value;
  return (value as { type?: string } | undefined)?.type ?? 'unknown';
}
