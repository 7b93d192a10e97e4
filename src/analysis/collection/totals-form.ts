/** The totals of an experiment as they are kept over a restart: plain JSON, checked when it is read back. Pure. */

import { readForm, readNumbers } from '../plain-form.ts';
import { UnitSums } from '../unit-sums.ts';
import { ArmTotals } from './arm-totals.ts';
import type { CollectedUnitArm, CollectedUnits } from './collected.ts';
import { type Split, StratumTotals } from './stratum-totals.ts';
import { type UnitShape, UnitTotals } from './unit-totals.ts';

const KIND = 'stratum-totals';

export function stratumForm(stratum: StratumTotals): object {
  const { epoch, shares, fromMs, toMs, assigned, served, followed } = stratum;
  const units = followed === null ? { closed: closedForm(stratum.units) } : { followed };
  return { kind: KIND, version: 1, epoch, shares, fromMs, toMs, assigned, served, ...units };
}

/** @throws RangeError for what `stratumForm` has not made of the same shape. */
export function readStratum(form: unknown, shape: UnitShape, limit: number): StratumTotals {
  const [epoch, fromMs, toMs] = readNumbers(form, KIND, ['epoch', 'fromMs', 'toMs']);
  const { shares, assigned, served, followed, closed } = readForm(form, KIND);
  const split: Split = { epoch: epoch!, shares: numbersIn(shares, shape.variants) };
  return new StratumTotals(split, shape, limit, {
    ...{ fromMs: fromMs!, toMs: toMs! },
    assigned: readArms(assigned, shape),
    served: readArms(served, shape),
    units: closed === undefined ? UnitTotals.fromJSON(followed, shape, limit) : readClosed(closed, shape),
  });
}

function readArms(forms: unknown, { measures, variants }: UnitShape): ArmTotals[] {
  return listOf(forms, variants).map((form) => ArmTotals.fromJSON(form, measures));
}

function closedForm({ followedShare, arms, crossed, dimensions }: CollectedUnits): object {
  return {
    ...{ followedShare, crossed, dimensions },
    arms: arms.map(({ sums, ...counts }) => ({ ...counts, sums: [...sums] })),
  };
}

function readClosed(form: unknown, { variants }: UnitShape): CollectedUnits {
  const { followedShare, arms, crossed, dimensions } = Object(form) as Record<string, unknown>;
  return {
    followedShare: numberIn(followedShare),
    crossed: numberIn(crossed),
    arms: listOf(arms, variants).map(readClosedArm),
    dimensions: listOf(dimensions, null).map((dimension) => {
      const { name, slices } = Object(dimension) as Record<string, unknown>;
      return {
        name: String(name),
        slices: listOf(slices, null).map((slice) => {
          const { name: of, counts } = Object(slice) as Record<string, unknown>;
          return { name: String(of), counts: numbersIn(counts, variants) };
        }),
      };
    }),
  };
}

function readClosedArm(form: unknown): CollectedUnitArm {
  const { units, dealt, distinct, sums } = Object(form) as Record<string, unknown>;
  const all = listOf(sums, null).map((entry): [string, UnitSums] => {
    const [name, of] = listOf(entry, 2);
    return [String(name), UnitSums.fromJSON(of)];
  });
  return {
    ...{ units: numberIn(units), dealt: numberIn(dealt), distinct: numberIn(distinct) },
    sums: new Map(all),
  };
}

function listOf(value: unknown, length: number | null): unknown[] {
  if (!Array.isArray(value) || (length !== null && value.length !== length))
    throw new RangeError(`${KIND}: no list of that length.`);
  return value;
}

function numbersIn(value: unknown, length: number): number[] {
  return listOf(value, length).map(numberIn);
}

function numberIn(value: unknown): number {
  if (typeof value !== 'number' || !(value >= 0)) throw new RangeError(`${KIND}: a number that is none.`);
  return value;
}
