/**
 * `fairlead replay FILE`: decides every decision of a decision log again, with the rules that were in force, which the
 * sidecar keeps beside it. Reads only, a line at a time.
 */
import { createReadStream } from 'node:fs';
import { type ReadRules, readArchivedRules, rulesId } from '../config/archived-rules.ts';
import { configsBeside } from '../config/compile-decisions.ts';
import { archiveFile } from '../control/config-archive.ts';
import { readText } from '../control/read-file.ts';
import { DECISION_MAX_CHARS } from '../telemetry/decision-log.ts';
import { CliError, Exit, type Io } from './io.ts';
import { Progress } from './progress.ts';
import { difference } from './replay-decision.ts';
import { readDecision } from './replay-line.ts';

export interface ReplayOptions {
  readonly file: string;
  /** Folder of the rules; beside the file unless given. */
  readonly configs?: string | undefined;
  readonly output: 'text' | 'json';
}

/** What came of it; of each kind of trouble the first few are named. */
export interface ReplayReport {
  decisions: number;
  agree: number;
  readonly differences: { readonly line: number; readonly what: string }[];
  differ: number;
  /** Rules that are not there, or not what their name says. */
  readonly missing: { readonly rules: string; readonly line: number; readonly why: string }[];
  /** Decisions that were made by those. */
  unknown: number;
  /** Lines that are no decisions. */
  readonly unreadable: number[];
  unread: number;
  /** The last line has no end: the sidecar was stopped, or is still writing. */
  isCut: boolean;
}

/** So many of a kind are named. */
const NAMED_MAX = 10;
/** Rules of so many versions are kept ready: lines are in the order of their time. */
const READY_MAX = 16;
/** The largest configuration, and what was changed at run time. */
const RULES_MAX_BYTES = 128 * 1024 * 1024;

/** 0 when all agree, 1 when one does not, 2 for a file with other lines, 3 when rules are missing; the first that holds. */
export async function replayCommand({ file, configs, output }: ReplayOptions, io: Io): Promise<number> {
  const progress = new Progress(io, 'decisions', null);
  const report = await replay(file, new RulesFolder(configs ?? configsBeside(file)), progress).finally(() =>
    progress.end(),
  );
  io.out(output === 'json' ? `${JSON.stringify(report, null, 2)}\n` : formatReport(report));
  if (report.differ > 0) return Exit.negative;
  if (report.unread > 0 || report.decisions === 0) return Exit.usage;
  return report.unknown > 0 ? Exit.configInvalid : Exit.ok;
}

async function replay(file: string, folder: RulesFolder, progress: Progress): Promise<ReplayReport> {
  const report: ReplayReport = {
    ...{ decisions: 0, agree: 0, differ: 0, unknown: 0, unread: 0, isCut: false },
    ...{ differences: [], missing: [], unreadable: [] },
  };
  try {
    for await (const line of linesOf(file)) {
      await replayLine(line, folder, report);
      progress.reached(line.number);
    }
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause)) throw cause;
    throw new CliError(Exit.usage, `${file} cannot be read: ${cause.message}`, { cause });
  }
  return report;
}

async function replayLine(
  { text, number, isEnded }: Line,
  folder: RulesFolder,
  report: ReplayReport,
): Promise<void> {
  const record = readDecision(text);
  if (record === null) {
    if (!isEnded) {
      report.isCut = true;
      return;
    }
    report.unread++;
    name(report.unreadable, number);
    return;
  }
  report.decisions++;
  const rules = await folder.read(record.rules);
  if (typeof rules === 'string') {
    report.unknown++;
    if (!report.missing.some((one) => one.rules === record.rules))
      name(report.missing, { rules: record.rules, line: number, why: rules });
    return;
  }
  const what = difference(text, record, rules);
  if (what === null) report.agree++;
  else {
    report.differ++;
    name(report.differences, { line: number, what });
  }
}

function name<T>(named: T[], one: T): void {
  if (named.length < NAMED_MAX) named.push(one);
}

function formatReport(report: ReplayReport): string {
  const { decisions, agree, differ, unknown, unread } = report;
  const lines = [
    ...report.differences.map(({ line, what }) => `line ${line}: ${what}`),
    ...report.missing.map(({ rules, line, why }) => `line ${line}: ${why} (rules ${rules})`),
    ...report.unreadable.map((line) => `line ${line}: not a decision`),
    ...(report.isCut ? ['the last line is not finished, and is left out'] : []),
  ];
  const counts = [`${decisions} ${decisions === 1 ? 'decision' : 'decisions'}: ${agree} agree`];
  if (differ > 0) counts.push(`${differ} do not`);
  if (unknown > 0) counts.push(`${unknown} were made by rules that are not there`);
  if (unread > 0) counts.push(`${unread} other lines`);
  return `${[...lines, counts.join(', ')].join('\n')}\n`;
}

/** The rules by their id, read when the first decision asks for them. */
class RulesFolder {
  readonly #folder: string;
  readonly #ready = new Map<string, ReadRules | string>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** A sentence when they cannot be used. */
  async read(id: string): Promise<ReadRules | string> {
    const known = this.#ready.get(id);
    if (known !== undefined) return known;
    const rules = await this.#load(archiveFile(this.#folder, id), id);
    const [oldest] = this.#ready.keys();
    if (this.#ready.size >= READY_MAX && oldest !== undefined) this.#ready.delete(oldest);
    this.#ready.set(id, rules);
    return rules;
  }

  async #load(file: string, id: string): Promise<ReadRules | string> {
    const text = await readText(file, RULES_MAX_BYTES);
    if (!text.ok) return text.problem;
    if (rulesId(text.value) !== id) return `the file ${file} was changed: it is not what its name says`;
    return readArchivedRules(text.value) ?? `the file ${file} cannot be used by this release`;
  }
}

interface Line {
  readonly text: string;
  /** From 1. */
  readonly number: number;
  readonly isEnded: boolean;
}

/** The lines of a file. Of one that is too long to be a decision only the beginning is kept. */
async function* linesOf(file: string): AsyncGenerator<Line> {
  let number = 1;
  let rest = '';
  for await (const chunk of createReadStream(file, 'utf8') as AsyncIterable<string>) {
    const parts = chunk.split('\n');
    for (const [index, part] of parts.entries()) {
      if (rest.length <= DECISION_MAX_CHARS) rest += part;
      if (index === parts.length - 1) break;
      yield { text: rest, number: number++, isEnded: true };
      rest = '';
    }
  }
  if (rest !== '') yield { text: rest, number, isEnded: false };
}
