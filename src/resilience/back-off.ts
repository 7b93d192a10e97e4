/** How long a circuit stays open. Pure: entropy is an argument. */
import type { Random } from '../base/clock.ts';

/** Up to this share is added to a wait, so that the sidecars of a fleet do not probe all at once. */
const JITTER_RATIO = 0.5;

/** 2^30 openings are beyond any cap; keeps the power of two a plain number. */
const DOUBLINGS_MAX = 30;

/**
 * The wait before the probes after `openings` earlier ones that did not help: `openForMs` doubled each time, plus
 * up to half at random. Never shorter than `openForMs` and never longer than `openForMaxMs`: where the cap leaves
 * no room above, the jitter takes from below.
 */
export function openDurationMs(
  openings: number,
  openForMs: number,
  openForMaxMs: number,
  random: Random,
): number {
  const maxMs = Math.max(openForMs, openForMaxMs);
  const baseMs = openForMs * 2 ** Math.min(openings, DOUBLINGS_MAX);
  const highMs = Math.min(baseMs * (1 + JITTER_RATIO), maxMs);
  const lowMs = Math.min(baseMs, Math.max(openForMs, maxMs / (1 + JITTER_RATIO)));
  return lowMs + (highMs - lowMs) * random.next();
}
