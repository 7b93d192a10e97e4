/** Results for people: the sentence first, then the numbers that it is made of. docs/results.md explains them. Pure. */
import type { Comparison, MetricResult, Results, VariantSummary } from '../analysis/results/results.ts';
import {
  differenceInWords,
  durationInWords,
  intervalInWords,
  inWords,
  type MetricUnit,
} from '../analysis/wording.ts';
import { printable, shareText, timeText, wholeText } from './live-text.ts';
import { table } from './table.ts';

export interface ResultsStyle {
  readonly by: 'assigned' | 'served';
  readonly isWide: boolean;
  readonly isColoured: boolean;
  /** Characters in a line; null: as long as it is. */
  readonly width: number | null;
}

/** One paragraph each. */
export function resultsText(results: Results, style: ResultsStyle): string {
  const { experiment, verdict, state } = results;
  const head = `${printable(experiment)}: ${painted(verdict.kind, style)}\n${wrapped(verdict.reason, style, '')}`;
  if (state === 'off') return head;
  const parts = [head, variantsText(results, style)];
  for (const comparison of results.comparisons) parts.push(comparisonText(results, comparison, style));
  return [...parts, trustText(results, style)].join('\n');
}

/** A line for each experiment. */
export function overviewText(
  all: readonly Pick<Results, 'experiment' | 'verdict'>[],
  style: ResultsStyle,
): string {
  if (all.length === 0) return 'no experiments\n';
  const columns = (texts: readonly string[]): number => Math.max(...texts.map(({ length }) => length)) + 3;
  const first = columns(all.map(({ experiment }) => experiment));
  const second = columns(all.map(({ verdict }) => LABELS[verdict.kind]));
  return all
    .map(({ experiment, verdict: { kind, reason } }) => {
      const gap = ' '.repeat(second - LABELS[kind].length);
      const line = printable(reason);
      const room = style.width === null ? line.length : Math.max(20, style.width - first - second);
      const shown = line.length > room ? `${line.slice(0, room - 1)}…` : line;
      return `${printable(experiment).padEnd(first)}${painted(kind, style)}${gap}${shown}\n`;
    })
    .join('');
}

type Kind = Results['verdict']['kind'] | MetricResult['verdict']['kind'];

const LABELS: Readonly<Record<Kind, string>> = {
  better: 'better',
  worse: 'worse',
  noDifference: 'no difference',
  mixed: 'mixed',
  insufficient: 'not known yet',
  pass: 'holds',
  breach: 'breach',
  invalid: 'invalid',
  off: 'off',
};

const RED = '\u001b[31m';
const GREEN = '\u001b[32m';
const YELLOW = '\u001b[33m';
const PLAIN = '\u001b[0m';

const COLOURS: Partial<Record<Kind, string>> = {
  better: GREEN,
  pass: GREEN,
  worse: RED,
  breach: RED,
  invalid: YELLOW,
  mixed: YELLOW,
};

function painted(kind: Kind, { isColoured }: ResultsStyle): string {
  // A newer sidecar may know other kinds.
  const label = LABELS[kind] ?? printable(kind);
  const colour = COLOURS[kind];
  return isColoured && colour !== undefined ? `${colour}${label}${PLAIN}` : label;
}

/** Below these a table leaves out what the config says, and what can be seen from the rest. */
const NARROW_COLUMNS = 110;
const VERY_NARROW_COLUMNS = 95;

function isBelow(columns: number, { width }: ResultsStyle): boolean {
  return width !== null && width < columns;
}

function variantsText({ state, assigned, served, fallback }: Results, style: ResultsStyle): string {
  const { by, isWide } = style;
  const mark = isBelow(VERY_NARROW_COLUMNS, style) ? '' : ' (fallback)';
  const wide = isWide ? ['SLOW', 'MEAN', 'P90', 'P95', 'BYTES'] : [];
  const units = by === 'assigned' ? ['UNITS'] : [];
  const head = [by.toUpperCase(), 'WANTED', 'SEEN', ...units, 'REQUESTS', 'ERRORS', 'P50', 'P99', ...wide];
  const variants = by === 'assigned' ? assigned : served;
  const rows = variants.map((variant) => {
    const { name, share, seenShare, requests, errorShare, latencyMs } = variant;
    return [
      `${printable(name)}${name === fallback ? mark : ''}`,
      // Before anything has come, only the rules know what is wanted.
      shareText(state === 'empty' ? null : share),
      shareText(seenShare),
      ...(by === 'assigned' ? [wholeText(variant.units)] : []),
      wholeText(requests),
      valueText(errorShare, 'share'),
      valueText(latencyMs.p50, 'ms'),
      valueText(latencyMs.p99, 'ms'),
      ...(isWide ? wideCells(variant) : []),
    ];
  });
  return `${table(head, rows)}${metricsText(variants)}`;
}

function wideCells({ slowShare, latencyMs, bytesMean }: VariantSummary): string[] {
  const { mean, p90, p95 } = latencyMs;
  const times = [mean, p90, p95].map((time) => valueText(time, 'ms'));
  return [valueText(slowShare, 'share'), ...times, wholeText(bytesMean)];
}

function valueText(value: number | null, unit: MetricUnit): string {
  return value === null ? '-' : inWords(value, unit);
}

/** Metrics of one's own: values by variant. */
function metricsText(variants: readonly VariantSummary[]): string {
  const rows = variants.flatMap(({ name, metrics }) =>
    metrics.map((metric) => [
      printable(name),
      printable(metric.name),
      wholeText(metric.count),
      valueText(metric.mean, 'number'),
    ]),
  );
  return rows.length === 0 ? '' : `\n${table(['VARIANT', 'VALUES OF', 'COUNT', 'MEAN'], rows)}`;
}

function comparisonText(
  { fallback }: Results,
  { variant, metrics }: Comparison,
  style: ResultsStyle,
): string {
  const { isWide } = style;
  const isNarrow = isBelow(NARROW_COLUMNS, style);
  const isVeryNarrow = isBelow(VERY_NARROW_COLUMNS, style);
  const wide = isWide ? ['N', 'ALPHA', 'MARGIN', 'OF'] : [];
  const head = [
    'METRIC',
    ...(isNarrow ? [] : ['ROLE']),
    ...wide,
    printable(fallback).toUpperCase(),
    printable(variant).toUpperCase(),
    ...(isVeryNarrow ? [] : ['DIFFERENCE']),
    'INTERVAL',
    'VERDICT',
  ];
  const rows = metrics.map((metric) => {
    const { name, role, unit, control, candidate, verdict } = metric;
    return [
      printable(name),
      ...(isNarrow ? [] : [role]),
      ...(isWide ? termsOf(metric) : []),
      valueText(control, unit),
      valueText(candidate, unit),
      ...(isVeryNarrow ? [] : [differenceOf(metric)]),
      intervalOf(metric),
      `${LABELS[verdict.kind] ?? printable(verdict.kind)}${isVeryNarrow ? '' : waitingFor(metric)}`,
    ];
  });
  const why = isWide ? metrics.map(({ verdict }) => wrapped(verdict.reason, style, '  ')).join('') : '';
  return `${coloured(table(head, rows), metrics, style)}${why}`;
}

function termsOf({ observations, alpha, margin, unit, over, by }: MetricResult): string[] {
  return [
    wholeText(observations),
    inWords(alpha, 'share'),
    differenceInWords(margin, unit).replace(/^\+/, ''),
    over === 'units' ? 'units' : `requests, ${by}`,
  ];
}

function differenceOf({ difference, unit }: MetricResult): string {
  return difference === null ? '-' : differenceInWords(difference, unit);
}

/** `-5 ms to -3.2 ms`, or what is known of that. */
function intervalOf({ difference, low, high, unit }: MetricResult): string {
  if (difference === null) return '-';
  const [from, to] = [low ?? Number.NEGATIVE_INFINITY, high ?? Number.POSITIVE_INFINITY];
  return intervalInWords(from, to, unit).replace(/^between (.*) and /, '$1 to ');
}

function waitingFor({ verdict: { kind, etaMs } }: MetricResult): string {
  return kind === 'insufficient' && etaMs !== null ? `, ${durationInWords(etaMs)}` : '';
}

/** Columns are as wide as what is seen, so colours come last: the verdict is the end of its line. */
function coloured(text: string, metrics: readonly MetricResult[], style: ResultsStyle): string {
  if (!style.isColoured) return text;
  return text
    .split('\n')
    .map((line, index) => {
      const kind = metrics[index - 1]?.verdict.kind;
      const label = kind === undefined ? '' : LABELS[kind];
      return label !== '' && line.endsWith(label)
        ? `${line.slice(0, -label.length)}${painted(kind!, style)}`
        : line;
    })
    .join('\n');
}

/** Whether all this is to be believed, and of when it is. */
function trustText(results: Results, style: ResultsStyle): string {
  const { shares, crossover, interactions, invalid, since, until } = results;
  const lines: [string, string][] = [['units', shares.reason]];
  for (const { dimension, slice, units, share, expectedShare } of shares.culprits) {
    const numbers = `${shareText(share)} instead of ${shareText(expectedShare)} of ${wholeText(units)}`;
    lines.push(['', `${dimension} ${slice}: ${numbers}`]);
  }
  lines.push(['crossover', crossover.reason]);
  for (const { other, reason } of interactions) lines.push(['with', `${other}: ${reason}`]);
  for (const { reason } of invalid) lines.push(['invalid', reason]);
  if (since !== null) lines.push(['time', `${dayText(since)} to ${dayText(until)} UTC`]);
  return lines
    .map(
      ([name, text]) =>
        `${name.padEnd(LABEL_WIDTH)}${wrapped(text, style, ' '.repeat(LABEL_WIDTH)).trimStart()}`,
    )
    .join('');
}

const LABEL_WIDTH = 'crossover'.length + 3;

/** `2026-11-21 20:15:03` */
function dayText(iso: string | null): string {
  return iso === null ? '-' : `${iso.slice(0, 10)} ${timeText(iso)}`;
}

/** Lines of whole words, each with its "\n". */
function wrapped(text: string, { width }: ResultsStyle, indent: string): string {
  const words = printable(text).split(' ');
  const lines: string[] = [];
  let line = indent + words[0];
  for (const word of words.slice(1)) {
    if (width !== null && line.length + 1 + word.length > width) {
      lines.push(line);
      line = indent + word;
    } else line += ` ${word}`;
  }
  return `${[...lines, line].join('\n')}\n`;
}
