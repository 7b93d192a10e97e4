/** Which failures of a soak are its own doing, and which must not have happened. Pure. */
import type { Failure } from './open-loop.ts';

/** What the soak did and when, in ms since the epoch. */
export interface SoakEvents {
  /** From the end of an endpoint to when it answered again. */
  readonly restarts: readonly { readonly fromMs: number; readonly toMs: number }[];
  /** When a worker was killed; null: never. */
  readonly crashMs: number | null;
  /** When the proxy was asked to end. */
  readonly endMs: number;
}

export interface SoakVerdict {
  /** Counts by reason. */
  readonly expected: Readonly<Record<string, number>>;
  /** Counts by kind. */
  readonly forbidden: Readonly<Record<string, number>>;
}

/** The generator learns of a cut connection at once; this is for a busy machine. */
const CRASH_WINDOW_MS = 2000;
/** A failure is noted when it is seen, which may be a little after what caused it. */
const RESTART_MARGIN_MS = 1000;
/** Connections that were cut before an answer began, or refused. */
const CUT: ReadonlySet<string> = new Set(['closed', 'reset']);

/** Sorts failures into expected and forbidden ones. */
export function judge(failures: readonly Failure[], events: SoakEvents): SoakVerdict {
  const expected: Record<string, number> = {};
  const forbidden: Record<string, number> = {};
  for (const failure of failures) {
    const reason = excuse(failure, events);
    const [counts, key] = reason === null ? [forbidden, kindText(failure)] : [expected, reason];
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return { expected, forbidden };
}

/** Why a failure may be; null when it may not. */
function excuse({ atMs, kind, isPost }: Failure, events: SoakEvents): string | null {
  const { crashMs, endMs, restarts } = events;
  // A connection that is being closed can cross a request, and a closed port refuses; an answer that began must end.
  if (atMs >= endMs && (CUT.has(kind) || kind === 'refused')) return 'sent while the proxy was ending';
  const isCrash = crashMs !== null && atMs >= crashMs && atMs <= crashMs + CRASH_WINDOW_MS;
  if (isCrash && (CUT.has(kind) || kind === 'truncated')) return 'in flight in the killed worker';
  const isRestart = restarts.some(({ fromMs, toMs }) => atMs >= fromMs && atMs <= toMs + RESTART_MARGIN_MS);
  if (isPost && isRestart && kind === 'status') return 'POST during an upstream restart';
  return null;
}

function kindText({ kind, status, isPost }: Failure): string {
  return `${isPost ? 'POST' : 'GET'} ${kind === 'status' ? status : kind}`;
}
