/**
 * Reading the files of segments: hashed ids, and the keys they were hashed with. In pieces, so that the text of a large
 * file is never in memory as a whole, and requests are answered in between. No message holds anything of a file.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { HASHED_IDS_MAX, HashedIdsReader } from '../config/hashed-ids.ts';
import type { ConfigIssue, ConfigPath } from '../config/issue.ts';
import type { IssueAt } from '../config/parse.ts';
import type { Config } from '../config/schema.ts';
import type { HashedFile, SegmentConfig } from '../config/schema-segment.ts';
import { readProblem, readText } from './read-file.ts';

const KEY_MAX_BYTES = 64 * 1024;
/** Room for every id that may be, and as much again as line ends of two bytes and some empty lines take. */
const FILE_MAX_BYTES = HASHED_IDS_MAX * 68;

export interface ReadSegments {
  /** With what could be read. */
  readonly config: Config;
  readonly files: readonly string[];
  readonly problems: readonly ConfigIssue[];
}

/** Never throws. Names of files are relative to the folder of the configuration file. */
export async function readSegments(
  config: Config,
  configFile: string,
  issueAt: IssueAt,
): Promise<ReadSegments> {
  const segments: Record<string, SegmentConfig> = { ...config.segments };
  const files: string[] = [];
  const problems: ConfigIssue[] = [];
  let idsLeft = HASHED_IDS_MAX;
  for (const [name, segment] of Object.entries(config.segments)) {
    if (segment.hashedFile === undefined) continue;
    const at = (key: 'hashedFile' | 'keyFile'): ConfigPath => ['segments', name, key];
    const inFolder = (file: string): string => resolve(dirname(configFile), file);
    let { key } = segment;
    if (segment.keyFile !== undefined) {
      files.push(inFolder(segment.keyFile));
      const read = await readKey(inFolder(segment.keyFile));
      if (read.ok) key = read.value;
      else problems.push(issueAt(at('keyFile'), read.problem));
    }
    const file = inFolder(segment.hashedFile.file);
    files.push(file);
    const read = await readIds(file, idsLeft);
    if (!read.ok) {
      problems.push(issueAt(at('hashedFile'), read.problem));
      continue;
    }
    idsLeft -= read.ids.length / 2;
    const hashedFile: HashedFile = { file: segment.hashedFile.file, sha256: read.sha256, ids: read.ids };
    segments[name] = { ...segment, key, hashedFile };
  }
  return { config: files.length === 0 ? config : { ...config, segments }, files, problems };
}

async function readKey(file: string) {
  const text = await readText(file, KEY_MAX_BYTES);
  if (!text.ok) return text;
  const value = text.value.trim();
  if (value === '') return { ok: false as const, problem: `the file ${file} is empty; expected a key in it` };
  return { ok: true as const, value };
}

type ReadIds =
  | { readonly ok: true; readonly ids: Uint32Array; readonly sha256: string }
  | { readonly ok: false; readonly problem: string };

async function readIds(file: string, idsMax: number): Promise<ReadIds> {
  try {
    const { size } = await stat(file);
    const reader = new HashedIdsReader(Math.min(size, FILE_MAX_BYTES), idsMax);
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const piece of createReadStream(file) as AsyncIterable<Buffer>) {
      bytes += piece.length;
      if (bytes > FILE_MAX_BYTES)
        return { ok: false, problem: `the file ${file} has more than ${FILE_MAX_BYTES} bytes` };
      reader.push(piece);
      hash.update(piece);
    }
    const ids = reader.finish();
    if (ids.length === 0)
      return { ok: false, problem: `the file ${file} is empty; expected hashed ids in it` };
    return { ok: true, ids, sha256: hash.digest('hex') };
  } catch (error) {
    const isOurs = error instanceof RangeError && !('code' in error);
    return { ok: false, problem: isOurs ? `the file ${file} ${error.message}` : readProblem(file, error) };
  }
}
