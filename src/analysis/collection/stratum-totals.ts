/** One time with one split: requests by what was assigned and by what served, and its units. Pure. */
import { ArmTotals } from './arm-totals.ts';
import type { CollectedStratum, CollectedUnits } from './collected.ts';
import type { CollectedRow } from './delta.ts';
import { type UnitShape, UnitTotals } from './unit-totals.ts';

/** What makes a stratum another one. */
export interface Split {
  readonly epoch: number;
  /** By variant, in parts per million. */
  readonly shares: readonly number[];
}

export function isSameSplit(one: Split, other: Split): boolean {
  return one.epoch === other.epoch && one.shares.every((share, variant) => share === other.shares[variant]);
}

/** What is known of it from before. */
interface Kept {
  readonly fromMs: number;
  readonly toMs: number;
  readonly assigned: readonly ArmTotals[];
  readonly served: readonly ArmTotals[];
  readonly units: UnitTotals | CollectedUnits;
}

export class StratumTotals implements CollectedStratum {
  readonly epoch: number;
  readonly shares: readonly number[];
  fromMs: number;
  toMs: number;
  readonly assigned: readonly ArmTotals[];
  readonly served: readonly ArmTotals[];
  #open: UnitTotals | null;
  /** Of a stratum that nothing comes to any more. */
  #closed: CollectedUnits | null;

  /** @param limit How many units are followed at most. */
  constructor({ epoch, shares }: Split, shape: UnitShape, limit: number, kept?: Kept) {
    this.epoch = epoch;
    this.shares = shares;
    this.fromMs = kept?.fromMs ?? 0;
    this.toMs = kept?.toMs ?? 0;
    this.assigned = kept?.assigned ?? shares.map(() => new ArmTotals(shape.measures));
    this.served = kept?.served ?? shares.map(() => new ArmTotals(shape.measures));
    const units = kept?.units ?? new UnitTotals(shape, limit);
    const isOpen = units instanceof UnitTotals;
    this.#open = isOpen ? units : null;
    this.#closed = isOpen ? null : units;
  }

  /** As it is now: its units are summed up once. */
  view(): CollectedStratum {
    const { epoch, shares, fromMs, toMs, assigned, served, units } = this;
    return { epoch, shares, fromMs, toMs, assigned, served, units };
  }

  /** Those that are followed one by one; null: it is closed. */
  get followed(): UnitTotals | null {
    return this.#open;
  }

  get units(): CollectedUnits {
    return this.#closed ?? this.#open!.sum();
  }

  get isEmpty(): boolean {
    return this.toMs === 0;
  }

  /** A request that was settled about now. */
  add(row: CollectedRow, nowMs: number): void {
    if (this.isEmpty) this.fromMs = nowMs;
    this.toMs = nowMs;
    const assigned = this.assigned[row.assigned]!;
    const served = this.served[row.served]!;
    assigned.add(row.outcome, row.latencyMs, row.bytes);
    served.add(row.outcome, row.servedMs, row.bytes);
    for (let i = 0; i < row.values.length; i++) {
      const value = row.values[i]!;
      if (Number.isNaN(value)) continue;
      assigned.values[i]!.add(value);
      served.values[i]!.add(value);
    }
    if (row.unit > 0) this.#open?.add(row);
  }

  /** A value that came by itself; false: the unit has not been seen. */
  addEvent(unit: number, measure: number, value: number): boolean {
    const variant = this.#open?.variantOf(unit) ?? -1;
    if (variant < 0) return false;
    this.assigned[variant]!.values[measure]!.add(value);
    this.#open!.addEvent(unit, measure, value);
    return true;
  }

  /** Nothing comes any more: the sums stay, and who the units were is forgotten. */
  close(): void {
    this.#closed = this.units;
    this.#open = null;
  }
}
