/**
 * The results as text, ratios first, and where they are kept: bench/results/*.json, and the newest in
 * bench/README.md and README.md, between two marks.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import type { CpuRow } from './cpu.ts';
import type { Spread } from './support/statistics.ts';
import type { ThroughputRow } from './throughput.ts';

export interface Report {
  readonly date: string;
  readonly commit: string;
  readonly node: string;
  readonly machine: string;
  readonly command: string;
  readonly responder: string;
  readonly connections: number;
  readonly cpu: readonly CpuRow[];
  readonly throughput: readonly ThroughputRow[];
}

const START = '<!-- results: written by npm run bench -->';
const END = '<!-- end of results -->';

/** What the numbers were measured with. */
export function environment(): Pick<Report, 'date' | 'commit' | 'node' | 'machine' | 'command'> {
  return {
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    commit: commit(),
    node: process.versions.node,
    machine: `${cpus().length} cores, ${cpus()[0]?.model.trim() ?? 'unknown CPU'}, Linux ${release()}`,
    command: `npm run bench${process.argv.length > 2 ? ` -- ${process.argv.slice(2).join(' ')}` : ''}`,
  };
}

function commit(): string {
  try {
    const git = (...args: string[]): string => execFileSync('git', args, { encoding: 'utf8' }).trim();
    const isDirty = git('status', '--porcelain', '--', 'src', 'bin') !== '';
    return `${git('rev-parse', '--short', 'HEAD')}${isDirty ? ' with changes' : ''}`;
  } catch {
    return 'unknown';
  }
}

/** The report as Markdown. */
export function toMarkdown(report: Report): string {
  const parts: string[] = [];
  if (report.cpu.length > 0) {
    const first = report.cpu[0]!.name;
    parts.push(
      `CPU time of the proxy per request (wrk, ${report.connections} connections; ratio within each round, median and quartiles):`,
      table(
        ['proxy', `ratio to ${first}`, 'us/request', 'requests/s', 'RSS idle', 'RSS under load', 'errors'],
        report.cpu.map((row) => [
          row.name,
          ratioText(row.ratio),
          spreadText(row.usPerRequest, 1),
          String(row.requestsPerSecond),
          `${row.idleMiB.toFixed(0)} MiB`,
          `${row.loadedMiB.toFixed(0)} MiB`,
          `${row.errors}${row.disturbed > 0 ? ` (${row.disturbed} shots disturbed)` : ''}`,
        ]),
      ),
    );
  }
  if (report.throughput.length > 0) {
    parts.push(
      `What autocannon sees (${report.connections} connections; it is the bottleneck of the fast ones):`,
      table(
        ['', 'ratio to direct', 'requests/s', 'p50', 'p99', 'errors'],
        report.throughput.map((row) => [
          row.name,
          ratioText(row.ratio),
          String(row.requestsPerSecond),
          `${row.p50Ms} ms`,
          `${row.p99Ms} ms`,
          String(row.errors),
        ]),
      ),
    );
  }
  parts.push(
    `${report.date} UTC · commit ${report.commit} · Node ${report.node} · ${report.machine} · upstreams: ${report.responder} · \`${report.command}\``,
  );
  return `${parts.join('\n\n')}\n`;
}

function ratioText(value: Spread): string {
  return `**${value.median.toFixed(2)}** (${value.q1.toFixed(2)}-${value.q3.toFixed(2)})`;
}

function spreadText(value: Spread, digits: number): string {
  return `${value.median.toFixed(digits)} (${value.q1.toFixed(digits)}-${value.q3.toFixed(digits)})`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Keeps the report; answers the JSON file's path. */
export function keep(report: Report): string {
  const folder = join(import.meta.dirname, 'results');
  mkdirSync(folder, { recursive: true });
  const name = `${report.date.replace(' ', '-').replace(':', '')}-${report.commit.split(' ')[0]}.json`;
  writeFileSync(join(folder, name), `${JSON.stringify(report, null, 2)}\n`);
  replaceResults(join(import.meta.dirname, 'README.md'), toMarkdown(report));
  // The front page is about the proxy alone; what autocannon sees is for whoever reads the method too.
  replaceResults(join(import.meta.dirname, '../README.md'), toMarkdown({ ...report, throughput: [] }));
  return join('bench/results', name);
}

function replaceResults(file: string, results: string): void {
  const text = readFileSync(file, 'utf8');
  const from = text.indexOf(START);
  const to = text.indexOf(END);
  if (from < 0 || to < from) throw new Error(`${file} has lost its marks ${START} and ${END}`);
  writeFileSync(file, `${text.slice(0, from)}${START}\n\n${results}\n${text.slice(to)}`);
}
