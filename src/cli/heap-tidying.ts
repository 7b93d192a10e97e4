/**
 * Gives back what starting or reloading has left in memory: the garbage of parsing, half-empty pages, the bytecode of
 * functions that will not run again. V8 does that when its heap has grown by a third, which in a sidecar may be hours
 * later. It takes the process about 50 ms, so it is done in a moment when there is nothing to do, or not at all.
 */

/** As `--expose-gc` has it, which bin/fairlead.js gives to `run`. */
type CollectGarbage = (options: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void;

/** Between two looks at what goes on. */
const LOOK_MS = 100;
/** 10 seconds; who is busy from the start stays as large as he is. */
const LOOKS_MAX = 100;
/** CPU of this process between two looks: timers (half of it on a slow machine) and a few requests. */
const QUIET_CPU_US = 4000;

export class HeapTidying {
  readonly #isIdle: () => boolean;
  readonly #collect: CollectGarbage | null;
  #timer: NodeJS.Timeout | null = null;

  /** @param isIdle Whether no request is under way. @param collect Null: Node was started without `--expose-gc`. */
  constructor(isIdle: () => boolean, collect: CollectGarbage | null = exposed()) {
    this.#isIdle = isIdle;
    this.#collect = collect;
  }

  /** In the next quiet moment; asked again before that, once. */
  soon(): void {
    this.close();
    if (this.#collect !== null) this.#lookLater(this.#collect, LOOKS_MAX);
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #lookLater(collect: CollectGarbage, looks: number): void {
    const before = process.cpuUsage();
    this.#timer = setTimeout(() => {
      this.#timer = null;
      const { user, system } = process.cpuUsage(before);
      if (user + system <= QUIET_CPU_US && this.#isIdle()) {
        collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
      } else if (looks > 1) this.#lookLater(collect, looks - 1);
    }, LOOK_MS).unref();
  }
}

function exposed(): CollectGarbage | null {
  return (globalThis.gc as CollectGarbage | undefined) ?? null;
}
