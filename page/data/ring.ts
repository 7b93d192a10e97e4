/** The last values of many named series, all of the same times. Bounded by the series that are there now. */
import { signal } from '@preact/signals';

export class Ring {
  readonly #size: number;
  #series = new Map<string, readonly number[]>();
  /** Another number after each taking, for whoever draws them. */
  readonly version = signal(0);

  constructor(size: number) {
    this.#size = size;
  }

  /** Adds one value to each series; one that is not there any more is forgotten. */
  take(values: readonly (readonly [name: string, value: number])[]): void {
    const kept = this.#size - 1;
    this.#series = new Map(
      values.map(([name, value]) => [name, [...(this.#series.get(name) ?? []).slice(-kept), value]]),
    );
    this.version.value++;
  }

  /** The oldest first. */
  of(name: string): readonly number[] {
    return this.#series.get(name) ?? [];
  }
}
