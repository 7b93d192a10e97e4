/**
 * Asks the workers for their series when the page is wanted, and waits no longer than a scrape should. What comes
 * later than that is shown the next time, so that a page that takes long to gather is late and never stuck.
 */
import type { WorkerLink } from './link.ts';
import type { SeriesTotals } from './series-totals.ts';

/** A page waits for a worker this long; then it shows the values before. */
const PAGE_WAIT_MS = 500;
/** A worker has this long before it is asked again. */
const ANSWER_MAX_MS = 10_000;

export class SeriesCollector {
  /** How often a page had to do without the newest values of a worker. */
  missing = 0;
  readonly #totals: SeriesTotals;
  /** One question at a time to each worker. */
  readonly #asked = new Map<WorkerLink, Promise<boolean>>();
  #collecting: Promise<void> | null = null;

  constructor(totals: SeriesTotals) {
    this.#totals = totals;
  }

  /** Resolves when these workers have answered, or have not in time. Pages that are wanted at one time share it. */
  collect(links: readonly WorkerLink[]): Promise<void> {
    this.#collecting ??= this.#collect(links).finally(() => {
      this.#collecting = null;
    });
    return this.#collecting;
  }

  async #collect(links: readonly WorkerLink[]): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), PAGE_WAIT_MS);
    });
    const answers = await Promise.all(links.map((link) => Promise.race([this.#ask(link), late])));
    clearTimeout(timer);
    this.missing += answers.filter((isHere) => !isHere).length;
  }

  #ask(link: WorkerLink): Promise<boolean> {
    const before = this.#asked.get(link);
    if (before !== undefined) return before;
    const asked = link.ask('series', ANSWER_MAX_MS).then((answer) => {
      this.#asked.delete(link);
      if (answer !== null) this.#totals.reported(link.worker, answer.families);
      return answer !== null;
    });
    this.#asked.set(link, asked);
    return asked;
  }
}
