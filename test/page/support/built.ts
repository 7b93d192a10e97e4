/** The page, built for the tests of one file; dist/page is another build's. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildPage } from '../../../scripts/build-page.ts';

export async function builtPage(): Promise<{
  readonly folder: string;
  /** What went in, as paths. */
  readonly modules: readonly string[];
  remove(): void;
}> {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-page-'));
  const modules = await buildPage(folder);
  return { folder, modules, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
