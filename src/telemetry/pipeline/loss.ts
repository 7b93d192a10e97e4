/**
 * How much of the exposures of the last hour was lost, for an analysis that has to know whether what it has is whole.
 * Reads totals now and then and keeps differences, so that counting costs the request path nothing.
 */
import type { Clock } from '../../base/clock.ts';
import { Window } from '../../base/window.ts';

const WINDOW_MS = 60 * 60_000;
const LOOK_MS = 10_000;
const MILLION = 1_000_000;

/** Totals since the start of what was kept and lost on one stage of the way. */
export interface StageTotals {
  readonly stage: string;
  readonly kept: number;
  readonly lost: number;
}

/** What the analysis asks. */
export interface ExposureLoss {
  /** Share of the last hour that was lost on the way to the sink that got least, 0 to 1. */
  readonly ratio: number;
  readonly limit: number;
  /** Whether conclusions can be drawn from what there is. */
  readonly isWithinLimit: boolean;
}

export interface LossWatchOptions {
  readonly clock: Clock;
  readonly limitPpm: number;
  /** The first stage is before all others, which are beside each other. */
  readonly read: () => readonly StageTotals[];
  readonly onChange?: (loss: ExposureLoss) => void;
}

interface Stage {
  readonly window: Window;
  kept: number;
  lost: number;
}

const KEPT = 0;
const LOST = 1;

export class LossWatch {
  readonly #options: LossWatchOptions;
  readonly #stages = new Map<string, Stage>();
  readonly #timer: NodeJS.Timeout;
  #wasWithin = true;

  constructor(options: LossWatchOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.look(), LOOK_MS);
    this.#timer.unref();
  }

  /** As of now. */
  look(): ExposureLoss {
    const nowMs = this.#options.clock.now();
    const [first = 0, ...rest] = this.#options.read().map((totals) => this.#ratioOf(totals, nowMs));
    const most = Math.max(0, ...rest);
    const ratio = first + most - first * most;
    const limit = this.#options.limitPpm / MILLION;
    const loss = { ratio, limit, isWithinLimit: ratio <= limit };
    if (loss.isWithinLimit !== this.#wasWithin) {
      this.#wasWithin = loss.isWithinLimit;
      this.#options.onChange?.(loss);
    }
    return loss;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #ratioOf({ stage: name, kept, lost }: StageTotals, nowMs: number): number {
    let stage = this.#stages.get(name);
    if (stage === undefined) {
      stage = { window: new Window(WINDOW_MS, 2), kept: 0, lost: 0 };
      this.#stages.set(name, stage);
    }
    const { window } = stage;
    window.advance(nowMs);
    window.addMany(nowMs, KEPT, Math.max(0, kept - stage.kept));
    window.addMany(nowMs, LOST, Math.max(0, lost - stage.lost));
    stage.kept = kept;
    stage.lost = lost;
    const gone = window.total(LOST);
    return gone === 0 ? 0 : gone / (gone + window.total(KEPT));
  }
}

/** What people are told when it changes. */
export function lossSentence({ ratio, isWithinLimit }: ExposureLoss): string {
  if (isWithinLimit) return 'less than lossLimit of the last hour is lost again';
  return `${(ratio * 100).toFixed(2)} % of the last hour is lost, which is more than lossLimit: what is said about experiments is not to be trusted`;
}
