/**
 * The keys that units are hashed with, each from a time on: every sidecar that has the list changes to the next key at
 * the same moment, without a reload. A unit has another hash from then on.
 */
import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';

export interface UnitKey {
  /** Goes on record beside each hash; null: the key has no name. */
  readonly id: string | null;
  readonly key: string;
  /** In force from then on, milliseconds since the epoch, until the next one is. */
  readonly fromMs: number;
}

interface Period {
  readonly id: string | null;
  readonly key: KeyObject;
  readonly fromMs: number;
  readonly untilMs: number;
}

export class UnitKeys {
  readonly #periods: readonly Period[];
  #present: Period;

  /** @param keys at least one; before the first is in force, it is used all the same */
  constructor(keys: readonly UnitKey[]) {
    const sorted = [...keys].sort((left, right) => left.fromMs - right.fromMs);
    this.#periods = sorted.map(({ id, key }, index) => ({
      id,
      key: createSecretKey(Buffer.from(key)),
      fromMs: index === 0 ? Number.NEGATIVE_INFINITY : sorted[index]!.fromMs,
      untilMs: sorted[index + 1]?.fromMs ?? Number.POSITIVE_INFINITY,
    }));
    this.#present = this.#periods[0]!;
  }

  /** HMAC-SHA-256 in hex. */
  hash(unit: string, atMs: number): string {
    return createHmac('sha256', this.#at(atMs).key).update(unit).digest('hex');
  }

  idAt(atMs: number): string | null {
    return this.#at(atMs).id;
  }

  #at(atMs: number): Period {
    const { fromMs, untilMs } = this.#present;
    if (atMs < fromMs || atMs >= untilMs)
      this.#present = this.#periods.find((period) => atMs < period.untilMs) ?? this.#present;
    return this.#present;
  }
}
