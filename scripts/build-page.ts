/**
 * The page of the admin port, from page/ to dist/page: index.html, a script and a style sheet.
 *   node scripts/build-page.ts              builds it
 *   node scripts/build-page.ts --if-older   only where a source is newer than what is there: what `npm start` does first
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'vite';

const ROOT = join(import.meta.dirname, '..');
const TARGET = join(ROOT, 'dist/page');
/** What the page is made of; of src/ it takes a few pure files. */
const SOURCES = ['page', 'src/analysis', 'package-lock.json'];

/** Builds it into a folder, which is emptied first, in less than a second. Returns what went in, as paths of modules. */
export async function buildPage(folder = TARGET): Promise<string[]> {
  const built = await build({
    configFile: join(ROOT, 'page/vite.config.ts'),
    build: { outDir: folder, emptyOutDir: true },
  });
  if (!('output' in built)) throw new Error('vite built something else than one page');
  return built.output.flatMap((one) => (one.type === 'chunk' ? one.moduleIds : []));
}

function isOlder(): boolean {
  const index = join(TARGET, 'index.html');
  if (!existsSync(index)) return true;
  const builtMs = statSync(index).mtimeMs;
  return SOURCES.some((source) => newestMs(join(ROOT, source)) > builtMs);
}

function newestMs(path: string): number {
  if (!statSync(path).isDirectory()) return statSync(path).mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newestMs(join(path, name))));
}

if (import.meta.main && (!process.argv.includes('--if-older') || isOlder())) {
  await buildPage();
  process.stdout.write('dist/page: the page of the admin port\n');
}
