/**
 * How surprising a count is when it should be no worse than a limit, or than a control's: likelihood ratios, and how
 * large one must be. Pure arithmetic on four counts; a window that slides needs nothing more.
 *
 * A window is looked at again and again, and each look is another chance to be wrong. The square root of twice a
 * log-likelihood ratio behaves, while calls come in and leave, like a normal variable that wanders: over a sliding
 * window it exceeds z somewhere in one length of the window with probability z·φ(z) + φ(z)/z (Slepian, "First passage
 * time for a particular Gaussian process", 1961: the leading terms), and while a window fills from a 400th of itself,
 * as after a start, with three times the first term. `criticalSurprise` allows for that larger one. test/sim/breaker-criteria.test.ts
 * holds it against 10,000 windows with every look counted.
 */

/** Bad calls among calls. */
export interface Share {
  readonly bad: number;
  readonly calls: number;
}

/** `factor` times what the control has, and `plus`. */
export interface Relative {
  readonly factor: number;
  readonly plus: number;
}

/** ln(400) / 2: a window that fills is like this many that slide. */
const FILLING = 3;

const HALVINGS = 40;

/**
 * The surprise that something which is exactly at its limit reaches somewhere in one length of the window, filling or
 * sliding, with at most the probability `alpha`, between 0 and 0.5. In nats: 13.3 for 0.00001.
 */
export function criticalSurprise(alpha: number): number {
  let low = 1;
  let high = 12;
  for (let i = 0; i < HALVINGS; i++) {
    const z = (low + high) / 2;
    const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
    if (density * (FILLING * z + 1 / z) > alpha) low = z;
    else high = z;
  }
  return (high * high) / 2;
}

/** How surprising so many bad calls are if in truth at most `limit` of the calls are bad; 0: not at all. */
export function surpriseAt({ bad, calls }: Share, limit: number): number {
  return bad <= limit * calls ? 0 : calls * divergence(bad / calls, limit);
}

/** How surprising so few bad calls are if in truth at least `limit` of the calls are bad; 0: not at all. */
export function surpriseBelow({ bad, calls }: Share, limit: number): number {
  return bad >= limit * calls ? 0 : calls * divergence(bad / calls, limit);
}

/**
 * How surprising the candidate's share is beside the control's, if in truth it is at most `factor` times that and
 * `plus`; 0: not at all. What the control's true share is nobody knows: the one that explains both best is taken.
 */
export function surpriseBeside(candidate: Share, control: Share, { factor, plus }: Relative): number {
  if (candidate.bad / candidate.calls <= factor * (control.bad / control.calls) + plus) return 0;
  const share = likeliest(candidate, control, { factor, plus });
  const explained = logLikelihood(candidate, factor * share + plus) + logLikelihood(control, share);
  const best =
    logLikelihood(candidate, candidate.bad / candidate.calls) +
    logLikelihood(control, control.bad / control.calls);
  return best - explained;
}

/** Kullback and Leibler's, in nats, of a coin with `share` from one with `limit`. */
function divergence(share: number, limit: number): number {
  const heads = share === 0 ? 0 : share * Math.log(share / limit);
  const tails = share === 1 ? 0 : (1 - share) * Math.log((1 - share) / (1 - limit));
  return heads + tails;
}

/** The control's share that makes both counts likeliest: where the slope, which only falls, is 0. */
function likeliest(candidate: Share, control: Share, { factor, plus }: Relative): number {
  let low = 0;
  let high = Math.min(1, (1 - plus) / factor);
  for (let i = 0; i < HALVINGS; i++) {
    const share = (low + high) / 2;
    if (slopeAt(candidate, factor * share + plus) * factor + slopeAt(control, share) > 0) low = share;
    else high = share;
  }
  return (low + high) / 2;
}

function slopeAt({ bad, calls }: Share, share: number): number {
  return bad / share - (calls - bad) / (1 - share);
}

function logLikelihood({ bad, calls }: Share, share: number): number {
  const good = calls - bad;
  return (bad === 0 ? 0 : bad * Math.log(share)) + (good === 0 ? 0 : good * Math.log(1 - share));
}
