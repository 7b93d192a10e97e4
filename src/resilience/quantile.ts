/**
 * Is a quantile of the candidate's latencies above a multiple of the control's? A comparison by empirical likelihood:
 * whatever the control's true quantile is, either too few of its calls are above it, or too many of the candidate's are
 * above the multiple, and the least surprising of all such truths must still be too surprising. Pure.
 *
 * Sizes are columns of 4.4 %, rounded in the candidate's favour each time: a limit of 1.3 x the control's quantile is
 * reached somewhere between 1.3 x and 1.42 x.
 */
import { type Relative, type Share, surpriseAt, surpriseBelow } from './confidence.ts';
import { firstFrom, LATENCY_COLUMNS, lowerMs } from './latency-scale.ts';

/** Calls by size, `LATENCY_COLUMNS` of them: those that are over, and those in flight, by their age so far. */
export interface Sizes {
  readonly finished: Uint32Array;
  readonly inFlight: Uint32Array;
}

export function emptySizes(): Sizes {
  return { finished: new Uint32Array(LATENCY_COLUMNS), inFlight: new Uint32Array(LATENCY_COLUMNS) };
}

/** From each column on: calls that took at least so long, and calls that are known to have taken that long or less. */
class Tail {
  readonly #above = new Float64Array(LATENCY_COLUMNS + 1);
  readonly #aged = new Float64Array(LATENCY_COLUMNS + 1);
  #finished = 0;

  read({ finished, inFlight }: Sizes): this {
    let done = 0;
    let aged = 0;
    for (let column = LATENCY_COLUMNS - 1; column >= 0; column--) {
      done += finished[column]!;
      aged += inFlight[column]!;
      this.#above[column] = done + aged;
      this.#aged[column] = aged;
    }
    this.#finished = done;
    return this;
  }

  from(column: number): Share {
    return { bad: this.#above[column]!, calls: this.#finished + this.#aged[column]! };
  }

  /** The highest column that at least `share` of the calls reach: where the quantile is. */
  quantileColumn(share: number): number {
    let column = LATENCY_COLUMNS - 1;
    while (column > 0 && this.#above[column]! < share * (this.#finished + this.#aged[column]!)) column--;
    return column;
  }
}

/** Used again for each comparison. */
const CANDIDATE = new Tail();
const CONTROL = new Tail();

/** What is found: the two quantiles, and the calls they are of. */
export interface QuantileFinding {
  readonly candidateMs: number;
  readonly controlMs: number;
  readonly calls: number;
  readonly controlCalls: number;
}

export interface QuantileQuestion {
  readonly candidate: Sizes;
  readonly control: Sizes;
  /** 0.01 for p99. */
  readonly share: number;
  /** `plus` in milliseconds. */
  readonly limit: Relative;
  /** In nats. */
  readonly critical: number;
  /** Calls that each side needs, and slow ones that the candidate needs. */
  readonly callsMin: number;
  readonly badMin: number;
}

/** Null: it is not, or that is not sure. */
export function compareQuantiles(question: QuantileQuestion): QuantileFinding | null {
  const { share, limit, critical, callsMin, badMin } = question;
  const candidate = CANDIDATE.read(question.candidate);
  const control = CONTROL.read(question.control);
  const controlColumn = control.quantileColumn(share);
  const over = candidate.from(limitColumn(controlColumn, limit));
  if (over.bad < badMin || over.calls < callsMin || control.from(controlColumn).calls < callsMin) return null;
  for (let column = controlColumn; column < LATENCY_COLUMNS; column++) {
    const ofControl = surpriseBelow(control.from(column), share);
    if (ofControl >= critical) break;
    const ofCandidate = surpriseAt(candidate.from(limitColumn(column, limit)), share);
    if (ofControl + ofCandidate < critical) return null;
  }
  return {
    candidateMs: lowerMs(candidate.quantileColumn(share)),
    controlMs: lowerMs(controlColumn),
    calls: over.calls,
    controlCalls: control.from(controlColumn).calls,
  };
}

/** The first column that is above the limit for certain, when the control's quantile is in `column`. */
function limitColumn(column: number, { factor, plus }: Relative): number {
  if (column === LATENCY_COLUMNS - 1) return LATENCY_COLUMNS;
  return Math.min(LATENCY_COLUMNS, firstFrom(factor * lowerMs(column + 1) + plus));
}
