/**
 * What `fairlead top` shows: a line and a row per variant for each experiment, as many as fit, the selected one always
 * among them. Pure: readings and the size of a terminal in, lines out.
 */
import type { BreakerView, LiveExperiment, LiveReading, LiveVariant } from './live-data.ts';
import { type Line, type Piece, piece, type Style, wrap } from './live-line.ts';
import { countText, msText, shareText, timeText, wholeText } from './live-text.ts';
import type { Shares } from './top-shares.ts';

export interface TopState {
  readonly reading: LiveReading;
  readonly seen: Shares;
  /** Where the sidecar is. */
  readonly admin: string;
  /** Why there is nothing newer; null: this is the newest. */
  readonly problem: string | null;
  /** Name of an experiment; null: none, as without a keyboard. */
  readonly selected: string | null;
  readonly isDetailed: boolean;
}

/** Infinity: as many as it takes. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

interface Column {
  readonly title: string;
  readonly width: number;
  readonly isLeft?: true;
  cell(variant: LiveVariant, seen: number | undefined): { readonly text: string; readonly style?: Style };
}

/** Variant names are up to 63 characters long; most are far shorter. */
const NAME_WIDTH_MIN = 12;
const NAME_WIDTH_MAX = 32;
/** Before the name of a variant. */
const INDENT = 4;
const SHARE_BAD = 0.05;

/** What matters most comes first: a narrow terminal has as many as fit, those before BREAKER with it in 80 columns. */
const COLUMNS: readonly Column[] = [
  { title: 'REQ/S', width: 8, cell: ({ traffic }) => ({ text: countText(traffic?.requestsPerSecond) }) },
  { title: 'WANTED', width: 8, cell: ({ wanted }) => ({ text: wanted ?? '-' }) },
  { title: 'SEEN', width: 7, cell: (_variant, seen) => ({ text: shareText(seen) }) },
  { title: 'ERRORS', width: 8, cell: ({ traffic }) => badShare(traffic?.errorShare) },
  { title: 'P50', width: 7, cell: ({ traffic }) => ({ text: msText(traffic?.p50Ms) }) },
  { title: 'P99', width: 7, cell: ({ traffic }) => ({ text: msText(traffic?.p99Ms) }) },
  { title: 'BREAKER', width: 16, isLeft: true, cell: ({ breakers }) => breakerCell(breakers) },
  { title: 'IN-FLIGHT', width: 10, cell: ({ traffic }) => ({ text: wholeText(traffic?.inFlight) }) },
  { title: 'SLOW', width: 7, cell: ({ traffic }) => badShare(traffic?.slowShare) },
];

/** The whole view, at most `rows` lines. */
export function topLines(state: TopState, size: Size): Line[] {
  const { experiments } = state.reading;
  const nameWidth = widthOfNames(experiments);
  const columns = columnsIn(size.columns - nameWidth - INDENT);
  const head = [titleLine(state), headLine(nameWidth, columns)];
  if (experiments.length === 0) return [...head, [piece('  no experiments', 'faint')]].slice(0, size.rows);
  const foot = state.selected === null ? [] : [footLine(state)];
  const blocks = experiments.map((experiment) =>
    blockOf(experiment, state, { nameWidth, columns, width: size.columns }),
  );
  const room = Math.max(1, size.rows - head.length - foot.length);
  const body = windowOf(blocks, Math.max(0, selectedIndex(state)), room);
  return [...head, ...body, ...foot].slice(0, size.rows);
}

function selectedIndex({ reading, selected }: TopState): number {
  return reading.experiments.findIndex(({ name }) => name === selected);
}

/** As many lines as there is room for, from the first block on or as far down as it takes to show this one. */
function windowOf(blocks: readonly (readonly Line[])[], selected: number, room: number): Line[] {
  let first = selected;
  let height = blocks[selected]?.length ?? 0;
  while (first > 0 && height + blocks[first - 1]!.length <= room) height += blocks[--first]!.length;
  return blocks.slice(first).flat().slice(0, room);
}

function titleLine({ reading, admin, problem }: TopState): Line {
  const rates = reading.routes.map(({ requestsPerSecond }) => requestsPerSecond ?? 0);
  const total = reading.routes.length === 0 ? null : rates.reduce((sum, rate) => sum + rate, 0);
  const title = piece('fairlead top', 'title');
  const at = `${timeText(reading.at)} UTC`;
  if (problem !== null) return [title, piece(`  as of ${at}: `, 'faint'), piece(problem, 'bad')];
  return [title, piece(`  ${[admin, at, `${countText(total)} req/s`].join('  ')}`, 'faint')];
}

function columnsIn(room: number): readonly Column[] {
  let left = room;
  const first = COLUMNS.findIndex(({ width }) => {
    left -= width;
    return left < 0;
  });
  return first < 0 ? COLUMNS : COLUMNS.slice(0, first);
}

function headLine(nameWidth: number, columns: readonly Column[]): Line {
  const titles = columns.map(({ title, width, isLeft }) => aligned(title, width, isLeft)).join('');
  return [piece(`${'EXPERIMENT'.padEnd(nameWidth + INDENT)}${titles}`, 'faint')];
}

function footLine({ reading, isDetailed }: TopState): Line {
  const what = isDetailed ? 'hides' : 'shows';
  const count =
    reading.experiments.length === 1 ? '1 experiment' : `${reading.experiments.length} experiments`;
  return [piece(`${count}   up/down selects   enter ${what} details   q quits`, 'faint')];
}

function blockOf(
  experiment: LiveExperiment,
  state: TopState,
  shape: { readonly nameWidth: number; readonly columns: readonly Column[]; readonly width: number },
): Line[] {
  const isSelected = state.selected === experiment.name;
  const seen = state.seen.get(experiment.name);
  const rows = experiment.variants.map((variant) => variantLine(variant, seen?.get(variant.name), shape));
  const details = isSelected && state.isDetailed ? detailLines(experiment, shape.width) : [];
  const verdict = isSelected && state.isDetailed ? [] : verdictLines(experiment);
  return [experimentLine(experiment, isSelected), ...rows, ...verdict, ...details];
}

/** `> ranking   running   rollout baking 2/4 at 25%: bakes for another 4 s`. */
function experimentLine({ name, status, condition, rollout }: LiveExperiment, isSelected: boolean): Line {
  const said = condition === null ? status : `${status}, ${condition}`;
  const line: Piece[] = [
    piece(isSelected ? '> ' : '  '),
    piece(name, isSelected ? 'selected' : 'title'),
    piece(`  ${said}`, status === 'running' ? 'plain' : 'warning'),
  ];
  if (rollout === null) return line;
  const { phase, step, steps, share, reason = '' } = rollout;
  const place = rollout.isOver === true ? '' : ` ${step ?? '-'}/${steps?.length ?? '-'} at ${share ?? '-'}`;
  return [...line, piece(`  rollout ${phase}${place}`, styleOfPhase(phase)), piece(`: ${reason}`, 'faint')];
}

function variantLine(
  variant: LiveVariant,
  seen: number | undefined,
  { nameWidth, columns }: { readonly nameWidth: number; readonly columns: readonly Column[] },
): Line {
  const cells = columns.map(({ width, isLeft, cell }) => {
    const { text, style = 'plain' } = cell(variant, seen);
    return piece(aligned(text, width, isLeft), style);
  });
  const name = variant.name.length > nameWidth ? `${variant.name.slice(0, nameWidth - 1)}…` : variant.name;
  return [piece(`    ${name.padEnd(nameWidth)}`), ...cells];
}

function verdictLines({ verdict }: LiveExperiment): Line[] {
  if (verdict === null) return [];
  return [
    [piece('    '), piece(verdict.kind, styleOfVerdict(verdict.kind)), piece(`: ${verdict.reason}`, 'faint')],
  ];
}

/** In full what the other lines are too short for. */
function detailLines({ rollout, verdict, variants }: LiveExperiment, columns: number): Line[] {
  const sentences = [
    `rollout: ${rollout === null ? 'none was started' : `${rollout.phase}: ${rollout.reason ?? '-'}`}`,
    `verdict: ${verdict === null ? 'there is no analysis' : `${verdict.kind}: ${verdict.reason}`}`,
    ...variants.flatMap(({ breakers }) =>
      breakers.map(
        ({ name, state, reason, heldBack }) => `${name} is ${state}: ${heldBack ?? reason ?? '-'}`,
      ),
    ),
  ];
  return sentences.flatMap((sentence) =>
    wrap(sentence, columns, '      ').map((line) => [piece(line, 'faint')]),
  );
}

function badShare(share: number | null | undefined): { text: string; style: Style } {
  const style = share === null || share === undefined || share < 0.0005 ? 'plain' : 'warning';
  return { text: shareText(share), style: (share ?? 0) >= SHARE_BAD ? 'bad' : style };
}

/** The worst of all routes, and how many of them are like that. */
function breakerCell(breakers: readonly BreakerView[]): { text: string; style: Style } {
  if (breakers.length === 0) return { text: '-', style: 'faint' };
  for (const [state, style] of [
    ['open', 'bad'],
    ['half-open', 'warning'],
  ] as const) {
    const found = breakers.filter((breaker) => breaker.state === state);
    if (found.length === 0) continue;
    const of = breakers.length > 1 ? ` ${found.length}/${breakers.length}` : '';
    return { text: `${state}${of}`, style };
  }
  const forced = breakers.find(({ mode = 'enforce' }) => mode !== 'enforce');
  return forced === undefined
    ? { text: 'closed', style: 'good' }
    : { text: `closed (${forced.mode})`, style: 'warning' };
}

function styleOfPhase(phase: string): Style {
  if (phase === 'promoted') return 'good';
  return phase === 'baking'
    ? 'plain'
    : phase === 'rolled-back' || phase === 'rolling-back'
      ? 'bad'
      : 'warning';
}

function styleOfVerdict(kind: string): Style {
  if (kind === 'better' || kind === 'noDifference') return 'good';
  if (kind === 'worse' || kind === 'breach') return 'bad';
  return kind === 'insufficient' ? 'plain' : 'warning';
}

function widthOfNames(experiments: readonly LiveExperiment[]): number {
  const lengths = experiments.flatMap(({ variants }) => variants.map(({ name }) => name.length));
  return Math.min(NAME_WIDTH_MAX, Math.max(NAME_WIDTH_MIN, ...lengths));
}

function aligned(text: string, width: number, isLeft?: true): string {
  return isLeft === true ? `   ${text}`.padEnd(width) : text.padStart(width);
}
