/** How bad a state is. Pure. */

export type Tone = 'ok' | 'bad' | 'warn' | 'info' | 'idle';

export function toneOfStatus(status: string, condition: string | null): Tone {
  if (status === 'killed') return 'bad';
  if (condition !== null) return 'warn';
  if (status === 'running') return 'ok';
  return status === 'paused' ? 'warn' : 'idle';
}

/** `mode` is `enforce` unless it only observes or is forced. */
export function toneOfBreaker({ state, mode }: { readonly state: string; readonly mode: string }): Tone {
  if (mode === 'forced-open') return 'bad';
  if (state === 'open') return mode === 'enforce' ? 'bad' : 'warn';
  return state === 'half-open' || mode.startsWith('forced') ? 'warn' : 'ok';
}

export function toneOfRollout(phase: string): Tone {
  if (phase === 'promoted') return 'ok';
  if (phase === 'rolled-back' || phase === 'rolling-back' || phase === 'promotion-failed') return 'bad';
  return phase === 'baking' ? 'info' : 'warn';
}

export function toneOfVerdict(kind: string): Tone {
  switch (kind) {
    case 'better':
    case 'pass':
    case 'noDifference':
      return 'ok';
    case 'worse':
    case 'breach':
    case 'invalid':
      return 'bad';
    case 'mixed':
      return 'warn';
    default:
      return 'idle';
  }
}

const VERDICT_WORDS: Readonly<Record<string, string>> = {
  better: 'better',
  worse: 'worse',
  noDifference: 'no difference',
  mixed: 'mixed',
  insufficient: 'not enough data',
  breach: 'guardrail breached',
  invalid: 'not to be believed',
  off: 'not analysed',
  pass: 'holds',
};

export function verdictWord(kind: string): string {
  return VERDICT_WORDS[kind] ?? kind;
}
