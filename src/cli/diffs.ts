/** `fairlead diffs NAME`: where the answers of a candidate differ from those of control, as mirrored requests show. */
import { type AdminTarget, adminDelete, adminGet } from './admin-client.ts';
import { Exit, type Io } from './io.ts';
import { msText, printable, shareText, wholeText } from './live-text.ts';
import { table } from './table.ts';

export interface DiffsOptions extends AdminTarget {
  readonly name: string;
  readonly output: 'text' | 'json';
  /** Paths of noise as well. */
  readonly all?: boolean;
  /** Forget them instead. */
  readonly forget?: boolean;
  readonly reason: string;
}

interface Quantiles {
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

interface Value {
  readonly type: string;
}

interface Path {
  readonly path: string;
  readonly kind: string;
  readonly noise: number;
  readonly differences: number;
  readonly last: { readonly control: Value; readonly candidate: Value } | null;
}

interface Diffs {
  readonly mirror: { readonly control: string; readonly candidate: string; readonly share: number } | null;
  readonly since: string | null;
  readonly verdict: { readonly kind: string; readonly reason: string };
  readonly compared: number;
  readonly missed: Readonly<Record<string, number>>;
  readonly paths: readonly Path[];
  readonly latency: { readonly control: Quantiles; readonly candidate: Quantiles };
  readonly bytes: { readonly control: number | null; readonly candidate: number | null };
  readonly samples: readonly {
    readonly path: string;
    readonly control: string;
    readonly candidate: string;
  }[];
}

/** Prints them; 1 when answers differ that should not. @throws CliError */
export async function diffsCommand(options: DiffsOptions, io: Io): Promise<number> {
  const path = `/v1/experiments/${encodeURIComponent(options.name)}/diffs`;
  if (options.forget === true) {
    await adminDelete(options, path, { reason: options.reason }, io.env);
    io.err(`what was found of ${options.name} is forgotten; it is compared anew\n`);
    return Exit.ok;
  }
  const diffs = (await adminGet(options, path, io.env)) as Diffs;
  io.out(options.output === 'json' ? `${JSON.stringify(diffs, null, 2)}\n` : textOf(diffs, options));
  return diffs.verdict.kind === 'regression' ? Exit.negative : Exit.ok;
}

function textOf(diffs: Diffs, { name, all }: DiffsOptions): string {
  const { mirror, since, verdict } = diffs;
  if (mirror === null)
    return `${name} is not mirrored: mirror: { share: 5% } in the configuration does that\n`;
  const { control, candidate, share } = mirror;
  const lines = [
    `${name}: ${candidate} beside ${control}, ${shareText(share)} of the requests since ${since}`,
    printable(`${verdict.kind}: ${verdict.reason}`),
    ...missedLines(diffs.missed),
  ];
  if (diffs.compared > 0) lines.push('', figures(diffs, { control, candidate }).trimEnd());
  const shown = diffs.paths.filter(({ kind }) => all === true || kind !== 'noise');
  if (shown.length > 0) lines.push('', pathTable(shown, diffs.compared).trimEnd());
  const noise = diffs.paths.length - shown.length;
  if (noise > 0) lines.push('', `noise: ${noise} more, where control differs from itself (--all shows them)`);
  for (const sample of diffs.samples)
    lines.push(printable(`${sample.path}: ${sample.control} -> ${sample.candidate}`));
  return `${lines.join('\n')}\n`;
}

function missedLines(missed: Diffs['missed']): string[] {
  const parts = Object.entries(missed).flatMap(([why, count]) => (count > 0 ? [`${why} ${count}`] : []));
  return parts.length === 0 ? [] : [`chosen and not compared: ${parts.join(', ')}`];
}

function figures({ latency, bytes }: Diffs, names: { control: string; candidate: string }): string {
  const row = (variant: 'control' | 'candidate') => {
    const { p50, p95, p99 } = latency[variant];
    return [names[variant], msText(p50), msText(p95), msText(p99), wholeText(bytes[variant])];
  };
  return table(['VARIANT', 'P50', 'P95', 'P99', 'BYTES'], [row('control'), row('candidate')]);
}

function pathTable(paths: readonly Path[], compared: number): string {
  const part = (count: number): string => `${wholeText(count)} (${shareText(count / compared)})`;
  return table(
    ['PATH', 'IS', 'CANDIDATE', 'CONTROL ITSELF', 'LAST CHANGE'],
    paths.map(({ path, kind, noise, differences, last }) => [
      printable(path),
      kind,
      part(differences),
      part(noise),
      last === null ? '-' : changeOf(last),
    ]),
  );
}

function changeOf({ control, candidate }: NonNullable<Path['last']>): string {
  return control.type === candidate.type ? `another ${control.type}` : `${control.type} -> ${candidate.type}`;
}
