/**
 * Where the package's own files (config/, docs/) are: the same from src/ in a checkout and from dist/ in the
 * published package and the image.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CliError, Exit } from './io.ts';

/** Where a file of the package would be; it need not be there. */
export function packagePath(relativePath: string): string {
  return join(dirname(packageFile('package.json')), relativePath);
}

/** The nearest folder above this file that has `relativePath` in it, joined with it. Throws CliError (78). */
export function packageFile(relativePath: string): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const candidate = join(folder, relativePath);
    if (existsSync(join(folder, 'package.json')) && existsSync(candidate)) return candidate;
    const parent = dirname(folder);
    if (parent === folder) throw new CliError(Exit.unfit, `${relativePath} is missing from the installation`);
    folder = parent;
  }
}
