/** A text as a file, for a program that reads no standard input. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The file is gone when `use` has ended. */
export async function withFile<T>(text: string, use: (path: string) => T | Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'fairlead-file-'));
  try {
    const path = join(folder, 'file.yaml');
    await writeFile(path, text);
    return await use(path);
  } finally {
    await rm(folder, { recursive: true });
  }
}
