/** A plan for a terminal. Pure. */
import { experimentSentence } from '../control/changes.ts';
import type { Plan, PlannedExperiment } from './plan-changes.ts';
import type { ExpectedChange } from './plan-sample.ts';
import { table } from './table.ts';

export function planText(plan: Plan, expected: ExpectedChange | null): string {
  if (!plan.isChanged) return `no changes (hash ${plan.hash.after})\n`;
  const { experiments, upstreams, conflicts, protectedRoutes } = plan;
  const moves = experiments.flatMap(moveRows);
  const isSampled = experiments.some(({ isExact, moves: some }) => !isExact && some.length > 0);
  const routed = upstreams.map(({ route, upstream, before, after }) => [
    route,
    upstream,
    percent(before),
    percent(after),
  ]);
  return [
    `hash ${plan.hash.before} -> ${plan.hash.after}\n`,
    ...(experiments.length === 0 ? [] : [experiments.map(sentences).join('')]),
    ...(moves.length === 0 ? [] : [table(['EXPERIMENT', 'FROM', 'TO', 'UNITS'], moves)]),
    ...(isSampled ? [`~ by ${plan.units} units; the others are exact\n`] : []),
    ...(routed.length === 0
      ? []
      : [`${table(['ROUTE', 'UPSTREAM', 'BEFORE', 'AFTER'], routed)}by ${plan.units} units\n`]),
    ...(expected === null ? [] : [expectedText(expected)]),
    lines([
      ...conflicts.map(
        ({ route, experiments: [first, ...rest], isNew }) =>
          `${isNew ? 'new conflict' : 'conflict'} on route ${route}: ${first} is asked first for an upstream, then ${rest.join(', ')}`,
      ),
      ...protectedRoutes.map(
        ({ route, experiments: names }) => `protected route ${route}: ${names.join(', ')} changes on it`,
      ),
      ...(plan.settings.length === 0 ? [] : [`other settings: ${plan.settings.join(', ')}`]),
      ...(plan.restartNeeded.length === 0
        ? []
        : [`in effect only after a restart: ${plan.restartNeeded.join(', ')}`]),
    ]),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

function sentences(experiment: PlannedExperiment): string {
  const { notes, freshDiffers } = experiment;
  const all = freshDiffers === 0 ? notes : [...notes, freshNote(freshDiffers)];
  return lines([experimentSentence(experiment), ...all.map((note) => `  ${note}`)]);
}

function freshNote(share: number): string {
  const who = "a sidecar that starts without this one's state";
  return `${who} deals ${percent(share)} of the units otherwise: give it a new salt, or restart all without their state`;
}

function moveRows({ name, moves, isExact }: PlannedExperiment): string[][] {
  return moves.map(({ from, to, share }) => [
    name,
    from ?? '-',
    to ?? '-',
    `${isExact ? '' : '~'}${percent(share)}`,
  ]);
}

function expectedText({ records, units, requests }: ExpectedChange): string {
  const parts = [`the sample has ${records} records\n`];
  if (units.length > 0)
    parts.push(
      table(
        ['EXPERIMENT', 'FROM', 'TO', 'SEEN', 'MOVING'],
        units.map(({ experiment, from, to, seen, moving }) => [experiment, from, to ?? '-', seen, moving]),
      ),
    );
  if (requests.length > 0)
    parts.push(
      table(
        ['ROUTE', 'UPSTREAM', 'REQUESTS', 'AFTER'],
        requests.map(({ route, upstream, before, after }) => [route, upstream, before, after]),
      ),
    );
  return parts.join('\n');
}

/** Two decimals, more for what would be 0. */
function percent(share: number): string {
  const value = 100 * share;
  return `${value === 0 || value >= 0.01 ? Number(value.toFixed(2)) : value.toPrecision(2)}%`;
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join('');
}
