/** Where an experiment stands, in sentences: its split, its rollout, its breakers, its verdict. Pure. */
import type { LiveExperiment, RolloutView } from './live-data.ts';
import { printable, timeText } from './live-text.ts';

/** An audit record, as far as it is said. */
export interface Happening {
  readonly id: number;
  readonly at?: string;
  readonly action?: string;
  readonly target?: string;
  readonly actor?: string;
  readonly reason?: string;
  readonly result?: string;
}

/** Who moves weights when a rollout does. */
const ROLLOUT = 'rollout';

/** Some lines, each with its "\n". */
export function statusText(experiment: LiveExperiment): string {
  const { name, status, condition, variants, rollout, verdict } = experiment;
  const split = variants.map((variant) => `${variant.name} ${variant.wanted ?? '-'}`).join(', ');
  const lines = [
    `${name} is ${status}${condition === null ? '' : `, ${condition}`}: ${split}`,
    `  rollout: ${rollout === null ? 'none was started' : rolloutText(rollout)}`,
    `  breakers: ${breakersText(experiment)}`,
    `  verdict: ${verdict === null ? 'no analysis' : `${verdict.kind}: ${verdict.reason}`}`,
  ];
  return lines.map((line) => `${printable(line)}\n`).join('');
}

/** `step 2 of 4, the candidate has 25% since 20:15:03 UTC: holds at 25%: bakes for another 4 s`. */
export function rolloutText({ phase, step, steps, share, reason, since }: RolloutView): string {
  const at = timeText(since);
  if (phase === 'promoted') return `promoted at ${at} UTC: ${reason}`;
  if (phase === 'rolled-back') return `rolled back at ${at} UTC: ${reason}`;
  const place = `step ${step ?? '-'} of ${steps?.length ?? '-'}, the candidate has ${share ?? '-'} since ${at} UTC`;
  return `${phase}, ${place}: ${reason}`;
}

/** `baking 2/4: holds at 25%: bakes for another 4 s`: what of it changes by the second. */
export function progressText({ phase, step, steps, reason }: RolloutView): string {
  return `${phase} ${step ?? '-'}/${steps?.length ?? '-'}: ${reason ?? '-'}`;
}

function breakersText({ variants }: LiveExperiment): string {
  const all = variants.flatMap(({ breakers }) => breakers);
  if (all.length === 0) return 'none';
  const others = all.filter(({ state, mode = 'enforce' }) => state !== 'closed' || mode !== 'enforce');
  if (others.length === 0) return all.length === 1 ? 'closed' : `all ${all.length} closed`;
  return others
    .map(({ name, state, mode = 'enforce', reason, heldBack }) => {
      const how = mode === 'enforce' ? '' : ` (${mode})`;
      return `${name} is ${state}${how}: ${heldBack ?? reason ?? '-'}`;
    })
    .join('; ');
}

/** `20:15:03 rollout-advance: 10% -> 25%: ...`, and who and what it was when it was not the rollout itself. */
export function happeningText(happening: Happening): string {
  const { at, action, target, actor, reason, result } = happening;
  const refused = result === 'refused' ? ' (refused)' : '';
  const by = actor === ROLLOUT ? '' : ` ${target} by ${actor}`;
  return `${printable(`${timeText(at)} ${action}${by}${refused}: ${reason}`)}\n`;
}

/** What follows from a move of the rollout, or ends it, is said elsewhere. */
export function isSaidElsewhere({ action, actor }: Happening): boolean {
  if (actor === ROLLOUT && action === 'set-weights') return true;
  return action === 'rollout-promote' || action === 'rollout-roll-back';
}

/** Whether a record is about this experiment: itself, or one of its breakers (`ROUTE/EXPERIMENT/VARIANT`). */
export function isAbout({ target = '' }: Happening, experiment: string): boolean {
  return target === experiment || target.split('/')[1] === experiment;
}
