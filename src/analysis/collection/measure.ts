/**
 * A metric of one's own, as it is collected: where its values come from and what they are divided by. Pure.
 */
export interface Measure {
  readonly name: string;
  /** A field of the response, or events that are posted with the unit. */
  readonly source: 'header' | 'trailer' | 'event';
  /** Its name, lower case; '' for events. */
  readonly field: string;
  /** What the sum of a unit's values is divided by: their number, the unit's requests, or 1. */
  readonly per: 'value' | 'request' | 'unit';
  /** A unit's sum is at most 1: it has converted or it has not, however often. */
  readonly isOnce: boolean;
}

/** Metrics of one's own in one experiment. */
export const MEASURES_MAX = 8;

/** A value is at most this, and at least its negative: sums of third powers stay far from the end of a double. */
const VALUE_MAX = 1e12;
const VALUE_MAX_CHARS = 32;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** The number that a field holds; NaN: it holds none that can be counted. */
export function readMeasured(text: string): number {
  if (text.length > VALUE_MAX_CHARS || !NUMBER.test(text)) return Number.NaN;
  return isCountable(Number(text)) ? Number(text) : Number.NaN;
}

export function isCountable(value: number): boolean {
  return Math.abs(value) <= VALUE_MAX;
}
