/** Resident memory of a process and its children over time, each by itself, and whether it grows. */
import { family, ownRssBytes } from './processes.ts';
import { slope } from './statistics.ts';

interface Track {
  readonly name: string;
  readonly points: { readonly at: number; readonly value: number }[];
}

export interface MemoryRow {
  readonly name: string;
  readonly fromSeconds: number;
  readonly toSeconds: number;
  readonly firstMB: number;
  readonly lastMB: number;
  readonly maxMB: number;
  /** Over the second half of the soak; null when the process was there for too little of it. */
  readonly mbPerMinute: number | null;
  /** What that slope makes of the second half, to the mean of it. */
  readonly growthPercent: number | null;
}

/** A process that starts under way needs this long until it is as warm as the others. */
const WARM_SECONDS = 60;
const POINTS_MIN = 4;

export class MemoryLog {
  readonly #pid: number;
  readonly #startedMs = Date.now();
  readonly #tracks = new Map<number, Track>();

  constructor(pid: number) {
    this.#pid = pid;
  }

  /** Looks once. */
  sample(): void {
    const at = (Date.now() - this.#startedMs) / 1000;
    for (const pid of family(this.#pid)) {
      const bytes = ownRssBytes(pid);
      if (bytes === 0) continue;
      if (!this.#tracks.has(pid)) {
        const name = pid === this.#pid ? 'main process' : `worker ${this.#tracks.size}`;
        this.#tracks.set(pid, { name, points: [] });
      }
      this.#tracks.get(pid)!.points.push({ at, value: bytes / 1e6 });
    }
  }

  rows(): MemoryRow[] {
    const end = (Date.now() - this.#startedMs) / 1000;
    return [...this.#tracks.values()].map(({ name, points }) => {
      const [first, last] = [points[0]!, points.at(-1)!];
      const from = first.at < WARM_SECONDS ? end / 2 : Math.max(end / 2, first.at + WARM_SECONDS);
      const late = points.filter(({ at }) => at >= from);
      const perSecond = late.length < POINTS_MIN ? null : slope(late);
      const mean = late.reduce((sum, { value }) => sum + value, 0) / late.length;
      return {
        name,
        fromSeconds: first.at,
        toSeconds: last.at,
        firstMB: first.value,
        lastMB: last.value,
        maxMB: Math.max(...points.map(({ value }) => value)),
        mbPerMinute: perSecond === null ? null : perSecond * 60,
        growthPercent: perSecond === null ? null : ((perSecond * (end - from)) / mean) * 100,
      };
    });
  }
}
