/** Reading a file that a configuration names: its text, or a sentence that says why not. */
import { readFile } from 'node:fs/promises';

export type FileText =
  | { readonly ok: true; readonly value: string }
  | { readonly ok: false; readonly problem: string };

/** Never throws. A file of more than `bytesMax` bytes, or that is not UTF-8, is a problem. */
export async function readText(file: string, bytesMax: number): Promise<FileText> {
  try {
    const bytes = await readFile(file);
    if (bytes.length > bytesMax)
      return { ok: false, problem: `the file ${file} has ${bytes.length} bytes, more than ${bytesMax}` };
    return { ok: true, value: new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes) };
  } catch (error) {
    return { ok: false, problem: readProblem(file, error) };
  }
}

/** What the system has against reading a file, as a sentence. */
export function readProblem(file: string, error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : null;
  if (code === 'ENOENT') return `there is no file ${file}`;
  if (code === 'EISDIR') return `${file} is a folder; expected a file`;
  if (code === 'EACCES') return `the file ${file} may not be read by this user`;
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return `the file ${file} is not UTF-8 text`;
  return `the file ${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`;
}
