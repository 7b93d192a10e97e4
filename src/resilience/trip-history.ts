/** When a breaker has opened by itself, as far as that matters. Told the time; memory bounded by the limit. */
import { formatSpan } from './reason.ts';
import type { TripsMax } from './transition.ts';

export class TripHistory {
  #atMs: number[] = [];

  /** One more opening: why it is one too many, or null. After one too many it counts from nothing. */
  add({ count, withinMs }: TripsMax, nowMs: number): string | null {
    this.#atMs = [...this.#atMs.filter((atMs) => nowMs - atMs < withinMs), nowMs];
    const trips = this.#atMs.length;
    if (trips < count) return null;
    this.#atMs = [];
    return `opened ${trips} times within ${formatSpan(withinMs)} >= ${count}`;
  }

  /** How long ago they were, in ms. */
  ages(nowMs: number): number[] {
    return this.#atMs.map((atMs) => Math.round(nowMs - atMs));
  }

  /** Enter openings of before, the oldest first. */
  restore(agesMs: readonly number[], nowMs: number): void {
    this.#atMs = [...agesMs.map((ageMs) => nowMs - ageMs), ...this.#atMs];
  }
}
