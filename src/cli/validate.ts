/**
 * `fairlead validate FILE...`: would these files be accepted? Prints every mistake with its place; runs nothing,
 * opens no secret and connects to nothing. Of the files that a configuration names, those of segments are read.
 */
import { readFile } from 'node:fs/promises';
import { configHash } from '../config/hash.ts';
import { type ConfigIssue, formatIssue } from '../config/issue.ts';
import { type IssueAt, parseConfig } from '../config/parse.ts';
import type { Config } from '../config/schema.ts';
import type { SegmentConfig } from '../config/schema-segment.ts';
import { readSegments } from '../control/segments.ts';
import { Exit, type Io } from './io.ts';

export interface ValidateOptions {
  readonly files: readonly string[];
  readonly output: 'text' | 'json';
}

interface Verdict {
  readonly file: string;
  readonly ok: boolean;
  /** Null when it is not valid. */
  readonly hash: string | null;
  readonly routes: number;
  readonly experiments: number;
  readonly issues: readonly ConfigIssue[];
  readonly isReadable: boolean;
}

/** 0 when all are valid, 3 when one is not, 78 when one cannot be read. `FAIRLEAD_` settings count, as in `run`. */
export async function validateCommand(options: ValidateOptions, io: Io): Promise<number> {
  const verdicts = await Promise.all(options.files.map((file) => judge(file, io)));
  if (options.output === 'json') {
    const shown = verdicts.map(({ isReadable: _, ...verdict }) => verdict);
    io.out(`${JSON.stringify(shown, null, 2)}\n`);
  } else {
    for (const verdict of verdicts) print(verdict, io);
  }
  if (verdicts.some((verdict) => !verdict.ok && verdict.isReadable)) return Exit.configInvalid;
  return verdicts.every((verdict) => verdict.ok) ? Exit.ok : Exit.unfit;
}

async function judge(file: string, io: Io): Promise<Verdict> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const message = `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    const issue: ConfigIssue = { severity: 'error', file, line: 0, column: 0, path: '', message };
    return { file, ok: false, hash: null, routes: 0, experiments: 0, issues: [issue], isReadable: false };
  }
  const { config, issues, issueAt } = parseConfig(text, file, io.env);
  if (config === null) return { file, ok: false, ...counts(null), issues, isReadable: true };
  const { problems, config: complete } = await segmentsOf(config, file, issueAt);
  const ok = problems.length === 0;
  return { file, ok, ...counts(ok ? complete : null), issues: [...issues, ...problems], isReadable: true };
}

/** With its segments' files read, but for their keys: these are secrets, and need not be where a file is checked. */
async function segmentsOf(config: Config, file: string, issueAt: IssueAt) {
  const each = (change: (segment: SegmentConfig, name: string) => SegmentConfig): Config => {
    const segments = Object.entries(config.segments).map(([name, one]) => [name, change(one, name)]);
    return { ...config, segments: Object.fromEntries(segments) as Config['segments'] };
  };
  const read = await readSegments(
    each((segment) => ({ ...segment, keyFile: undefined })),
    file,
    issueAt,
  );
  const complete = each((segment, name) => ({
    ...segment,
    hashedFile: read.config.segments[name]!.hashedFile,
  }));
  return { problems: read.problems, config: complete };
}

function counts(config: Config | null): { hash: string | null; routes: number; experiments: number } {
  if (config === null) return { hash: null, routes: 0, experiments: 0 };
  const experiments = Object.keys(config.experiments).length;
  return { hash: configHash(config), routes: config.routes?.length ?? 1, experiments };
}

function print(verdict: Verdict, io: Io): void {
  for (const issue of verdict.issues) io.err(`${formatIssue(issue)}\n`);
  if (verdict.ok) {
    const routes = count(verdict.routes, 'route');
    const experiments = count(verdict.experiments, 'experiment');
    io.out(`${verdict.file}: valid (${routes}, ${experiments}, hash ${verdict.hash})\n`);
  } else {
    const errors = verdict.issues.filter((issue) => issue.severity === 'error').length;
    io.out(`${verdict.file}: not valid (${count(errors, 'error')})\n`);
  }
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
