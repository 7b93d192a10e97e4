import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SLOTS, slotOf } from '../../../src/experiment/bucket.ts';
import type { SlotRange } from '../../../src/experiment/model.ts';
import { allocate, isSlotTable, reallocate, variantAt } from '../../../src/experiment/slots.ts';

/** How many slots each variant (row) gave to each (column). */
function moves(before: readonly SlotRange[], after: readonly SlotRange[], variants: number): number[][] {
  const counts = Array.from({ length: variants }, () => new Array<number>(variants).fill(0));
  for (const from of before) {
    for (const to of after) {
      const common = Math.min(from.end, to.end) - Math.max(from.start, to.start);
      if (common > 0) counts[from.variant]![to.variant]! += common;
    }
  }
  return counts;
}

function weightsOf(table: readonly SlotRange[], variants: number): number[] {
  return moves(table, table, variants).map((row, variant) => row[variant]!);
}

/** Slots that went from one treatment to another; 0 is the fallback. */
function flipsOf(counts: readonly (readonly number[])[]): number {
  let sum = 0;
  for (const [from, row] of counts.entries()) {
    for (const [to, count] of row.entries()) if (from !== to && from !== 0 && to !== 0) sum += count;
  }
  return sum;
}

/** The rules slot by slot over an array of owners, as the comment in slots.ts has them; 0 is the fallback. */
function slowReallocate(previous: Int8Array, weights: readonly number[]): Int8Array {
  const table = Int8Array.from(previous);
  const treatments = weights.length - 1;
  const slotAt = (variant: number, distance: number) => {
    if (treatments === 2 && variant === 2) return SLOTS - 1 - distance;
    return (Math.floor(((variant - 1) * SLOTS) / treatments) + distance) % SLOTS;
  };
  const count = (variant: number) => table.reduce((sum, owner) => (owner === variant ? sum + 1 : sum), 0);
  for (let variant = 1; variant <= treatments; variant++) {
    let excess = count(variant) - weights[variant]!;
    for (let distance = SLOTS - 1; excess > 0; distance--) {
      if (table[slotAt(variant, distance)] !== variant) continue;
      table[slotAt(variant, distance)] = -1;
      excess--;
    }
  }
  for (let variant = 1; variant <= treatments; variant++) {
    let missing = weights[variant]! - count(variant);
    for (const source of [0, -1]) {
      for (let distance = 0; missing > 0 && distance < SLOTS; distance++) {
        if (table[slotAt(variant, distance)] !== source) continue;
        table[slotAt(variant, distance)] = variant;
        missing--;
      }
    }
  }
  return table.map((owner) => (owner === -1 ? 0 : owner));
}

function expanded(table: readonly SlotRange[]): Int8Array {
  const owners = new Int8Array(SLOTS);
  for (const { start, end, variant } of table) owners.fill(variant, start, end);
  return owners;
}

/** Weights of `treatments` treatments behind a fallback that takes the rest; each at most `cap`. */
function weights(treatments: number, cap = SLOTS): fc.Arbitrary<number[]> {
  return fc.array(fc.nat(cap), { minLength: treatments, maxLength: treatments }).map((shares) => {
    const sum = shares.reduce((a, b) => a + b, 0);
    const scaled = sum > SLOTS ? shares.map((share) => Math.floor((share * SLOTS) / sum)) : shares;
    return [SLOTS - scaled.reduce((a, b) => a + b, 0), ...scaled];
  });
}

/** Two to six lists of weights for one experiment with 1 to 5 treatments. */
const histories = fc
  .integer({ min: 1, max: 5 })
  .chain((treatments) => fc.array(weights(treatments), { minLength: 2, maxLength: 6 }));

test('a ramp from 90/5/5 to 80/10/10 moves 10 % of 200,000 users and flips nobody between treatments', () => {
  const before = allocate([900_000, 50_000, 50_000], 0);
  const after = reallocate(before, [800_000, 100_000, 100_000], 0);
  let moved = 0;
  let flipped = 0;
  let movedByCumulative = 0;
  let flippedByCumulative = 0;
  const cumulative = (slot: number, ends: readonly number[]) => ends.findIndex((end) => slot < end);
  for (let i = 0; i < 200_000; i++) {
    const slot = slotOf('ramp', 'variant', `user-${i}`);
    const [a, b] = [variantAt(before, slot), variantAt(after, slot)];
    if (a !== b) moved++;
    if (a !== b && a !== 0 && b !== 0) flipped++;
    const [c, d] = [cumulative(slot, [900_000, 950_000, SLOTS]), cumulative(slot, [800_000, 900_000, SLOTS])];
    if (c !== d) movedByCumulative++;
    if (c !== d && c !== 0 && d !== 0) flippedByCumulative++;
  }
  expect(moved / 200_000).toBeCloseTo(0.1, 2);
  expect(flipped).toBe(0);
  expect(moves(before, after, 3)).toEqual([
    [800_000, 50_000, 50_000],
    [0, 50_000, 0],
    [0, 0, 50_000],
  ]);
  // The same step with cumulative weights, for the decision record: what this table is there to avoid.
  expect(movedByCumulative / 200_000).toBeCloseTo(0.15, 2);
  expect(flippedByCumulative / 200_000).toBeCloseTo(0.05, 2);
});

test('one treatment grows up from slot 0 and a second one down from the top', () => {
  expect(allocate([900_000, 100_000], 0)).toEqual([
    { start: 0, end: 100_000, variant: 1 },
    { start: 100_000, end: 1_000_000, variant: 0 },
  ]);
  expect(allocate([700_000, 100_000, 200_000], 0)).toEqual([
    { start: 0, end: 100_000, variant: 1 },
    { start: 100_000, end: 800_000, variant: 0 },
    { start: 800_000, end: 1_000_000, variant: 2 },
  ]);
});

test('the fallback may stand anywhere in the list', () => {
  expect(allocate([100_000, 700_000, 200_000], 1)).toEqual([
    { start: 0, end: 100_000, variant: 0 },
    { start: 100_000, end: 800_000, variant: 1 },
    { start: 800_000, end: 1_000_000, variant: 2 },
  ]);
});

test('three treatments start a third apart', () => {
  expect(allocate([400_000, 200_000, 200_000, 200_000], 0)).toEqual([
    { start: 0, end: 200_000, variant: 1 },
    { start: 200_000, end: 333_333, variant: 0 },
    { start: 333_333, end: 533_333, variant: 2 },
    { start: 533_333, end: 666_666, variant: 0 },
    { start: 666_666, end: 866_666, variant: 3 },
    { start: 866_666, end: 1_000_000, variant: 0 },
  ]);
});

test('a treatment that outgrows its home goes on behind its neighbour, and round the top', () => {
  const start = allocate([700_000, 100_000, 100_000, 100_000], 0);
  expect(reallocate(start, [300_000, 500_000, 100_000, 100_000], 0)).toEqual([
    { start: 0, end: 333_333, variant: 1 },
    { start: 333_333, end: 433_333, variant: 2 },
    { start: 433_333, end: 600_000, variant: 1 },
    { start: 600_000, end: 666_666, variant: 0 },
    { start: 666_666, end: 766_666, variant: 3 },
    { start: 766_666, end: 1_000_000, variant: 0 },
  ]);
  expect(reallocate(start, [300_000, 100_000, 100_000, 500_000], 0)).toEqual([
    { start: 0, end: 100_000, variant: 1 },
    { start: 100_000, end: 266_666, variant: 3 },
    { start: 266_666, end: 333_333, variant: 0 },
    { start: 333_333, end: 433_333, variant: 2 },
    { start: 433_333, end: 666_666, variant: 0 },
    { start: 666_666, end: 1_000_000, variant: 3 },
  ]);
});

test('every table covers all slots and gives each variant exactly its weight', () => {
  fc.assert(
    fc.property(histories, (history) => {
      let table = allocate(history[0]!, 0);
      for (const step of history) {
        table = reallocate(table, step, 0);
        expect(isSlotTable(table)).toBe(true);
        expect(weightsOf(table, step.length)).toEqual(step);
      }
    }),
    { numRuns: 500 },
  );
});

test('a growing treatment keeps all it had, a shrinking one gains nothing, and one that stays put does not move', () => {
  fc.assert(
    fc.property(histories, (history) => {
      let table = allocate(history[0]!, 0);
      for (const [index, step] of history.slice(1).entries()) {
        const before = history[index]!;
        const next = reallocate(table, step, 0);
        const counts = moves(table, next, step.length);
        for (let variant = 1; variant < step.length; variant++) {
          expect(counts[variant]![variant]).toBe(Math.min(before[variant]!, step[variant]!));
        }
        table = next;
      }
    }),
    { numRuns: 500 },
  );
});

test('a slot goes from one treatment to another only when the fallback has too few to give', () => {
  fc.assert(
    fc.property(histories, (history) => {
      let table = allocate(history[0]!, 0);
      for (const [index, step] of history.slice(1).entries()) {
        const before = history[index]!;
        const next = reallocate(table, step, 0);
        const growth = step
          .slice(1)
          .reduce((sum, weight, i) => sum + Math.max(0, weight - before[i + 1]!), 0);
        expect(flipsOf(moves(table, next, step.length))).toBe(Math.max(0, growth - before[0]!));
        table = next;
      }
    }),
    { numRuns: 500 },
  );
});

test('with one or two treatments the table is the same whatever the weights were before', () => {
  const history = fc
    .integer({ min: 1, max: 2 })
    .chain((treatments) => fc.array(weights(treatments), { minLength: 1, maxLength: 8 }));
  fc.assert(
    fc.property(history, (steps) => {
      let table = allocate(steps[0]!, 0);
      for (const step of steps) table = reallocate(table, step, 0);
      expect(table).toEqual(allocate(steps.at(-1)!, 0));
    }),
    { numRuns: 500 },
  );
});

test('with more treatments it is the same as long as none holds more than its home share', () => {
  const history = fc
    .integer({ min: 3, max: 6 })
    .chain((treatments) =>
      fc.array(weights(treatments, Math.floor(SLOTS / treatments)), { minLength: 1, maxLength: 8 }),
    );
  fc.assert(
    fc.property(history, (steps) => {
      let table = allocate(steps[0]!, 0);
      for (const step of steps) table = reallocate(table, step, 0);
      expect(table).toEqual(allocate(steps.at(-1)!, 0));
    }),
    { numRuns: 500 },
  );
});

test('a ramp of one treatment down and up again restores the same units, for any number of treatments', () => {
  const ramps = fc
    .integer({ min: 1, max: 6 })
    .chain((treatments) =>
      fc.tuple(weights(treatments), fc.nat(treatments - 1), fc.array(fc.nat(SLOTS), { maxLength: 5 })),
    );
  fc.assert(
    fc.property(ramps, ([start, treatment, steps]) => {
      const variant = treatment + 1;
      const share = (weight: number) => {
        const step = start.slice();
        step[0] = start[0]! + start[variant]! - weight;
        step[variant] = weight;
        return step;
      };
      const first = allocate(start, 0);
      let table = first;
      for (const step of steps) table = reallocate(table, share(Math.min(step, start[variant]!)), 0);
      expect(reallocate(table, start, 0)).toEqual(first);
    }),
    { numRuns: 500 },
  );
});

test('a ramp 1, 5, 20, 50, 100 % and back gives each step the same units both ways', () => {
  const steps = [10_000, 50_000, 200_000, 500_000, 1_000_000];
  let table = allocate([SLOTS, 0], 0);
  const up = steps.map((weight) => (table = reallocate(table, [SLOTS - weight, weight], 0)));
  const down = steps.toReversed().map((weight) => (table = reallocate(table, [SLOTS - weight, weight], 0)));
  expect(down.toReversed()).toEqual(up);
});

test('the ranges agree with the rules applied slot by slot', () => {
  const short = fc
    .integer({ min: 1, max: 4 })
    .chain((treatments) => fc.array(weights(treatments), { minLength: 1, maxLength: 3 }));
  fc.assert(
    fc.property(short, (steps) => {
      let table = allocate(steps[0]!, 0);
      let slow = slowReallocate(new Int8Array(SLOTS), steps[0]!);
      for (const step of steps.slice(1)) {
        table = reallocate(table, step, 0);
        slow = slowReallocate(slow, step);
      }
      expect(expanded(table).findIndex((owner, slot) => owner !== slow[slot])).toBe(-1);
    }),
    { numRuns: 15 },
  );
});

test('a long history of random weights does not shatter the table', () => {
  let state = 12_345;
  const next = (max: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * max);
  };
  let table = allocate([SLOTS, 0, 0, 0, 0, 0], 0);
  let longest = 0;
  for (let i = 0; i < 2000; i++) {
    const shares = Array.from({ length: 5 }, () => next(200_001));
    table = reallocate(table, [SLOTS - shares.reduce((a, b) => a + b, 0), ...shares], 0);
    longest = Math.max(longest, table.length);
  }
  expect(longest).toBeLessThanOrEqual(11);
  for (let i = 0; i < 2000; i++) {
    const shares = Array.from({ length: 5 }, () => next(1000));
    const sum = shares.reduce((a, b) => a + b, 1 + next(1000));
    const scaled = shares.map((share) => Math.floor((share * SLOTS) / sum));
    table = reallocate(table, [SLOTS - scaled.reduce((a, b) => a + b, 0), ...scaled], 0);
    longest = Math.max(longest, table.length);
  }
  expect(longest).toBeLessThanOrEqual(64);
});

test('the slots of a variant that was removed go back to the fallback', () => {
  const before = allocate([700_000, 200_000, 100_000], 0);
  const after = reallocate(before, [800_000, 200_000], 0);
  expect(after).toEqual([
    { start: 0, end: 200_000, variant: 1 },
    { start: 200_000, end: 1_000_000, variant: 0 },
  ]);
});

test('a new fallback takes over what the old one gives up', () => {
  const before = allocate([900_000, 100_000], 0);
  const after = reallocate(before, [300_000, 700_000], 1);
  expect(weightsOf(after, 2)).toEqual([300_000, 700_000]);
  expect(moves(before, after, 2)).toEqual([
    [300_000, 600_000],
    [0, 100_000],
  ]);
});

test('variantAt finds the owner at the ends of every range', () => {
  const table = allocate([400_000, 200_000, 200_000, 200_000], 0);
  for (const { start, end, variant } of table) {
    expect(variantAt(table, start)).toBe(variant);
    expect(variantAt(table, end - 1)).toBe(variant);
  }
});

test('a variant of weight 0 owns nothing and one of 100 % everything', () => {
  expect(allocate([SLOTS, 0, 0], 0)).toEqual([{ start: 0, end: SLOTS, variant: 0 }]);
  expect(allocate([0, 0, SLOTS], 0)).toEqual([{ start: 0, end: SLOTS, variant: 2 }]);
});

test('weights that are not whole, negative, or do not add up are refused', () => {
  expect(() => allocate([500_000, 499_999], 0)).toThrow('add up to 1000000, not 999999');
  expect(() => allocate([1_000_001, -1], 0)).toThrow(RangeError);
  expect(() => allocate([999_999.5, 0.5], 0)).toThrow(RangeError);
  expect(() => allocate([SLOTS], 1)).toThrow('no variant 1');
  expect(() => reallocate([{ start: 0, end: 10, variant: 0 }], [SLOTS], 0)).toThrow('previous table');
});

test('a table with a gap, an overlap, an empty range or a bad owner is none', () => {
  expect(isSlotTable([{ start: 0, end: SLOTS, variant: 0 }])).toBe(true);
  expect(isSlotTable([])).toBe(false);
  expect(isSlotTable([{ start: 1, end: SLOTS, variant: 0 }])).toBe(false);
  expect(isSlotTable([{ start: 0, end: SLOTS - 1, variant: 0 }])).toBe(false);
  expect(isSlotTable([{ start: 0, end: SLOTS, variant: -1 }])).toBe(false);
  expect(isSlotTable([{ start: 0, end: SLOTS, variant: 0.5 }])).toBe(false);
  const halves = [
    { start: 0, end: 500_000, variant: 0 },
    { start: 500_001, end: SLOTS, variant: 1 },
  ];
  expect(isSlotTable(halves)).toBe(false);
});
