/**
 * The answers as text and where they are kept: a file in bench/results/ for each run, and the newest answer to each
 * question in bench/README.md (all of it) and README.md (CPU time alone), between two marks.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { type Answer, tableMarkdown, targetsMarkdown } from './support/answer.ts';
import { ROOT } from './support/rig.ts';

export interface Environment {
  readonly date: string;
  readonly commit: string;
  readonly node: string;
  readonly machine: string;
  readonly command: string;
}

/** One run, as it is kept. */
export interface Report {
  readonly environment: Environment;
  readonly answers: Readonly<Record<string, Answer>>;
}

/** Of the answers on the page. */
const ORDER = [
  ...['cpu', 'latency', 'bodies', 'connections', 'experiments', 'routes', 'startup', 'workers'],
  ...['throughput', 'soak'],
];
const RESULTS = join(ROOT, 'bench/results');
const START = '<!-- results: written by npm run bench -->';
const END = '<!-- end of results -->';

/** What the numbers were measured with. */
export function environment(script: 'bench' | 'soak'): Environment {
  const args = process.argv.slice(2).join(' ');
  return {
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    commit: commit(),
    node: process.versions.node,
    machine: `${cpus().length} cores, ${cpus()[0]?.model.trim() ?? 'unknown CPU'}, Linux ${release()}`,
    command: `npm run ${script}${args === '' ? '' : ` -- ${args}`}`,
  };
}

function commit(): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    const isDirty = git('status', '--porcelain', '--', 'src', 'bin') !== '';
    return `${git('rev-parse', '--short', 'HEAD')}${isDirty ? ' with changes' : ''}`;
  } catch {
    return 'unknown';
  }
}

/** An answer as Markdown, under a heading. */
export function toMarkdown(answer: Answer, environment: Environment): string {
  return [
    `### ${answer.title}`,
    ...answer.tables.map(tableMarkdown),
    ...(answer.targets.length > 0 ? [targetsMarkdown(answer.targets)] : []),
    ...(answer.notes.length > 0 ? [answer.notes.join(' ')] : []),
    footer(environment),
  ].join('\n\n');
}

function footer({ date, commit: hash, node, machine, command }: Environment): string {
  return `${date} UTC · commit ${hash} · Node ${node} · ${machine} · \`${command}\``;
}

/** Keeps a run and brings the pages up to date; answers the JSON file's path. */
export function keep(report: Report): string {
  mkdirSync(RESULTS, { recursive: true });
  const { date, commit: hash } = report.environment;
  const name = `${date.replace(' ', '-').replace(':', '')}-${hash.split(' ')[0]}.json`;
  writeFileSync(join(RESULTS, name), `${JSON.stringify(report, null, 2)}\n`);
  const newest = newestAnswers();
  const known = ORDER.filter((question) => newest.has(question));
  const page = known.map((question) => toMarkdown(...newest.get(question)!)).join('\n\n');
  replaceResults(join(ROOT, 'bench/README.md'), page);
  const cpu = newest.get('cpu');
  if (cpu !== undefined) {
    replaceResults(join(ROOT, 'README.md'), `${tableMarkdown(cpu[0].tables[0]!)}\n\n${footer(cpu[1])}`);
  }
  return join('bench/results', name);
}

/** The newest answer to each question, with what it was measured with; file names sort by date. */
function newestAnswers(): Map<string, [Answer, Environment]> {
  const newest = new Map<string, [Answer, Environment]>();
  for (const name of existsSync(RESULTS) ? readdirSync(RESULTS).sort() : []) {
    const { answers, environment: measuredWith } = JSON.parse(
      readFileSync(join(RESULTS, name), 'utf8'),
    ) as Partial<Report>;
    // The files of the first version of this benchmark have none.
    if (answers === undefined || measuredWith === undefined) continue;
    for (const [question, answer] of Object.entries(answers)) newest.set(question, [answer, measuredWith]);
  }
  return newest;
}

function replaceResults(file: string, results: string): void {
  const text = readFileSync(file, 'utf8');
  const from = text.indexOf(START);
  const to = text.indexOf(END);
  if (from < 0 || to < from) throw new Error(`${file} has lost its marks ${START} and ${END}`);
  writeFileSync(file, `${text.slice(0, from)}${START}\n\n${results}\n\n${text.slice(to)}`);
}
